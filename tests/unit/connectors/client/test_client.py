"""A client of the gateway: typed calls that are carried out once, sessions that go on, streams that lose nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest
from aiohttp import web
from gateway.serving import Served, served

from tradewind import AsyncClient, Client
from tradewind.connectors.client import GatewayAway, Refused, StreamEvent
from tradewind.connectors.client import stream as streaming
from tradewind.connectors.gateway.cursors import Cursor
from tradewind.connectors.gateway.stream.feed import Line, Stood
from tradewind.connectors.gateway.views.reads import Page, Reads
from tradewind.schemas.execution import SubmitOrder

TICK = b'{"symbol":"EURUSD","venue":"OANDA","bid":"1.1","ask":"1.1002","ts_event":"2026-01-02T12:00:00.000000Z"}'
ROW = {
    "order_id": "o1",
    "tenant_id": "alpha",
    "account_id": "main",
    "symbol": "EURUSD",
    "venue": "OANDA",
    "deployment": "@manual",
    "status": "FILLED",
    "side": "BUY",
    "quantity": "1000",
    "order_type": "MARKET",
    "limit_price": None,
    "filled_quantity": "1000",
    "codes": [],
    "reason": "",
    "ts_event": "2026-01-02T12:00:00.000000Z",
    "ts_status": "2026-01-02T12:00:01.000000Z",
    "added_later": 1,
}
BUY: dict[str, Any] = {"account": "main", "symbol": "EURUSD", "side": "BUY", "quantity": 1000, "wait_s": 0}
WAIT_S = 20.0


class Pages:
    """Reads that have 1,200 orders."""

    async def orders(
        self, tenant_id: str | None, account: str | None, order_id: str | None, after: Cursor, most: int, **but: Any
    ) -> Page:
        """Return a page of them; all have ended."""
        if but.get("but"):
            return Page([], None)
        begin = 0 if after.last is None else int(after.last[1])
        rows = [{**ROW, "order_id": order_id or f"o{number}"} for number in range(begin, min(1_200, begin + most))]
        end = begin + len(rows)
        return Page(rows, (datetime(2026, 1, 2, tzinfo=UTC), str(end)) if end < 1_200 else None)

    async def fills(
        self, tenant_id: str | None, account: str | None, order_id: str | None, after: Cursor, most: int
    ) -> Page:
        """Return no fill."""
        return Page([], None)

    async def close(self) -> None:
        """Do nothing."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    """Serve a gateway on which EURUSD is quoted and ada has a password."""
    with served() as found:
        found.gateway.reads = cast("Reads", Pages())
        found.put(("ticks", "EURUSD.OANDA"), TICK)
        found.logins.passwords["ada"] = "a long password"
        yield found


def trader(gateway: Served, **how: Any) -> AsyncClient:
    """Return a client with a token of a trader, for a key."""
    return AsyncClient(gateway.url, key=gateway.token("trader", "alpha"), **how)


async def test_an_order_is_submitted_once_for_a_key(gateway: Served) -> None:
    """And the answer is typed."""
    async with trader(gateway) as client:
        first = await client.submit(**BUY, key="once")
        assert first == await client.submit(**BUY, key="once")
        assert (first.status, first.order) == ("REQUESTED", None)
        other = await client.submit(**BUY)
    submitted = [event.order_id for event in gateway.stores.of(SubmitOrder)]
    assert submitted == [first.order_id, other.order_id]


async def test_what_is_wrong_is_said_with_its_place_and_its_remedy(gateway: Served) -> None:
    """As the problem has it."""
    async with trader(gateway) as client:
        with pytest.raises(Refused, match=r"OFF_STEP \(#/quantity\): 1001 is no multiple of the lot") as refused:
            await client.submit(**{**BUY, "quantity": 1001})
        assert (refused.value.status, refused.value.code, refused.value.pointer) == (422, "OFF_STEP", "#/quantity")
        assert refused.value.remedy.startswith("order 1000")


async def test_lists_go_on_over_pages(gateway: Served) -> None:
    """Up to the limit; fields that a later gateway adds are left out."""
    async with trader(gateway) as client:
        assert len(await client.orders(limit=1_100)) == 1_100
        orders = await client.orders(limit=5_000)
        assert [order.order_id for order in orders] == [f"o{number}" for number in range(1_200)]
        assert (orders[0].quantity, orders[0].limit_price, orders[0].codes) == (Decimal(1000), None, ())
        assert await client.orders(only_open=True) == []
        tick = await client.tick("EURUSD")
        assert tick is not None
        assert tick["bid"] == "1.1"


async def test_a_session_begins_by_name_and_goes_on_by_its_cookie(gateway: Served) -> None:
    """When it is ended, another one begins; with a wrong password, none does."""
    async with AsyncClient(gateway.url, name="ada", password="a long password") as client:
        await client.tick("EURUSD")
        access = client._session._access
        assert access is not None
        access.until_s = 0
        await client.tick("EURUSD")
        renewed = client._session._access
        assert renewed is not None
        assert renewed.until_s > 0
        session = gateway.gateway.tokens.verify(renewed.token).session_id
        assert session == gateway.gateway.tokens.verify(access.token).session_id
        gateway.run(lambda: gateway.gateway.tokens.end(session))
        await client.tick("EURUSD")
        begun = client._session._access
        assert begun is not None
        assert gateway.gateway.tokens.verify(begun.token).session_id != session
    async with AsyncClient(gateway.url, name="ada", password="another password") as client:
        with pytest.raises(Refused, match="WRONG_LOGIN"):
            await client.tick("EURUSD")


@asynccontextmanager
async def faulty(*answers: web.Response | None) -> AsyncIterator[tuple[str, list[str | None]]]:
    """Serve answers, one after the other; None cuts the connection. Give the address, and the keys of the calls."""
    left, keys = list(answers), list[str | None]()

    async def handle(request: web.Request) -> web.Response:
        keys.append(request.headers.get("Idempotency-Key"))
        answer = left.pop(0) if left else web.json_response({"order_id": "o", "status": "REQUESTED"})
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", keys
    finally:
        await runner.cleanup()


async def test_a_call_is_tried_again_with_the_same_key() -> None:
    """While the connection breaks, or the gateway says that it cannot yet."""
    away = web.json_response({"code": "STORE_AWAY", "detail": "d"}, status=503)
    async with faulty(None, away) as (url, keys), AsyncClient(url, key="tw_x") as client:
        assert (await client.submit(**BUY)).order_id == "o"
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0] is not None


async def test_patience_ends_with_what_is_wrong() -> None:
    """No answer is `GatewayAway`; a gateway that cannot is the problem that it has told."""
    async with faulty(*[None] * 20) as (url, _), AsyncClient(url, key="tw_x", patience_s=0.3) as client:
        with pytest.raises(GatewayAway, match=r"orders/create: no answer for 0 s"):
            await client.submit(**BUY)
    busy = web.json_response({"code": "BUSY", "detail": "d"}, status=503, headers={"Retry-After": "9"})
    async with faulty(busy) as (url, _), AsyncClient(url, key="tw_x", patience_s=0.3) as client:
        with pytest.raises(Refused, match="BUSY"):
            await client.submit(**BUY)
    async with faulty(web.Response(text="<html>", status=404)) as (url, _), AsyncClient(url, key="tw_x") as client:
        with pytest.raises(Refused, match="no gateway answers at"):
            await client.positions()


@pytest.mark.parametrize(
    ("url", "login", "why"),
    [
        ("127.0.0.1:19090", {"key": "tw_x"}, "is no address of a gateway"),
        ("http://127.0.0.1:1", {}, "give either key"),
        ("http://127.0.0.1:1", {"key": "tw_x", "name": "ada", "password": "p"}, "give either key"),
        ("http://127.0.0.1:1", {"name": "ada"}, "give either key"),
    ],
)
def test_what_is_no_gateway_or_login_is_refused(url: str, login: dict[str, str], why: str) -> None:
    """Before anything is asked."""
    for kind in (AsyncClient, Client):
        with pytest.raises(ValueError, match=why):
            kind(url, **login)  # type: ignore[arg-type]


def line(offset: int) -> Line:
    """Return a fill."""
    return Line(0, offset, "alpha", "main", "EURUSD.OANDA", json.dumps({"fill": offset}).encode())


def fills(gateway: Served, *lines: Line, begin: bool = False) -> None:
    """Let fills come in."""
    feed = gateway.gateway.connections.events.feeds["fills"]
    if begin:
        gateway.run(lambda: feed.start({0: 0}, "topic-1"))
    gateway.run(lambda: feed.add(lines))


def cut(gateway: Served) -> None:
    """Break all connections."""
    gateway.run(
        lambda: [one._transport.disconnect(False) for one in gateway.gateway.connections.open if one._transport]
    )


async def test_a_stream_goes_on_where_it_was_when_its_connection_breaks(
    gateway: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fill comes once. Channels that keep the last of each symbol begin with it again."""
    monkeypatch.setattr(streaming, "FIRST_PAUSE_S", 0.01)
    fills(gateway, line(0), begin=True)
    gateway.standing["fills"] = Stood([{"id": "f"}], {0: 1})
    async with trader(gateway) as client:
        events = client.stream("fills", "ticks", symbols=["EURUSD.OANDA"])

        async def upcoming(count: int) -> list[StreamEvent]:
            async with asyncio.timeout(WAIT_S):
                return [await anext(events) for _ in range(count)]

        first = {event.channel: event for event in await upcoming(2)}
        assert (first["fills"].kind, first["fills"].data) == ("snapshot", [{"id": "f"}])
        assert (first["ticks"].data["bid"], first["ticks"].at) == ("1.1", None)
        fills(gateway, line(1))
        (second,) = await upcoming(1)
        assert (second.kind, second.symbol, second.data) == ("update", "EURUSD.OANDA", {"fill": 1})
        cut(gateway)
        fills(gateway, line(2))
        third = {event.channel: event for event in await upcoming(2)}
        assert (third["fills"].kind, third["fills"].data) == ("update", {"fill": 2})
        assert third["ticks"].kind == "snapshot"
        await events.aclose()  # type: ignore[attr-defined]
        fills(gateway, line(3))
        again = client.stream("fills", resume={"fills": third["fills"].at or ""})
        async with asyncio.timeout(WAIT_S):
            assert (await anext(again)).data == {"fill": 3}
        await again.aclose()  # type: ignore[attr-defined]


