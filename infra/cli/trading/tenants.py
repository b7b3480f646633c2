"""`tradewind tenants`: create and change tenants, and see which revision is in force."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tradewind.connectors.clock.wall import clock_us
from tradewind.infra.cli.known_tenants import require_among
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors
from tradewind.infra.cli.trading.commanded import refused, shown

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings
    from tradewind.schemas.codec import Codec
    from tradewind.schemas.tenancy import Tenant

F = TypeVar("F", bound=Callable[..., Any])
ANSWER_S = 15.0
IN_FORCE_S = 30.0
LOOK_S = 0.1


def _timeout(default: float) -> Callable[[F], F]:
    kind = click.FloatRange(min=0)
    return click.option(
        "--timeout", "timeout_s", type=kind, default=default, show_default=True, help="Seconds to wait."
    )


TIMEOUT = _timeout(ANSWER_S)
REVISION = click.option(
    "--revision", type=click.IntRange(min=0), help="The revision that you looked at.  [default: the newest one]"
)


@click.group()
def tenants() -> None:
    """Create and change tenants.

    A change needs no restart. The command prints the changed tenant. If the change is refused, the command prints every
    reason and exits 1. See docs/tenants.md.
    """


@tenants.command()
@click.argument("tenant")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
@TIMEOUT
@plain_errors
def create(tenant: str, values: tuple[str, ...], *, timeout_s: float) -> None:
    """Create TENANT. It needs accounts, risk_per_trade, max_order_notional and max_position_notional.

    A VALUE is JSON, or text without quotes. A list of names may use commas: accounts=main,hedge. See docs/tenants.md.
    """
    _carry_out("CREATE", tenant, values, 0, timeout_s)
    click.echo(
        f"{tenant} trades nothing until a strategy is deployed to one of its accounts: "
        f"./dev strategies deploy {tenant}/ACCOUNT/NAME STRATEGY",
        err=True,
    )


@tenants.command(name="set")
@click.argument("tenant")
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE...")
@REVISION
@TIMEOUT
@plain_errors
def set_(tenant: str, values: tuple[str, ...], *, revision: int | None, timeout_s: float) -> None:
    """Change keys of TENANT, such as tier=gold. docs/tenants.md lists the keys."""
    _carry_out("SET", tenant, values, revision, timeout_s)


@tenants.command()
@click.argument("tenant")
@REVISION
@TIMEOUT
@plain_errors
def suspend(tenant: str, *, revision: int | None, timeout_s: float) -> None:
    """Deny new orders of TENANT. Open orders and positions stay; `./dev halt` cancels open orders."""
    _carry_out("SUSPEND", tenant, (), revision, timeout_s)


@tenants.command()
@click.argument("tenant")
@REVISION
@TIMEOUT
@plain_errors
def resume(tenant: str, *, revision: int | None, timeout_s: float) -> None:
    """Let a suspended TENANT trade again."""
    _carry_out("RESUME", tenant, (), revision, timeout_s)


@tenants.command()
@click.argument("tenant")
@REVISION
@TIMEOUT
@plain_errors
def close(tenant: str, *, revision: int | None, timeout_s: float) -> None:
    """Close TENANT for good. A closed tenant cannot be resumed, and its name cannot be used again."""
    _carry_out("CLOSE", tenant, (), revision, timeout_s)


@tenants.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def list_(*, as_json: bool) -> None:
    """List all tenants, each with the number of its active deployments."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.tenancy.reading import deployments  # noqa: PLC0415
    from tradewind.connectors.tenancy.reading import tenants as read  # noqa: PLC0415

    settings = Settings()
    found = read(settings)
    if as_json:
        say_json({name: shown(one) for name, one in found.items()})
        return
    trading = Counter(one.tenant_id for one in deployments(settings) if one.status == "ACTIVE")
    rows = [("tenant", "status", "revision", "tier", "accounts", "deployments")]
    rows += [
        (name, one.status, str(one.revision), one.tier, ", ".join(one.accounts), str(trading[name]))
        for name, one in found.items()
    ]
    click.echo(aligned(rows))


