"""The ASGI application: the routes of the table, their roles, and errors as problems."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from tradewind import __version__
from tradewind.connectors.gateway.answers import (
    ai,
    alerts,
    books,
    commands,
    jobs,
    letters,
    markets,
    people,
    sessions,
    streams,
    system,
)
from tradewind.connectors.gateway.answers.basics import gateway_of
from tradewind.connectors.gateway.auth.bearer import bearer
from tradewind.connectors.gateway.auth.roles import ENROLLING, Who, second_factor_wanted
from tradewind.connectors.gateway.commands.asked import caller_of
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.guard import Guard, too_large
from tradewind.connectors.gateway.lane import HotLane, Views
from tradewind.connectors.gateway.pages import Pages
from tradewind.connectors.gateway.problems import MEDIA_TYPE, Problem
from tradewind.connectors.gateway.routes import HOT, PREFIX, ROUTES, Route

PROBLEM: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": "A problem (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in ("4XX", "5XX")
}
SCHEMA: Final = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "remedy"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for programs"},
        "detail": {"type": "string", "description": "what is wrong"},
        "remedy": {"type": "string", "description": "what to do"},
        "pointer": {"type": "string", "description": "where: a JSON pointer, a parameter or a header"},
    },
}
ANSWERS: Final = (ai, alerts, books, commands, jobs, letters, markets, people, sessions, streams, system)
"""Modules with the functions that answer."""
log = logging.getLogger(__name__)


class RouteIncomplete(RuntimeError):
    """A line of the table has no roles, or neither an answer nor a domain that will bring one."""


def make_app(make_gateway: Callable[[], Gateway], hosts: Iterable[str], routes: Sequence[Route] = ROUTES) -> ASGIApp:
    """Return the application. `make_gateway` is called on the event loop as the server starts.

    Raises `RouteIncomplete`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway = app.state.gateway = make_gateway()
        gateway.start()
        try:
            yield
        finally:
            await gateway.close()

    app = FastAPI(
        title="Tradewind",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    for route in routes:
        if route.method != "WS":
            _add(app, route)
    _describe(app)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _bug)
    return Guard(HotLane(Pages(app), HOT.roles or frozenset(), lambda: _hot(app)), hosts)


def _hot(app: FastAPI) -> Views:
    gateway: Gateway = app.state.gateway
    return Views(gateway.hub, gateway.tokens.verify, gateway.limits, gateway.usage.called)


def _add(app: FastAPI, route: Route) -> None:
    answer = _not_built(route) if route.domain else _answer_of(route)
    if answer is None or (route.roles is not None and not route.roles):
        raise RouteIncomplete(f"{route.method} {route.path}: give it roles, and an answer or a domain")
    app.add_api_route(
        f"{PREFIX}/{route.path}",
        answer,
        methods=[route.method],
        dependencies=[] if route.roles is None else [Depends(_only(route))],
        summary=route.summary,
        name=route.name,
        operation_id=route.name,
        responses=PROBLEM,
        tags=[route.path.partition("/")[0]],
    )


def _answer_of(route: Route) -> Callable[..., Awaitable[Any]] | None:
    return next((found for module in ANSWERS if (found := getattr(module, route.name, None)) is not None), None)


def _describe(app: FastAPI) -> None:
    """Put the form of problems into OpenAPI, in place of FastAPI's own form of errors."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = made()
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            for of_fastapi in ("HTTPValidationError", "ValidationError"):
                schemas.pop(of_fastapi, None)
            schemas["Problem"] = SCHEMA
            for path in found["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign] # as FastAPI's documentation does


def _only(route: Route) -> Callable[[Request, Response], Awaitable[Who]]:
    """Return the check of a route's roles and rate limits."""
    roles = route.roles or frozenset()

    async def allowed(request: Request, response: Response) -> Who:
        token = bearer(request.headers.get("authorization", ""))
        gateway = gateway_of(request)
        who = request.state.who = gateway.tokens.verify(token)
        request.state.action = route.action if route.command else None
        response.headers.update((await gateway.limits.take(who, route.kind)).headers())
        if who.role == ENROLLING and who.role not in roles:
            raise second_factor_wanted()
        if who.role not in roles:
            raise Problem(
                403,
                "FORBIDDEN",
                f"the role {who.role} may not do this; it takes {' or '.join(sorted(roles))}",
                "ask an owner of your tenant",
            )
        if who.tenant_id is not None and not route.domain:
            gateway.usage.called(who.tenant_id, route.path)
        return who

    return allowed