async def test_a_token_that_the_gateway_does_not_know_is_a_gap_and_a_snapshot(gateway: Served) -> None:
    """Nothing is passed over without a word."""
    fills(gateway, line(0), begin=True)
    gateway.standing["fills"] = Stood([], {0: 1})
    async with trader(gateway) as client, asyncio.timeout(WAIT_S):
        events = client.stream("fills", resume={"fills": "x"})
        assert [(await anext(events)).kind for _ in range(2)] == ["gap", "snapshot"]
        await events.aclose()  # type: ignore[attr-defined]


async def test_a_stream_that_is_asked_for_wrongly_is_refused(gateway: Served) -> None:
    """It is not asked for again and again."""
    async with trader(gateway) as client, asyncio.timeout(WAIT_S):
        with pytest.raises(Refused, match="is it orders"):
            await anext(client.stream("order"))
        with pytest.raises(ValueError, match="name the channels"):
            await anext(client.stream())
    async with AsyncClient(gateway.url, key="tw_nobody") as client, asyncio.timeout(WAIT_S):
        with pytest.raises(Refused, match="4401"):
            await anext(client.stream("orders"))


def test_a_program_without_a_loop_has_the_same_client(gateway: Served) -> None:
    """From any thread."""
    fills(gateway, line(0), begin=True)
    gateway.standing["fills"] = Stood([], {0: 0})
    with Client(gateway.url, key=gateway.token("trader", "alpha")) as client:
        assert client.order("o7").order_id == "o7"
        with pytest.raises(Refused, match="UNKNOWN_SYMBOL"):
            client.submit(**{**BUY, "symbol": "EURUSE"})
        events = client.stream("fills")
        found: list[StreamEvent] = []
        thread = threading.Thread(target=lambda: found.extend([next(events), next(events)]))
        thread.start()
        thread.join(WAIT_S)
        assert [(event.kind, event.data) for event in found] == [("snapshot", []), ("update", {"fill": 0})]
        events.close()  # type: ignore[attr-defined]
