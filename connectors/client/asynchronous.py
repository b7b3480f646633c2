"""A client for programs with an event loop of their own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Literal, Self

from tradewind.connectors.client.models import Filled, Holding, Order, Submitted
from tradewind.connectors.client.session import Login, Session
from tradewind.connectors.client.stream import Stream, StreamEvent, wanted_of

PATIENCE_S: Final = 30.0
STREAM_PATIENCE_S: Final = 300.0
PAGE: Final = 500
"""Rows of one answer."""


class AsyncClient:
    """A gateway, as one user sees it. An asynchronous context manager.

    A call is tried again for `patience_s` seconds while the gateway does not answer, or says that it cannot yet. A
    command keeps its key meanwhile, so that it is carried out once. Every method raises `Refused` where the gateway
    says no, and `GatewayAway` where it does not answer.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        name: str | None = None,
        password: str | None = None,
        code: str | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Take the address, such as http://127.0.0.1:19090, and either a machine's key, or a name and a password.

        `code` is one of the second factor, where the user has one. Raises `ValueError` for what is no address or login.
        """
        self._session = Session(url, Login(key, name, password, code), patience_s)

    async def __aenter__(self) -> Self:
        """Connect with the first call."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """End the session and the connections."""
        await self._session.close()

    async def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of any route that is read, such as `streams/groups`."""
        return await self._session.call("GET", path, query=query)

    async def command(self, path: str, body: Mapping[str, Any], *, key: str | None = None, wait_s: int = 0) -> Any:
        """Return the answer of any command, such as `system/emergency-stop`.

        `key` is its Idempotency-Key: a new one unless it is given. The same key and body never act twice. `wait_s` is
        how long to wait for what comes of it, 10 s at the most.
        """
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        if wait_s > 0:
            headers["Prefer"] = f"wait={wait_s}"
        return await self._session.call("POST", path, body=body, headers=headers)

    async def orders(self, *, account: str | None = None, only_open: bool = False, limit: int = PAGE) -> list[Order]:
        """Return orders, newest first; with `only_open`, those of the newest 5,000 that have not ended."""
        query = {"account": account, "open": only_open}
        return [Order.model_validate(row) for row in await self._rows("orders/status", "orders", query, limit)]

    async def order(self, order_id: str) -> Order:
        """Return one order; raises `Refused` (404) where the tenant has none of that id."""
        return Order.model_validate((await self.get(f"orders/{order_id}"))["order"])

    async def fills(self, *, account: str | None = None, limit: int = PAGE) -> list[Filled]:
        """Return fills, newest first."""
        query = {"account": account}
        return [Filled.model_validate(row) for row in await self._rows("executions/history", "fills", query, limit)]

    async def positions(self, *, account: str | None = None) -> list[Holding]:
        """Return what accounts hold."""
        answer = await self.get("portfolio/positions", account=account)
        return [Holding.model_validate(row) for row in answer["positions"]]

    async def tick(self, symbol: str) -> Mapping[str, Any] | None:
        """Return the last tick of an instrument, such as EURUSD.OANDA; None while none has come."""
        found: Mapping[str, Any] | None = await self.get(f"markets/{symbol}/tick")
        return found

    async def bars(self, symbol: str) -> list[Mapping[str, Any]]:
        """Return the last bar of each interval of an instrument."""
        found: list[Mapping[str, Any]] = await self.get(f"markets/{symbol}/bars")
        return found

    async def submit(
        self,
        *,
        account: str,
        symbol: str,
        side: Literal["BUY", "SELL"],
        quantity: Decimal | int | str,
        limit_price: Decimal | str | None = None,
        time_to_live_s: int | None = None,
        tenant: str | None = None,
        key: str | None = None,
        wait_s: int = 5,
    ) -> Submitted:
        """Submit an order: a market order, or a limit order with a `limit_price`.

        `tenant` is for operators. `key` makes a repeat harmless: the same key and order are one order. After
        `GatewayAway`, submit again with the same key to learn what became of it.
        """
        body = {
            "tenant": tenant,
            "account": account,
            "symbol": symbol,
            "side": side,
            "quantity": str(quantity),
            "type": "MARKET" if limit_price is None else "LIMIT",
            "limit_price": None if limit_price is None else str(limit_price),
            "time_to_live_s": time_to_live_s,
        }
        given = {name: value for name, value in body.items() if value is not None}
        return Submitted.model_validate(await self.command("orders/create", given, key=key, wait_s=wait_s))

    async def cancel(
        self, order_id: str, *, reason: str = "by hand", key: str | None = None, wait_s: int = 5
    ) -> Submitted:
        """Cancel an open order; raises `Refused` (409) with its state where it has ended."""
        body = {"order_id": order_id, "reason": reason}
        return Submitted.model_validate(await self.command("executions/cancel", body, key=key, wait_s=wait_s))

    async def stream(
        self,
        *channels: str,
        symbols: Sequence[str] = (),
        account: str | None = None,
        resume: Mapping[str, str] | None = None,
        patience_s: float = STREAM_PATIENCE_S,
    ) -> AsyncIterator[StreamEvent]:
        """Follow channels for ever: ticks, bars, flow, signals, decisions, orders, fills, positions, alerts.

        A broken connection is made again, and goes on where it was. `resume` is a channel's last `at`, of an earlier
        stream: nothing in between is lost or given twice, unless an event of kind `gap` says so.
        """
        wanted = wanted_of(channels, symbols, account)
        async for event in Stream(self._session, wanted, resume or {}, patience_s).events():
            yield event

    async def _rows(self, path: str, name: str, query: Mapping[str, Any], limit: int) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        while len(found) < limit:
            page = await self.get(path, **query, cursor=cursor, limit=min(PAGE, limit - len(found)))
            found += page[name]
            cursor = page["next"]
            if cursor is None:
                break
        return found