def _not_built(route: Route) -> Callable[[], Awaitable[None]]:
    async def answer() -> None:
        raise Problem(
            501,
            "NOT_BUILT",
            f"{route.method} {PREFIX}/{route.path} is not built yet: the domain {route.domain} will bring it",
            "docs/gateway.md lists the routes that are there",
        )

    return answer


def _answered(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers, MEDIA_TYPE)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answered(await _audited(request, error))


async def _audited(request: Request, problem: Problem) -> Problem:
    """Write the audit event of a command that is refused, and return what it is answered with."""
    action = getattr(request.state, "action", None)
    if action is None or not 400 <= problem.status < 500 or problem.status == 429:  # a flood must not fill the audit
        return problem
    try:
        await gateway_of(request).commands.refused(caller_of(request, action), problem)
    except Problem as unwritten:
        return unwritten
    return problem


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        close = get_close_matches(path, [f"{PREFIX}/{route.path}" for route in ROUTES], n=1)
        return _answered(
            Problem(404, "NO_SUCH_ROUTE", f"there is nothing at {path[:200]}", _hint(close), pointer="path")
        )
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"{request.method} is not for {path[:200]}"
        return _answered(Problem(405, "WRONG_METHOD", detail, f"use {allowed}", headers={"Allow": allowed}))
    if error.status_code == 413:
        return _answered(too_large())
    return _answered(Problem(error.status_code, "NOT_READABLE", str(error.detail), "see docs/gateway.md"))


def _hint(close: list[str]) -> str:
    return f"did you mean {close[0]}?" if close else "docs/gateway.md lists the routes"


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first, place = _closest(error.errors(), error.body)
    where = "#/" + "/".join(place[1:]) if place[:1] == ["body"] else ": ".join(place)
    if first["type"] == "json_invalid":
        where = "#"
    said = "there is no such field" if first["type"] == "extra_forbidden" else first["msg"]
    problem = Problem(
        422, "INVALID", f"{where}: {said}", "correct it; the schema is at /api/v1/openapi.json", pointer=where
    )
    return _answered(await _audited(request, problem))


def _closest(errors: Sequence[Mapping[str, Any]], body: Any) -> tuple[Mapping[str, Any], list[str]]:
    """Return an error and its place in the request.

    Where a value may be of several types, each has an error, and a place that names the type. The error of the type
    that the value has says most: it lies deepest, or is about something else than the type.
    """
    found = [(error, _place(error, body)) for error in errors]
    first = found[0][1]
    of_value = [one for one in found if one[1][: len(first)] == first]
    return max(of_value, key=lambda one: (len(one[1]), not str(one[0]["type"]).endswith("_type")))


def _place(error: Mapping[str, Any], body: Any) -> list[str]:
    """Return the path of an error without the names of types."""
    if error["loc"][:1] != ("body",):
        return [str(part) for part in error["loc"]]
    place, value = ["body"], body
    for at, part in enumerate(error["loc"][1:], 2):
        is_missing = error["type"] == "missing" and at == len(error["loc"])
        if isinstance(value, Mapping) and (part in value or is_missing):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        place.append(str(part))
    return place


async def _bug(request: Request, error: Exception) -> Response:
    reference = secrets.token_hex(4)
    log.error("bug %s in %s %s", reference, request.method, request.url.path, exc_info=error)
    return _answered(
        Problem(
            500, "BUG", "the gateway failed because of a bug", f"report it with the reference {reference} of its log"
        )
    )
