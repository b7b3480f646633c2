"""The table of routes, OpenAPI and docs/gateway.md say the same, and nothing is open that has no line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import plain_http
import pytest
from gateway.serving import Served

from tradewind.connectors.gateway.answers.sessions import COOKIE_PATH
from tradewind.connectors.gateway.app import RouteIncomplete, make_app
from tradewind.connectors.gateway.auth.roles import ENROLLING, EVERYONE, ROLES
from tradewind.connectors.gateway.auth.store import User
from tradewind.connectors.gateway.routes import PREFIX, ROUTES, Route
from tradewind.connectors.gateway.views.system import Ports

ROOT = Path(__file__).resolve().parents[4]
LINE = re.compile(r"^\| `([A-Z]+) ([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
HTTP = [route for route in ROUTES if route.method != "WS"]


def roles_of(route: Route) -> str:
    """Return how the document names the roles of a route."""
    if route.roles is None:
        return "everybody"
    return "all roles" if route.roles - {ENROLLING} == EVERYONE else ", ".join(sorted(route.roles))


def test_the_document_lists_every_route_with_its_roles_and_its_domain() -> None:
    """A route is there, or the document says which domain will bring it."""
    text = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    found = {(method, path): (roles, what) for method, path, roles, what in LINE.findall(text)}
    assert found == {
        (route.method, route.path): (
            roles_of(route),
            f"not built: {route.domain}" if route.domain else route.summary.removesuffix("."),
        )
        for route in ROUTES
    }


def test_openapi_describes_every_route(gateway: Served) -> None:
    """Version 3.1, with our own form of errors and no other."""
    found = plain_http.get(f"{gateway.url}{PREFIX}/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    assert described == {(route.method, f"{PREFIX}/{route.path}") for route in HTTP}
    assert "422" not in str(found["paths"])
    assert "Problem" in found["components"]["schemas"]


def test_no_route_comes_twice() -> None:
    """The second would never answer."""
    lines = [(route.method, route.path) for route in ROUTES]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("route", HTTP, ids=lambda route: route.name)
def test_every_route_asks_for_a_token_and_keeps_to_its_roles(gateway: Served, route: Route) -> None:
    """But for those that begin a session."""
    url = f"{gateway.url}{PREFIX}/{route.path}"
    bare = plain_http.request(route.method, url, json={})
    if route.roles is None:
        assert bare.status_code in {401, 422}
        return
    assert (bare.status_code, bare.json()["code"]) == (401, "NO_TOKEN")
    for role in (*ROLES, ENROLLING):
        answer = plain_http.request(route.method, url, headers=gateway.bearer(role), json={})
        if role in route.roles:
            assert answer.status_code in ({501} if route.domain else {200, 404, 422, 503})
        else:
            code = "SECOND_FACTOR_WANTED" if role == ENROLLING else "FORBIDDEN"
            assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize(
    "line",
    [
        Route("GET", "streams/flow", frozenset(), "nobody's"),
        Route("GET", "no/answer", EVERYONE, "without an answer"),
    ],
    ids=["without roles", "without an answer"],
)
def test_a_line_that_is_not_whole_stops_the_start(line: Route) -> None:
    """It would be open to all, or fail when it is asked."""
    with pytest.raises(RouteIncomplete, match=line.path):
        make_app(lambda: pytest.fail("not started"), (), (line,))


def test_errors_say_what_where_and_what_to_do(gateway: Served) -> None:
    """A wrong path has a near one, a wrong method the right one, a wrong body its place."""
    near = plain_http.get(f"{gateway.url}{PREFIX}/health/sytem").json()
    assert near["remedy"] == f"did you mean {PREFIX}/health/system?"
    wrong = plain_http.get(f"{gateway.url}{PREFIX}/auth/login")
    assert (wrong.status_code, wrong.headers["allow"], wrong.json()["code"]) == (405, "POST", "WRONG_METHOD")
    url = f"{gateway.url}{PREFIX}/auth/login"
    for body, pointer in (({}, "#/link"), ({"link": "x"}, "#/link"), ({"link": "x" * 30, "lnk": 1}, "#/lnk")):
        found = plain_http.post(url, json=body)
        assert (found.status_code, found.json()["pointer"]) == (422, pointer)
    broken = plain_http.post(url, content=b"{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["pointer"]) == (422, "#")


def test_a_bug_is_a_problem_with_a_reference_and_no_secret(gateway: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the traceback under the same reference."""
    gateway.gateway.system.last = 1  # type: ignore[assignment] # has no `to_json`
    try:
        answer = plain_http.get(f"{gateway.url}{PREFIX}/health/system", headers=gateway.bearer())
    finally:
        gateway.gateway.system.last = None
    assert (answer.status_code, answer.json()["code"]) == (500, "BUG")
    assert "AttributeError" not in answer.text
    reference = answer.json()["remedy"].split()[5]
    assert any(reference in record.message for record in caplog.records)


