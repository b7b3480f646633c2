"""Hot reads: the last tick and bars, answered before any framework, with bytes that were made as the record came in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind.connectors.gateway.auth.bearer import bearer
from tradewind.connectors.gateway.auth.roles import ENROLLING, Role, Who, second_factor_wanted
from tradewind.connectors.gateway.guard import answer
from tradewind.connectors.gateway.limits import Limits
from tradewind.connectors.gateway.problems import Problem, meant
from tradewind.connectors.gateway.routes import PREFIX
from tradewind.connectors.gateway.stream.hub import Hub

PATH: Final = re.compile(PREFIX + r"/markets/([^/]+)/(tick|bars)")
ROUTES: Final = {what: f"markets/{{symbol}}/{what}" for what in ("tick", "bars")}
"""How usage names them."""
LONGEST: Final = 64
"""Characters of a symbol that are looked at."""
JSON: Final = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Views:
    """What the lane answers with."""

    hub: Hub
    verify: Callable[[str], Who]
    limits: Limits
    called: Callable[[str, str], None]
    """Counts a tenant's call of a route."""


class HotLane:
    """ASGI middleware that answers for `markets/{symbol}/tick` and `.../bars`."""

    def __init__(self, app: ASGIApp, roles: frozenset[Role], views: Callable[[], Views]) -> None:
        """Take `views`, which is called for each request."""
        self._app, self._roles, self._views = app, roles, views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        wanted = PATH.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if wanted is None:
            await self._app(scope, receive, send)
            return
        views = self._views()
        try:
            who = self._who(views, scope)
            left = await views.limits.take(who, "market")
            body = _body(views, who, wanted[1][:LONGEST], wanted[2])
        except Problem as problem:
            await answer(problem, send)
            return
        headers = [JSON, (b"content-length", str(len(body)).encode()), *left.raw_headers()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _who(self, views: Views, scope: Scope) -> Who:
        who = views.verify(_token(scope))
        if who.role == ENROLLING:
            raise second_factor_wanted()
        if who.role not in self._roles:
            raise Problem(403, "FORBIDDEN", f"the role {who.role} may not read this", "ask an owner of your tenant")
        return who


def _body(views: Views, who: Who, symbol: str, what: str) -> bytes:
    hub = views.hub
    instrument = instrument_named(hub, symbol)
    if who.tenant_id is not None:
        views.called(who.tenant_id, ROUTES[what])
    if what == "tick":
        return hub.data(("ticks", instrument)) or b"null"
    cells = (name for name in hub.symbols("bars") if name.rpartition(":")[0] == instrument)
    return b"[" + b",".join(data for name in cells if (data := hub.data(("bars", name)))) + b"]"


def _token(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    return bearer(given.decode("latin-1"))


def instrument_named(hub: Hub, symbol: str) -> str:
    """Return the instrument of `SYMBOL.VENUE`, or of a symbol that one venue alone has; raises `Problem` (404, 409)."""
    known = hub.symbols("ticks")
    if symbol in known:
        return symbol
    found = [name for name in known if name.rpartition(".")[0] == symbol]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(
            409,
            "SEVERAL_VENUES",
            f"{symbol} is quoted by several venues",
            f"name one: {', '.join(found)}",
            pointer="path",
        )
    names = [*known, *(name.rpartition(".")[0] for name in known)]
    remedy = meant(symbol, names, "GET /api/v1/markets/live-data lists what has been quoted")
    raise Problem(
        404, "UNKNOWN_SYMBOL", f"no quote of {symbol} has come since the gateway started", remedy, pointer="path"
    )
