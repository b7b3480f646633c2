"""`tradewind ai reconcile`: list calls whose cost nobody knows, and settle one by the provider's bill."""

from __future__ import annotations

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.cli.plain_errors import plain_errors
from tradewind.processors.money import shown

MOST_TOKENS = 1_000_000_000  # no call has so many: a number with digits too many is a slip, and what is paid stays paid
TOKENS = click.IntRange(min=0, max=MOST_TOKENS)


@click.command()
@click.argument("call", required=False)
@click.option("--tokens-in", type=TOKENS, help="Tokens of the prompt on the provider's bill.")
@click.option("--tokens-out", type=TOKENS, help="Tokens of the answer on the provider's bill.")
@click.option("--cache-read", type=TOKENS, default=0, help="Tokens of the prompt that it has as read from a cache.")
@click.option("--cache-write", type=TOKENS, default=0, help="Tokens of the prompt that it has as written to a cache.")
@click.option("--json", "as_json", is_flag=True, help="List the calls as one JSON object.")
@plain_errors
def reconcile(
    call: str | None, *, tokens_in: int | None, tokens_out: int | None, cache_read: int, cache_write: int, as_json: bool
) -> None:
    """Settle CALL, which is in suspense, by the tokens on the provider's bill. Without CALL, list such calls.

    If the provider has not billed the call, both numbers are 0. Tokens of a cache have prices of their own, and are not
    counted as --tokens-in once more.
    """
    from tradewind.connectors.ai.answer import Tokens  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.ai.reconciling import NotInSuspense, settle, suspended  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    if call is None and (tokens_in, tokens_out, cache_read, cache_write) != (None, None, 0, 0):
        raise click.UsageError("name the CALL that these tokens are of; ./dev ai reconcile lists those in suspense")
    if call is not None and (tokens_in is None or tokens_out is None):
        raise click.UsageError("a call is settled by --tokens-in and --tokens-out, which are 0 if it was not billed")
    settings = Settings()
    found = suspended(settings, open_codec(settings))
    if call is None:
        rows = [("call", "tenant", "provider", "model", "reserved")]
        rows += [
            (one.call_id, one.tenant_id, one.provider, one.model, f"{shown(one.reserved)} {one.currency}")
            for one in found.values()
        ]
        if as_json:
            say_json({"calls": [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]}, indent=2)
        else:
            click.echo(aligned(rows) if found else "no call is in suspense")
        return
    if call not in found:
        raise NotInSuspense(
            f"call {call} is not in suspense: it is settled, still open, or no call at all. Nothing was changed; "
            "./dev ai reconcile lists the calls in suspense"
        )
    assert tokens_in is not None
    assert tokens_out is not None
    settle(found[call], Tokens(tokens_in, cache_read, cache_write, tokens_out), settings)
    cached = f" of a cache {cache_read:,} read and {cache_write:,} written," if cache_read or cache_write else ""
    click.echo(f"{call} is settled by {tokens_in:,} tokens in,{cached} {tokens_out:,} out")