@tenants.command()
@click.argument("tenant")
@plain_errors
def show(tenant: str) -> None:
    """Print TENANT as JSON."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    say_json(shown(_known(tenant, Settings())), indent=2)


@tenants.command()
@click.argument("tenant")
@_timeout(IN_FORCE_S)
@plain_errors
def wait(tenant: str, *, timeout_s: float) -> None:
    """Wait until every task that reads tenants uses the newest revision of TENANT."""
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.tenancy.in_force import Readers, newest  # noqa: PLC0415

    settings = Settings()
    begun = time.monotonic()
    change = newest(tenant, settings, open_codec(settings))
    if change is None:
        raise click.UsageError(f"there is no tenant {tenant!r}; ./dev tenants list names all")
    readers = Readers(settings)
    while True:
        found = readers.in_force(change)
        tasks, read = sum(one.tasks for one in found), sum(one.read for one in found)
        whole = all(one.tasks for one in found) and read == tasks
        if whole or time.monotonic() - begun > timeout_s:
            break
        time.sleep(LOOK_S)
    of_each = ", ".join(f"{one.agent} {one.read} of {one.tasks}" for one in found)
    seconds = time.monotonic() - begun
    click.echo(f"revision {change.tenant.revision} of {tenant} is in force in {read} of {tasks} tasks ({of_each})")
    if not whole:
        raise click.ClickException(f"not all tasks have read it within {seconds:.1f} s: see ./dev status")
    click.echo(f"seen after {seconds:.1f} s")


def _carry_out(action: Any, tenant_id: str, values: tuple[str, ...], revision: int | None, timeout_s: float) -> None:
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.tenancy.writing import carry_out  # noqa: PLC0415
    from tradewind.processors.identity import derive_id  # noqa: PLC0415
    from tradewind.processors.tenancy.keys import told, values_of  # noqa: PLC0415
    from tradewind.schemas.tenancy import Tenant, TenantCommand, TenantRefused  # noqa: PLC0415

    changes = tuple(_change(value) for value in values)
    if reasons := values_of(action, changes)[1]:  # the agent would say the same, some seconds later
        raise refused(tenant_id, told(reasons))
    settings = Settings()
    codec = open_codec(settings)
    if revision is None:
        revision = _known(tenant_id, settings, codec).revision
    now_us = clock_us()
    event_id = derive_id("TenantCommand", tenant_id, action, revision, now_us)
    command = TenantCommand(
        event_id=event_id,
        tenant_id=tenant_id,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        action=action,
        revision=revision,
        changes=changes,
    )
    answer = carry_out(command, settings, codec, timeout_s)
    if isinstance(answer, Tenant):
        say_json(shown(answer), indent=2)
        return
    assert isinstance(answer, TenantRefused)  # a command for a tenant leads to nothing else
    raise refused(tenant_id, answer.reasons)


def _change(text: str) -> dict[str, str]:
    """Return a key and its value as JSON: `tier=gold` means the text, `accounts=main,hedge` the list."""
    from tradewind.connectors.kafka.json_events import strict_json  # noqa: PLC0415 - help comes at once

    key, is_given, value = text.partition("=")
    if not is_given:
        raise click.UsageError(f"{text!r} is no KEY=VALUE")
    try:
        json.loads(value)
    except ValueError:
        lists = {"accounts", "features"}
        value = strict_json(value.split(",") if key in lists else value)
    return {"key": key, "value": value}


def _known(tenant_id: str, settings: Settings, codec: Codec | None = None) -> Tenant:
    from tradewind.connectors.tenancy.reading import tenants as read  # noqa: PLC0415 - help comes at once

    found = read(settings, codec)
    require_among(tenant_id, found)
    return found[tenant_id]
