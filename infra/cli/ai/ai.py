"""`tradewind ai`: ask a model, see and change the settings of AI, and see what requests have cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.ai.apply import apply, templates
from tradewind.infra.cli.ai.cache import cache
from tradewind.infra.cli.ai.cost import cost
from tradewind.infra.cli.ai.explain import explain
from tradewind.infra.cli.ai.health import health
from tradewind.infra.cli.ai.keys import keys
from tradewind.infra.cli.ai.prices import prices
from tradewind.infra.cli.ai.reconcile import reconcile
from tradewind.infra.cli.ai.record import record
from tradewind.infra.cli.ai.request import new_request
from tradewind.infra.cli.ai.shown import show, told_to_wait
from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors
from tradewind.processors.money import shown

if TYPE_CHECKING:
    from tradewind.connectors.ai.deltas.merging import Shown
    from tradewind.connectors.ai.in_force import InForce
    from tradewind.connectors.settings import Settings

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def ai() -> None:
    """Ask a model; see and change providers, routes and prices; see what requests cost (docs/ai.md)."""


@ai.command()
@click.argument("question")
@click.option("--tenant", default="alpha", show_default=True, help="The tenant that asks and pays.")
@click.option("--type", "request_type", default="general", show_default=True, help="Type of request: names a route.")
@click.option("--provider", help="Ask only this provider.")
@click.option("--model", help="Ask only this model.")
@click.option(
    "--cache", type=click.Choice(["off", "exact", "semantic"]), default="off", show_default=True, help="Kept answers."
)
@click.option("--max-tokens", type=click.IntRange(min=1), default=1_000, show_default=True)
@click.option("--deadline", "deadline_s", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="s.")
@click.option("--stream", is_flag=True, help="Print the answer while it comes.")
@AS_JSON
@plain_errors
def ask(question: str, *, as_json: bool, **options: Any) -> None:
    """Ask QUESTION, and print the answer with its tokens and cost. Exits with 1 if there is no answer."""
    from tradewind.connectors.ai.asking import GRACE_S, ask_live  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.ai.asking import ask as carry_out  # noqa: PLC0415
    from tradewind.connectors.kafka.json_events import event_to_json  # noqa: PLC0415
    from tradewind.schemas.flaws import flaw_of  # noqa: PLC0415

    if not question.strip():
        raise click.UsageError("QUESTION is empty, and would be paid for")
    request, live = new_request(question, **options), options["stream"] and not as_json
    if (flaw := flaw_of(request)) is not None:
        raise click.UsageError(f"the agent would not take the request: {flaw}")
    settings, codec = _opened()
    with told_to_wait(options["deadline_s"] + GRACE_S) as heard:

        def shown_at_once(one: Shown) -> None:
            heard()
            show(one)

        found = ask_live(request, settings, codec, shown_at_once) if live else carry_out(request, settings, codec)
    if as_json:
        say_json(event_to_json(found), indent=2)
    if found.status != "ANSWERED":
        again = "" if found.retry_after_ms is None else f" (again in {found.retry_after_ms / 1000:,.1f} s)"
        code = "" if found.code == found.status else f" {found.code}"
        raise click.ClickException(f"{found.status}{code}: {found.reason}{again}")
    if not as_json:
        click.echo("" if live else found.text)
        tokens_in = found.input_tokens + found.cache_read_tokens + found.cache_write_tokens
        said = f"{tokens_in:,} tokens in, {found.output_tokens:,} out, {shown(found.cost)} {found.currency}"
        kept = "" if found.source == "PROVIDER" else f", {found.source}"
        click.echo(f"{found.provider} {found.model}, {found.latency_us / 1000:,.0f} ms, {said}{kept}", err=True)


@ai.command()
@AS_JSON
@plain_errors
def providers(*, as_json: bool) -> None:
    """List providers, the ids of their keys, and their models."""
    found = _in_force()
    if as_json:
        say_json({"revision": found.revision, "providers": _json(found.providers)}, indent=2)
        return
    rows = [("provider", "adapter", "tenant", "keys", "models")]
    for one in found.providers:
        keys = ", ".join(str(key["key_id"]) for key in one.keys) or "none needed"
        models = ", ".join(str(model["name"]) for model in one.models)
        rows.append((one.name, one.adapter, one.tenant_id or "all", keys, models))
    click.echo(aligned(rows))
    click.echo(f"revision {found.revision}")


@ai.command()
@AS_JSON
@plain_errors
def routes(*, as_json: bool) -> None:
    """List which models answer which type of request, and what they cost."""
    found = _in_force()
    if as_json:
        say_json({"revision": found.revision, "routes": _json(found.routes), "prices": _json(found.prices)}, indent=2)
        return
    rows = [("type", "tenant", "strategy", "model", "in a million tokens", "out")]
    for one in found.routes:
        for of in one.candidates:
            known = [price for price in found.prices if (price.provider, price.model) == (of["provider"], of["model"])]
            newest = known[0].prices[-1] if known else None
            said = [
                "no price"
                if newest is None
                else f"{shown(Decimal(newest[f'{side}_per_million']))} {newest['currency']}"
                for side in ("input", "output")
            ]
            model = f"{of['provider']} {of['model']}"
            rows.append((one.request_type, one.tenant_id or "all", one.strategy, model, said[0], said[1]))
    click.echo(aligned(rows))
    click.echo(f"revision {found.revision}")


def _in_force() -> InForce:
    from tradewind.connectors.ai.in_force import in_force  # noqa: PLC0415 - help comes at once

    return in_force(*_opened())


def _opened() -> tuple[Settings, Any]:
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    return settings, open_codec(settings)


def _json(events: list[Any]) -> list[dict[str, Any]]:
    from tradewind.connectors.kafka.json_events import event_to_json  # noqa: PLC0415 - help comes at once

    left_out = {"event_id", "correlation_id", "causation_id", "ts_ingest", "part", "parts"}
    return [{name: value for name, value in event_to_json(one).items() if name not in left_out} for one in events]


ai.add_command(apply)
ai.add_command(cost)
ai.add_command(keys)
ai.add_command(prices)
ai.add_command(cache)
ai.add_command(explain)
ai.add_command(health)
ai.add_command(record)
ai.add_command(reconcile)
ai.add_command(templates)
