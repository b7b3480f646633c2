"""`tradewind ai keys`: keys of providers that PostgreSQL keeps under a seal. No command prints a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from tradewind.infra.cli.known_tenants import require_tenant
from tradewind.infra.cli.output import aligned
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.ai.in_force import InForce
    from tradewind.connectors.ai.keys.store import KeyStore
    from tradewind.connectors.settings import Settings

T = TypeVar("T")
TENANT = click.option("--tenant", help="Whose calls may use the key.  [default: all tenants']")


@click.group()
def keys() -> None:
    """Keep keys of providers in PostgreSQL, sealed by TRADEWIND_AI__MASTER_KEY (docs/ai.md)."""


@keys.command()
@click.argument("key_id")
@TENANT
@plain_errors
def add(key_id: str, *, tenant: str | None) -> None:
    """Store the key of KEY_ID, or another key in its place. The key is asked for, or read from standard input."""
    from tradewind.processors.ai.settings_file.fields import Unfit  # noqa: PLC0415 - help comes at once
    from tradewind.processors.ai.settings_file.values import NAME  # noqa: PLC0415

    try:
        NAME(key_id)
    except Unfit as unfit:  # it may be the key itself, so it is not repeated
        raise click.UsageError(f"KEY_ID is the id of a key, never a key: {unfit}") from None
    settings, known = _opened()
    require_tenant(tenant, settings)
    if tenant is not None and (shared := _sharing(known, key_id)):
        raise click.ClickException(
            f"all tenants share {key_id} at {', '.join(shared)}, and so its limits and breakers. Give the key of "
            f"{tenant} an id of its own, and add it to the provider's keys with tenant_id: {tenant}. Nothing is stored"
        )
    stdin = click.get_text_stream("stdin")
    key = click.prompt(f"key of {key_id}", hide_input=True) if stdin.isatty() else stdin.readline().strip()
    _with_store(settings, lambda store: store.add(tenant, key_id, key))
    click.echo(f"the key {key_id} of {_whose(tenant)} is stored; callers use it within seconds")
    _try_again(known, key_id, settings)


@keys.command()
@click.argument("key_id")
@TENANT
@plain_errors
def remove(key_id: str, *, tenant: str | None) -> None:
    """Remove the key of KEY_ID. Exits with 1 if there is none."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    settings = Settings()
    if not _with_store(settings, lambda store: store.remove(tenant, key_id)):
        raise click.ClickException(f"there is no stored key {key_id} of {_whose(tenant)}: see ./dev ai keys list")
    click.echo(f"the key {key_id} of {_whose(tenant)} is removed; callers stop using it within seconds")


@keys.command(name="list")
@plain_errors
def list_keys() -> None:
    """List the stored keys by id, with what is wrong with them."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    settings = Settings()
    found = _with_store(settings, lambda store: store.stored())
    if not found:
        click.echo("no key is stored")
        return
    unknown = "not known: TRADEWIND_AI__MASTER_KEY is not set here" if settings.ai.master_key is None else None
    rows = [("key", "tenant", "stored", "state")]
    rows += [
        (one.key_id, one.tenant_id or "all", f"{one.stored_at:%Y-%m-%d %H:%M}", unknown or one.flaw or "sound")
        for one in found
    ]
    click.echo(aligned(rows))


def _settings() -> Settings:
    from tradewind.connectors.ai.keys.master import HOW  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    if settings.ai.master_key is None:
        said = f"there is no master key: set TRADEWIND_AI__MASTER_KEY to {HOW}, in .env too, and start `up` again"
        raise click.ClickException(said)
    return settings


def _opened() -> tuple[Settings, InForce]:
    from tradewind.connectors.ai.in_force import in_force  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415

    settings = _settings()
    return settings, in_force(settings, open_codec(settings))


def _with_store(settings: Settings, act: Callable[[KeyStore], Awaitable[T]]) -> T:
    """Act on the store of keys, and close it."""
    from tradewind.connectors.ai.keys.master import any_master_key  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.ai.keys.sealing import Master  # noqa: PLC0415
    from tradewind.connectors.ai.keys.store import KeyStore  # noqa: PLC0415

    async def acted() -> T:
        store = KeyStore(settings, Master(settings.ai.master_key or any_master_key()))
        try:
            return await act(store)
        finally:
            await store.close()

    return asyncio.run(acted())


def _sharing(known: InForce, key_id: str) -> Sequence[str]:
    """Return the providers at which all tenants share a key."""
    return [
        one.name
        for one in known.providers
        if any(key["tenant_id"] is None and str(key["key_id"]).lower() == key_id.lower() for key in one.keys)
    ]


def _try_again(known: InForce, key_id: str, settings: Settings) -> None:
    """Apply the providers of a key again, so that the agent closes the breakers that its last key has opened."""
    from tradewind.connectors.ai.in_force import apply  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.ai.keys.store import KEPT_S  # noqa: PLC0415

    named = [one for one in known.providers if any(str(key["key_id"]).lower() == key_id.lower() for key in one.keys)]
    if named:
        time.sleep(KEPT_S)  # until then a caller may go by the key before
        revision = apply(named, known.revision, settings)
        click.echo(f"{', '.join(one.name for one in named)}: applied again as revision {revision}, to be tried at once")


def _whose(tenant: str | None) -> str:
    return "all tenants" if tenant is None else f"tenant {tenant}"
