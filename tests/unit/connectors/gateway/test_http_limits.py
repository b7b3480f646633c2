"""Requests that no route should see are refused, each with a problem that says what to do."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import plain_http
import pytest
from gateway.serving import Served

from tradewind.connectors.gateway.guard import BODY_BYTES, CSP

HEAD = b"GET /api/v1/health/system HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def spoken(gateway: Served, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send pieces on a connection of their own, and return all that comes back until it is closed."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as sock:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause_s)
        found = b""
        while part := sock.recv(65_536):
            found += part
        return found


def problem_of(answer: bytes) -> dict[str, Any]:
    """Return the problem in a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return dict(json.loads(body))


def test_a_head_over_the_limit_is_refused_in_one_piece_and_in_many(gateway: Served) -> None:
    """Cookies of 40 KiB, and a header that never ends."""
    whole = HEAD + b"Cookie: " + b"c" * 40_000 + b"\r\n\r\n"
    assert problem_of(spoken(gateway, whole))["code"] == "HEAD_TOO_LARGE"
    pieces = [HEAD + b"Cookie: ", *([b"c" * 8_000] * 5)]
    assert problem_of(spoken(gateway, *pieces, pause_s=0.02))["status"] == 431


def test_a_head_within_the_limit_passes(gateway: Served) -> None:
    """Up to 32 KiB of cookies."""
    answer = plain_http.get(f"{gateway.url}/api/v1/usage", headers={"Cookie": "c=" + "c" * 30_000})
    assert answer.status_code == 401


def test_a_head_that_does_not_come_ends_the_connection(hurried: Served) -> None:
    """With 408 where it has begun; without a word where nobody asked anything, as browsers do ahead of time."""
    assert problem_of(spoken(hurried, HEAD))["code"] == "HEAD_TOO_SLOW"
    assert spoken(hurried) == b""


def test_a_second_head_on_a_kept_connection_is_bounded_too(gateway: Served, hurried: Served) -> None:
    """Whether it is slow or large."""
    first = HEAD + b"\r\n"
    long = [first, HEAD + b"Cookie: ", *([b"c" * 8_000] * 5)]
    assert spoken(gateway, *long, pause_s=0.05).count(b"HEAD_TOO_LARGE") == 1
    assert spoken(hurried, first, HEAD, pause_s=0.05).count(b"HEAD_TOO_SLOW") == 1


def test_what_is_no_http_is_answered_with_a_problem(gateway: Served) -> None:
    """Such as TLS on a plain port."""
    assert problem_of(spoken(gateway, b"\x16\x03\x01\x02\x00\r\n\r\n"))["code"] == "NOT_HTTP"


def test_a_body_over_a_mebibyte_is_refused_by_its_length_and_as_it_comes(gateway: Served) -> None:
    """A body in chunks states no length."""

    def chunks() -> Any:
        for _ in range(BODY_BYTES // 65_536 + 2):
            yield b" " * 65_536

    url = f"{gateway.url}/api/v1/auth/login"
    for content in (b" " * (BODY_BYTES + 1), chunks()):
        answer = plain_http.post(url, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost:x", "127.0.0.2:3001"])
def test_a_request_to_another_name_is_refused(gateway: Served, host: str) -> None:
    """A page of another site could reach loopback through a name of its own."""
    answer = plain_http.get(f"{gateway.url}/", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "UNKNOWN_HOST")


@pytest.mark.parametrize("path", ["/", "/assets/main.js", "/api/v1/usage", "/nothing", "/api/v1/openapi.json"])
def test_every_answer_has_the_headers_that_protect_a_browser(gateway: Served, path: str) -> None:
    """Pages, files, errors: no foreign script, no frame, no guessing of types."""
    headers = plain_http.get(gateway.url + path, headers={"Host": "localhost"}).headers
    assert headers["content-security-policy"] == CSP
    assert "unsafe" not in CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../settings.py",
        "/assets/%2e%2e/settings.py",
        "/assets//etc/passwd",
        "/assets/flow",
        "/assets/x.py",
        "/assets/vendor/vendor.lock",
    ],
)
def test_only_the_dashboard_s_own_files_are_served(gateway: Served, path: str) -> None:
    """No path leads out of its folder, and no other kind of file is among them."""
    answer = spoken(gateway, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404")


def test_a_file_that_a_browser_has_is_not_sent_again(gateway: Served) -> None:
    """It asks by the file's hash."""
    first = plain_http.get(f"{gateway.url}/assets/main.js")
    assert first.headers["content-type"].startswith("text/javascript")
    again = plain_http.get(f"{gateway.url}/assets/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
