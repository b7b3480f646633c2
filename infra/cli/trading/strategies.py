"""`tradewind strategies`: deploy strategies to accounts of tenants, pause and retire them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from tradewind.connectors.clock.wall import clock_us
from tradewind.infra.cli.known_tenants import require_tenant
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors
from tradewind.infra.cli.trading.commanded import refused, shown

F = TypeVar("F", bound=Callable[..., Any])
Place = tuple[str, str, str]
"""Tenant, account and name."""
ANSWER_S = 15.0
LISTS = {"instruments"}
ENDED = "RETIRED"


def _place(command: F) -> F:
    """Add what names a deployment: TENANT/ACCOUNT/NAME."""
    timeout = click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0),
        default=ANSWER_S,
        show_default=True,
        help="Seconds to wait.",
    )
    return click.argument("place", metavar="TENANT/ACCOUNT/NAME", callback=_parts)(timeout(command))


def _parts(_context: click.Context, _parameter: click.Parameter, value: str) -> Place:
    parts = value.split("/")
    if len(parts) != 3 or not all(parts):
        raise click.BadParameter(f"{value!r} is no TENANT/ACCOUNT/NAME, such as alpha/main/ema_crossover")
    return parts[0], parts[1], parts[2]


@click.group()
def strategies() -> None:
    """Deploy strategies to accounts of tenants, pause and retire them.

    A change needs no restart. The command prints the changed deployment. If the change is refused, the command prints
    every reason and exits 1. See docs/strategies.md.
    """


@strategies.command(name="list")
@click.option("--tenant", help="Only deployments of this tenant.")
@click.option("--all", "with_retired", is_flag=True, help="Also those that are retired.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def list_(*, tenant: str | None, with_retired: bool, as_json: bool) -> None:
    """List the installed strategies with their parameters, and all deployments."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.tenancy.reading import deployments  # noqa: PLC0415
    from tradewind.processors.signals.parameters import by_name, parameters_of  # noqa: PLC0415
    from tradewind.streams.signals import strategies as installed  # noqa: PLC0415

    settings = Settings()
    require_tenant(tenant, settings)
    known = by_name(installed())
    found = [
        one
        for one in deployments(settings)
        if tenant in {None, one.tenant_id} and (with_retired or one.status != ENDED)
    ]
    takes = {name: {one: kind.__name__ for one, kind in parameters_of(of).items()} for name, of in known.items()}
    if as_json:
        say_json(
            {
                "strategies": {
                    name: {"version": of.version, "interval_s": of.interval_s, "parameters": takes[name]}
                    for name, of in known.items()
                },
                "deployments": [shown(one) for one in found],
            }
        )
        return
    rows: list[tuple[str, ...]] = [("strategy", "version", "bars", "parameters")]
    rows += [
        (name, str(of.version), f"{of.interval_s} s", ", ".join(f"{one}: {kind}" for one, kind in takes[name].items()))
        for name, of in known.items()
    ]
    click.echo(aligned(rows))
    click.echo()
    if not found:
        whose = "no strategy is deployed" if tenant is None else f"no strategy is deployed for {tenant}"
        click.echo(f"{whose}, so nothing is traded: ./dev strategies deploy TENANT/ACCOUNT/NAME STRATEGY")
        return
    rows = [("deployment", "status", "strategy", "parameters", "instruments", "mode", "sizing")]
    rows += [
        (
            f"{one.tenant_id}/{one.account_id}/{one.deployment}",
            one.status,
            one.strategy if one.version is None else f"{one.strategy}, version {one.version}",
            one.parameters,
            ",".join(one.instruments),
            one.mode,
            one.sizing if one.size is None else f"{one.sizing} {one.size:f}",
        )
        for one in found
    ]
    click.echo(aligned(rows))


@strategies.command()
@_place
@click.argument("strategy")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
@click.option(
    "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the strategy. Repeatable."
)
@plain_errors
def deploy(
    place: Place,
    strategy: str,
    values: tuple[str, ...],
    *,
    parameters: tuple[str, ...],
    timeout_s: float,
) -> None:
    """Let STRATEGY trade for an account as NAME. If NAME is deployed already, give it these values instead.

    KEYs are instruments (EURUSD,XAUUSD; default: all), mode (TARGET or ADD), sizing (VOLATILITY, UNITS or NOTIONAL),
    size and version. A VALUE is JSON, or text without quotes.
    """
    changes = [_value("strategy", strategy), *(_change(value) for value in values)]
    if parameters:
        changes.append(_value("parameters", dict(_parameter(one) for one in parameters)))
    _carry_out("DEPLOY", place, changes, timeout_s)


@strategies.command()
@_place
@plain_errors
def pause(place: Place, *, timeout_s: float) -> None:
    """Ask a deployment no more, until it is resumed. Its positions stay."""
    _carry_out("PAUSE", place, [], timeout_s)


@strategies.command()
@_place
@plain_errors
def resume(place: Place, *, timeout_s: float) -> None:
    """Ask a paused deployment again."""
    _carry_out("RESUME", place, [], timeout_s)


@strategies.command()
@_place
@plain_errors
def retire(place: Place, *, timeout_s: float) -> None:
    """End a deployment, and close its positions."""
    _carry_out("RETIRE", place, [], timeout_s)


def _carry_out(action: Any, place: Place, changes: list[dict[str, str]], timeout_s: float) -> None:
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.tenancy.reading import deployments  # noqa: PLC0415
    from tradewind.connectors.tenancy.writing import carry_out  # noqa: PLC0415
    from tradewind.processors.identity import derive_id  # noqa: PLC0415
    from tradewind.schemas.signals import Deployment, DeploymentCommand, DeploymentRefused  # noqa: PLC0415

    settings = Settings()
    codec = open_codec(settings)
    tenant_id, account_id, name = place
    known = (one for one in deployments(settings, codec) if (one.tenant_id, one.account_id, one.deployment) == place)
    revision = max((one.revision for one in known), default=0)
    now_us = clock_us()
    event_id = derive_id("DeploymentCommand", *place, action, revision, now_us)
    command = DeploymentCommand(
        event_id=event_id,
        tenant_id=tenant_id,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        account_id=account_id,
        deployment=name,
        action=action,
        revision=revision,
        changes=tuple(changes),
    )
    answer = carry_out(command, settings, codec, timeout_s)
    if isinstance(answer, Deployment):
        say_json(shown(answer), indent=2)
    elif isinstance(answer, DeploymentRefused):
        raise refused("/".join(place), answer.reasons)


def _change(text: str) -> dict[str, str]:
    key, is_given, value = text.partition("=")
    if not is_given:
        raise click.UsageError(f"{text!r} is no KEY=VALUE")
    if key in LISTS and not value.startswith("["):
        return _value(key, value.split(","))
    return _value(key, _read(value))


def _parameter(text: str) -> tuple[str, Any]:
    name, is_given, value = text.partition("=")
    if not is_given:
        raise click.UsageError(f"--param {text!r} is no NAME=VALUE")
    return name, _read(value)


def _read(text: str) -> Any:
    """Return a value as JSON has it; what is no JSON is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _value(key: str, value: Any) -> dict[str, str]:
    from tradewind.connectors.kafka.json_events import strict_json  # noqa: PLC0415 - help comes at once

    return {"key": key, "value": strict_json(value)}
