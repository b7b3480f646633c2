"""`tradewind halt`: the kill switch of a tenant or of one of its accounts (docs/halts.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from tradewind.connectors.clock.wall import clock_us
from tradewind.infra.cli.known_tenants import require_among

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings
    from tradewind.schemas.risk import KillSwitch

T = TypeVar("T")


@click.command()
@click.argument("tenant")
@click.option("--account", help="Only this account.  [default: all accounts of the tenant]")
@click.option(
    "--reason", default="by hand", show_default=True, help="The reason, which every denial and cancel carries."
)
@click.option("--lift", is_flag=True, help="Let the tenant trade again.")
def halt(tenant: str, account: str | None, reason: str, *, lift: bool) -> None:
    """Deny all new orders of TENANT and cancel its open orders, or let it trade again.

    Fills and positions stay. The command returns when Kafka has the halt; agents read the halt within a second.
    PostgreSQL keeps a copy in case Kafka loses it.
    """
    from tradewind.connectors.kafka import publish  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.tenancy.reading import accounts  # noqa: PLC0415
    from tradewind.processors.identity import derive_id  # noqa: PLC0415
    from tradewind.schemas.flaws import flaw_of  # noqa: PLC0415
    from tradewind.schemas.risk import KillSwitch  # noqa: PLC0415

    settings = Settings()
    whose = f"{tenant}/{account}" if account else tenant
    failed = f"{whose} is not lifted: it stays as it was" if lift else f"{whose} is NOT halted"
    known = _asked(lambda: accounts(settings), failed)
    require_among(tenant, known)
    if account is not None and account not in known[tenant]:
        raise click.UsageError(f"{tenant} has no account {account!r}; its accounts are: {', '.join(known[tenant])}")
    now_us = clock_us()
    event_id = derive_id("KillSwitch", tenant, account or "*", now_us)
    switch = KillSwitch(
        event_id=event_id,
        tenant_id=tenant,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        account_id=account,
        engaged=not lift,
        reason=reason,
    )
    flaw = flaw_of(switch)
    if flaw is not None:  # the agents would refuse the command
        raise click.UsageError(f"the command is out of range: {flaw}")
    _asked(lambda: publish("risk.kill_switches", [switch], settings), failed)
    now = "may trade again" if lift else "is halted: every request is denied, every open order cancelled"
    click.echo(f"{whose} {now}")
    _keep(switch, settings)


def _asked(ask: Callable[[], T], failed: str) -> T:
    """Ask Kafka; where it does not do what it is asked for, say that nothing has happened."""
    from tradewind.connectors.kafka.errors import StreamError  # noqa: PLC0415
    from tradewind.connectors.registry import RegistryError  # noqa: PLC0415
    from tradewind.connectors.settings import ServiceNotConfigured  # noqa: PLC0415

    try:
        return ask()
    except (StreamError, RegistryError, ServiceNotConfigured) as error:
        raise click.ClickException(f"{failed}: {error}. Repair the cause and run the command again") from error


def _keep(switch: KillSwitch, settings: Settings) -> None:
    """Keep the command in PostgreSQL: after Kafka, so that what is kept is in force, and with its place there."""
    from tradewind.connectors.cluster.kept import KeptAway  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.cluster.switch_store import keep_published  # noqa: PLC0415
    from tradewind.connectors.kafka.errors import StreamError  # noqa: PLC0415
    from tradewind.connectors.registry import RegistryError  # noqa: PLC0415

    try:
        why = None if keep_published(settings, switch) else "it lacks the table: run `./dev prepare`"
    except (KeptAway, StreamError, RegistryError) as error:
        why = str(error)
    if why is not None:
        click.echo(
            f"only Kafka has the command at present; the postgres sink will write it to PostgreSQL: {why}", err=True
        )
