"""`tradewind ai reconcile`: list calls whose cost nobody knows, and settle one by the provider's bill."""

from __future__ import annotations

import click

from tradewind.infra.cli.output import aligned
from tradewind.infra.cli.plain_errors import plain_errors


@click.command()
@click.argument("call", required=False)
@click.option("--tokens-in", type=click.IntRange(min=0), help="Tokens of the prompt on the provider's bill.")
@click.option("--tokens-out", type=click.IntRange(min=0), help="Tokens of the answer on the provider's bill.")
@plain_errors
def reconcile(call: str | None, *, tokens_in: int | None, tokens_out: int | None) -> None:
    """Settle CALL, which is in suspense, by the tokens on the provider's bill. Without CALL, list such calls.

    If the provider has not billed the call, both numbers are 0.
    """
    from tradewind.connectors.ai.reconciling import NotInSuspense, settle, suspended  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    found = suspended(settings, open_codec(settings))
    if call is None:
        rows = [("call", "tenant", "provider", "model", "reserved")]
        rows += [
            (one.call_id, one.tenant_id, one.provider, one.model, f"{one.reserved:f} {one.currency}")
            for one in found.values()
        ]
        click.echo(aligned(rows) if found else "no call is in suspense")
        return
    if tokens_in is None or tokens_out is None:
        raise click.UsageError("a call is settled by --tokens-in and --tokens-out")
    if call not in found:
        raise NotInSuspense(f"call {call} is not in suspense: ./dev ai reconcile lists those that are")
    settle(found[call], tokens_in, tokens_out, settings)
    click.echo(f"{call} is settled by {tokens_in:,} and {tokens_out:,} tokens")