def test_a_link_signs_in_once_and_a_cookie_goes_on(gateway: Served) -> None:
    """The cookie is out of reach of scripts and of other sites; signing out ends the session's tokens."""
    gateway.users.links["l" * 30] = User("u1", "ada", "viewer", "alpha")
    with plain_http.Client(base_url=gateway.url) as client:
        found = client.post(f"{PREFIX}/auth/login", json={"link": "l" * 30})
        cookie = found.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", f"Path={COOKIE_PATH}"))
        assert (found.json()["user"], found.json()["role"], found.json()["tenant"]) == ("ada", "viewer", "alpha")
        assert client.post(f"{PREFIX}/auth/login", json={"link": "l" * 30}).json()["code"] == "LINK_INVALID"
        for _ in range(2):
            token = client.post(f"{PREFIX}/auth/refresh").json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get(f"{PREFIX}/streams/flow", headers=headers).status_code == 200
        assert client.post(f"{PREFIX}/auth/logout").json() == {"signed_out": True}
        assert client.get(f"{PREFIX}/streams/flow", headers=headers).json()["code"] == "SESSION_ENDED"
        assert client.post(f"{PREFIX}/auth/refresh").json()["code"] == "SIGNED_OUT"


def test_a_page_of_another_origin_cannot_use_the_cookie(gateway: Served) -> None:
    """Browsers name the origin of a request that a script makes."""
    found = plain_http.post(f"{gateway.url}{PREFIX}/auth/refresh", headers={"Origin": "http://evil.example"})
    assert (found.status_code, found.json()["code"]) == (403, "FOREIGN_ORIGIN")


def test_logs_are_read_by_their_names(gateway: Served) -> None:
    """A wrong name has a near one, no name lists them, and a log that cannot be read is no bug."""

    def log(name: str, lines: int) -> dict[str, object]:
        if name == "usage":
            raise PermissionError(13, "Permission denied")
        return {"lines": [name] * lines, "bytes": 9, "whole": False}

    quiet = gateway.gateway.declared
    gateway.gateway.declared = replace(quiet, ports=Ports(tuple, tuple, lambda: ["market", "usage"], log))
    url, headers = f"{gateway.url}{PREFIX}/system/logs", gateway.bearer()
    try:
        assert plain_http.get(url, headers=headers).json()["names"] == ["market", "usage"]
        found = plain_http.get(url, headers=headers, params={"name": "market", "lines": 2}).json()
        assert (found["lines"], found["bytes"]) == (["market", "market"], 9)
        wrong = plain_http.get(url, headers=headers, params={"name": "markte"})
        assert (wrong.status_code, wrong.json()["remedy"]) == (404, "did you mean market?")
        assert plain_http.get(url, headers=headers, params={"name": "../../etc/passwd"}).status_code == 404
        assert plain_http.get(url, headers=headers, params={"name": "usage"}).json()["code"] == "LOG_UNREADABLE"
        assert plain_http.get(url, headers=headers, params={"name": "market", "lines": 0}).status_code == 422
    finally:
        gateway.gateway.declared = quiet
