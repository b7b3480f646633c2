"""A client for programs without an event loop: the same calls, each waits for its answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from tradewind.connectors.client.asynchronous import PAGE, PATIENCE_S, STREAM_PATIENCE_S, AsyncClient
from tradewind.connectors.client.models import Filled, Holding, Order, Submitted
from tradewind.connectors.client.stream import StreamEvent

T = TypeVar("T")


class Client:
    """A gateway, as one user sees it: `AsyncClient` on a loop in a thread of its own. A context manager.

    Its methods may be called from any thread, and do and raise what those of `AsyncClient` do.
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
        """Take what `AsyncClient` takes."""
        self._client = AsyncClient(url, key=key, name=name, password=password, code=code, patience_s=patience_s)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tradewind client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Connect with the first call."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the session, the connections and the thread."""
        if self._thread.is_alive():
            self._wait(self._client.close())
            self._stop()

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of any route that is read."""
        return self._wait(self._client.get(path, **query))

    def command(self, path: str, body: Mapping[str, Any], *, key: str | None = None, wait_s: int = 0) -> Any:
        """Return the answer of any command."""
        return self._wait(self._client.command(path, body, key=key, wait_s=wait_s))

    def orders(self, *, account: str | None = None, only_open: bool = False, limit: int = PAGE) -> list[Order]:
        """Return orders, newest first; with `only_open`, those of the newest 5,000 that have not ended."""
        return self._wait(self._client.orders(account=account, only_open=only_open, limit=limit))

    def order(self, order_id: str) -> Order:
        """Return one order."""
        return self._wait(self._client.order(order_id))

    def fills(self, *, account: str | None = None, limit: int = PAGE) -> list[Filled]:
        """Return fills, newest first."""
        return self._wait(self._client.fills(account=account, limit=limit))

    def positions(self, *, account: str | None = None) -> list[Holding]:
        """Return what accounts hold."""
        return self._wait(self._client.positions(account=account))

    def tick(self, symbol: str) -> Mapping[str, Any] | None:
        """Return the last tick of an instrument."""
        return self._wait(self._client.tick(symbol))

    def bars(self, symbol: str) -> list[Mapping[str, Any]]:
        """Return the last bar of each interval of an instrument."""
        return self._wait(self._client.bars(symbol))

    def submit(
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
        """Submit an order."""
        return self._wait(
            self._client.submit(
                account=account,
                symbol=symbol,
                side=side,
                quantity=quantity,
                limit_price=limit_price,
                time_to_live_s=time_to_live_s,
                tenant=tenant,
                key=key,
                wait_s=wait_s,
            )
        )

    def cancel(self, order_id: str, *, reason: str = "by hand", key: str | None = None, wait_s: int = 5) -> Submitted:
        """Cancel an open order."""
        return self._wait(self._client.cancel(order_id, reason=reason, key=key, wait_s=wait_s))

    def stream(
        self,
        *channels: str,
        symbols: Sequence[str] = (),
        account: str | None = None,
        resume: Mapping[str, str] | None = None,
        patience_s: float = STREAM_PATIENCE_S,
    ) -> Iterator[StreamEvent]:
        """Follow channels for ever."""
        events = self._client.stream(*channels, symbols=symbols, account=account, resume=resume, patience_s=patience_s)
        try:
            while True:
                yield self._wait(_next(events))
        finally:
            self._wait(events.aclose())  # type: ignore[attr-defined] # of every asynchronous generator

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C: the call goes no further
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(events: AsyncIterator[StreamEvent]) -> StreamEvent:
    return await anext(events)
