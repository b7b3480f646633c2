"""`tradewind risk`: why an order was approved or denied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.postgres.one_order import Asked
    from tradewind.connectors.settings import Settings
    from tradewind.processors.risk.explained import Checked


@click.group()
def risk() -> None:
    """Say why orders were approved or denied."""


@risk.command()
@click.argument("order")
@click.option("--tenant", help="The tenant, where several have made an order of this id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def explain(order: str, *, tenant: str | None, as_json: bool) -> None:
    """Show what ORDER was judged by: request, quote, position, and each check with its value and limit.

    `./dev orders` lists the ids of orders.
    """
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    settings = Settings()
    asked = _found(settings, order, tenant)
    checks, note = _checks(settings, asked)
    told = explanation(asked, checks, note)
    if as_json:
        say_json(told)
        return
    for line in lines(told):
        click.echo(line)


def _found(settings: Settings, order: str, tenant: str | None) -> Asked:
    from tradewind.connectors.postgres.one_order import find_orders  # noqa: PLC0415

    found = [one for one in find_orders(settings, order) if tenant in {None, one.request.tenant_id}]
    if not found:
        of = "" if tenant is None else f" of tenant {tenant!r}"
        raise click.ClickException(
            f"PostgreSQL has no order {order!r}{of}: ids are listed by ./dev orders, and ./dev status "
            "shows whether the sink is behind"
        )
    if len(found) > 1:
        names = ", ".join(str(one.request.tenant_id) for one in found)
        raise click.UsageError(f"several tenants have an order {order!r}: name one by --tenant. They are: {names}")
    return found[0]


def _checks(settings: Settings, asked: Asked) -> tuple[Sequence[Checked], str]:
    """Return the checks of an order, and why there are none or what is odd about them."""
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.tenancy.reading import revision  # noqa: PLC0415
    from tradewind.processors.risk.explained import explained  # noqa: PLC0415

    decision = asked.decision
    if decision is None:
        return (), "risk has not decided yet, or the sink is behind: see ./dev status"
    if decision.outcome == "MET":
        return (), "no order was needed, so nothing was checked"
    if not decision.tenant_revision:
        return (), "without a known tenant and account, no limit can be checked"
    name = str(decision.tenant_id)
    tenant = revision(name, decision.tenant_revision, settings, open_codec(settings))
    if tenant is None:
        said = f"Kafka no longer has revision {decision.tenant_revision} of {name}, whose limits were in force"
        return (), f"{said}: the reason of the decision has what failed"
    checks = explained(asked.request, decision, tenant)
    odd = ", ".join(one.code for one in checks if one.differs)
    return checks, f"the code of today finds otherwise: {odd}" if odd else ""


def explanation(asked: Asked, checks: Sequence[Checked], note: str) -> dict[str, Any]:
    """Return what is said of an order, as `--json` prints it."""
    from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415

    request, decision = asked.request, asked.decision
    told: dict[str, Any] = {
        "order_id": request.order_id,
        "request": {
            **_texts(request, "tenant_id", "account_id", "deployment", "symbol", "venue", "mode", "order_type"),
            **_texts(request, "strategy", "signal_id"),
            **_amounts(request, "units", "buy_limit", "sell_limit"),
            "ts_event": time_to_json(request.ts_event),
        },
        "quote": {
            **_amounts(request, "quote_bid", "quote_ask"),
            "quote_ts": time_to_json(request.quote_ts),
            "age_us": request.ts_event - request.quote_ts,
        },
        "position": None,
        "totals": None,
        "tenant_revision": None,
        "checks": [_texts(one, "code", "value", "limit", "passed", "differs") for one in checks],
        "note": note or None,
        "decision": None,
        "events": [{"ts_event": time_to_json(one.ts_event), **_texts(one, "status", "reason")} for one in asked.events],
    }
    if decision is not None:
        told["position"] = _amounts(decision, "held", "exposure", "elsewhere", "lost_today", "drawdown")
        told["totals"] = {
            **_amounts(decision, "total_exposure", "currency_exposure"),
            "no_rate": decision.no_rate or None,
        }
        told["tenant_revision"] = decision.tenant_revision or None
        told["decision"] = {
            **_texts(decision, "outcome", "side", "reason"),
            "codes": list(decision.codes),
            **_amounts(decision, "quantity", "limit_price"),
        }
    return told


def _texts(of: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(of, name) for name in names}


def _amounts(of: Any, *names: str) -> dict[str, str | None]:
    from tradewind.processors.money import shown  # noqa: PLC0415

    values = ((name, getattr(of, name)) for name in names)
    return {name: None if value is None else shown(value) for name, value in values}


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person reads of an order, from the top down."""
    request, quote, position, decision = (told[part] for part in ("request", "quote", "position", "decision"))
    place = f"{request['tenant_id']}/{request['account_id']}/{request['deployment']}"
    yield f"order     {told['order_id']} of {place}"
    what = f"{request['mode']} {request['units']} {request['symbol']}.{request['venue']}"
    yield f"request   {what}, {request['ts_event']}"
    yield f"quote     {quote['quote_bid']} / {quote['quote_ask']}, {quote['age_us']:,} µs old"
    if position is not None:
        yield f"position  {position['held']} units of the deployment, {position['exposure']} of the account"
    if told["checks"]:
        yield ""
        yield aligned([("check", "value", "limit", ""), *(_row(one) for one in told["checks"])], right={1, 2})
        yield f"The limits are those of revision {told['tenant_revision']} of {request['tenant_id']}."
    if told["note"]:
        yield f"\n{told['note']}"
    if decision is not None:
        yield f"\ndecision  {_verdict(decision)}\n          {decision['reason']}"
    for event in told["events"]:
        yield f"event     {event['ts_event']} {event['status']} {event['reason']}".rstrip()


def _row(check: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return check["code"], check["value"], check["limit"], "passed" if check["passed"] else "FAILED"


def _verdict(decision: Mapping[str, Any]) -> str:
    if decision["outcome"] == "MET":
        return "MET"
    limit = "" if decision["limit_price"] is None else f" at {decision['limit_price']}"
    codes = f": {' '.join(decision['codes'])}" if decision["codes"] else ""
    return f"{decision['outcome']} {decision['side']} {decision['quantity']}{limit}{codes}"
