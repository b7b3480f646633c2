"""`tradewind orders`: what deployments and people wanted, and what became of it; orders by hand."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import click

from tradewind.infra.cli.books.listing import listing, said
from tradewind.infra.cli.output import say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.client import Client, Submitted

KEY: Final = "TRADEWIND_KEY"
"""The variable with a machine's key. Without it, whoever can read the data folder is an operator."""
PATIENCE_S: Final = 30.0
"""How long a command is tried while the gateway does not answer, or says that it cannot yet."""
ENDED: Final = frozenset({"DENIED", "REJECTED"})
WHERE = click.option("--url", help="The gateway's address.  [default: the one of this data folder]")
REPEAT = click.option(
    "--key", help="A name for this command, such as a UUID: given again, it does nothing twice.  [default: a new one]"
)
WAIT = click.option(
    "--wait", type=click.IntRange(0, 10), default=5, show_default=True, help="Seconds to wait for what comes of it."
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class Amount(click.ParamType):
    """A decimal above zero."""

    name = "decimal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return it; fails for anything else."""
        try:
            found = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is no decimal number, such as 1000 or 1.0825", param, ctx)
        if not found.is_finite() or found <= 0:
            self.fail(f"{value} is not above zero", param, ctx)
        return found


@click.group(invoke_without_command=True)
@click.pass_context
@listing
def orders(context: click.Context, *, tenant: str | None, limit: int, as_json: bool) -> None:
    """List orders, newest first: what was wanted, what risk decided, and how each ended.

    `submit` and `cancel` give orders by hand.
    """
    if context.invoked_subcommand is None:
        said("orders", tenant, limit, as_json=as_json)


@orders.command()
@click.argument("symbol")
@click.argument("side", type=click.Choice(["BUY", "SELL"], case_sensitive=False))
@click.argument("quantity", type=Amount())
@click.option("--account", required=True, help="The account that trades.")
@click.option("--tenant", help="Whose account it is. A key of a tenant's user needs none.")
@click.option("--limit", "limit_price", type=Amount(), help="Price of a limit order.  [default: a market order]")
@click.option("--ttl", type=click.IntRange(1), help="Seconds of event time after which the order expires.")
@WAIT
@REPEAT
@WHERE
@AS_JSON
@plain_errors
def submit(
    symbol: str,
    side: str,
    quantity: Decimal,
    *,
    account: str,
    tenant: str | None,
    limit_price: Decimal | None,
    ttl: int | None,
    wait: int,
    key: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Submit an order: SYMBOL such as EURUSD or EURUSD.OANDA, BUY or SELL, and QUANTITY in units.

    The gateway must run. The command exits with 1 if the order is refused or denied.
    """

    def given(client: Client, under: str) -> Submitted:
        return client.submit(
            account=account,
            symbol=symbol,
            side="BUY" if side.upper() == "BUY" else "SELL",
            quantity=quantity,
            limit_price=limit_price,
            time_to_live_s=ttl,
            tenant=tenant,
            key=under,
            wait_s=wait,
        )

    _told(_given(url, key, given), as_json=as_json)


@orders.command()
@click.argument("order_id")
@click.option("--reason", default="by hand", show_default=True, help="The reason, which the cancel carries.")
@WAIT
@REPEAT
@WHERE
@AS_JSON
@plain_errors
def cancel(order_id: str, *, reason: str, wait: int, key: str | None, url: str | None, as_json: bool) -> None:
    """Cancel an open order. `./dev orders` lists the ids."""

    def given(client: Client, under: str) -> Submitted:
        return client.cancel(order_id, reason=reason, key=under, wait_s=wait)

    _told(_given(url, key, given), as_json=as_json)


def _given(url: str | None, key: str | None, give: Callable[[Client, str], Submitted]) -> Submitted:
    """Give a command under a key, as the owner of `TRADEWIND_KEY` or as an operator at this machine's terminal."""
    from tradewind.connectors.client import Client, GatewayAway, Refused  # noqa: PLC0415 - help comes at once

    under = key or uuid.uuid4().hex
    address, who = _address(url)
    with Client(address, key=who, patience_s=PATIENCE_S) as client:
        try:
            return give(client, under)
        except Refused as refused:
            if refused.status >= 500:
                raise click.ClickException(f"{refused}. {_again(under)}") from refused
            raise click.ClickException(str(refused)) from refused
        except GatewayAway as away:
            raise click.ClickException(f"{away}. Does ./dev up run? {_again(under)}") from away


def _again(key: str) -> str:
    return f"Whether it was carried out is not known: give the same command again with --key {key}"


def _told(answer: Submitted, *, as_json: bool) -> None:
    if as_json:
        say_json(answer.model_dump(mode="json"))
    else:
        click.echo(f"order {answer.order_id} is {answer.status}")
        if answer.order is not None and (answer.order.codes or answer.order.reason):
            click.echo(f"{' '.join(answer.order.codes)} {answer.order.reason}".strip())
        if answer.waits_for is not None:
            click.echo(f"it waits for {answer.waits_for}")
    if answer.status in ENDED:
        raise SystemExit(1)


def _address(url: str | None) -> tuple[str, str]:
    """Return the gateway's address, and the key or token that says who asks."""
    from tradewind.connectors.gateway.auth.audits import TERMINAL  # noqa: PLC0415 - as above
    from tradewind.connectors.gateway.auth.tokens import KEY_FILE, Tokens, secret_of  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.infra.cli.processes.gateway import url_of  # noqa: PLC0415

    key = os.environ.get(KEY)
    if url is not None and key is None:
        raise click.UsageError(f"a gateway elsewhere wants a key: make one by ./dev users key, and set {KEY}")
    settings = Settings()
    if key is None:
        if not (settings.data / KEY_FILE).exists():
            raise click.ClickException(f"no gateway has run on {settings.data}: start one by ./dev up, or set {KEY}")
        tokens = Tokens(secret_of(settings.data), settings.physical("tradewind"), time.time)
        key = tokens.issue(TERMINAL.user_id, TERMINAL.role, None, uuid.uuid4().hex)
    return url or url_of(settings), key
