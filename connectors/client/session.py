"""HTTP to a gateway: who asks, what is asked again, and for how long."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from tradewind.connectors.client.errors import ClientError, GatewayAway, Refused

PREFIX: Final = "/api/v1"
CALL_S: Final = 20.0
"""Of one attempt: the longest that the gateway waits for a decision is 10 s."""
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 5.0
RENEW_S: Final = 60.0
"""How long before its end an access token is renewed."""
AGAIN: Final = frozenset({429, 502, 503, 504})
"""Answers after which the same call may succeed: commands are carried out once for each key."""
ANSWER_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Login:
    """How a session begins. Either `key`, or a name and a password, with the code of a second factor if there is one.

    A code is good once: when the session ends, such a client cannot begin another one.
    """

    key: str | None = None
    name: str | None = None
    password: str | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no login."""
        if (self.key is None) == (self.name is None) or (self.name is None) != (self.password is None):
            raise ValueError("give either key, or name and password")

    def __repr__(self) -> str:
        """Show no secret."""
        return "Login(key=...)" if self.key is not None else f"Login(name={self.name!r}, password=...)"


@dataclass(slots=True)
class _Access:
    token: str
    until_s: float
    """By the monotonic clock."""


class Session:
    """Calls to one gateway by one user. For one event loop."""

    def __init__(self, url: str, login: Login, patience_s: float) -> None:
        """`patience_s` is how long a call is tried while the gateway does not answer, or says that it cannot yet."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"{url!r} is no address of a gateway: give one such as http://127.0.0.1:19090")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._login, self._patience_s = login, patience_s
        self._access: _Access | None = None
        self._signing_in = asyncio.Lock()
        self._http: aiohttp.ClientSession | None = None

    @property
    def http(self) -> aiohttp.ClientSession:
        """The connections."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.CookieJar(unsafe=True),  # gateways have addresses for names, too
                timeout=aiohttp.ClientTimeout(total=CALL_S),
            )
        return self._http

    async def close(self) -> None:
        """End the session at the gateway, and close the connections."""
        if self._http is None:
            return
        if self._access is not None:
            with suppress(aiohttp.ClientError, TimeoutError, ClientError):  # it ends by itself
                await self._attempt("POST", "auth/logout", {}, None, None)
        await self._http.close()
        self._http = None

    async def token(self) -> str:
        """Return a token that is good for a while; raises `Refused` or `GatewayAway`."""
        if self._login.key is not None:
            return self._login.key
        async with self._signing_in:
            if self._access is None or time.monotonic() > self._access.until_s - RENEW_S:
                self._access = await self._signed_in()
            return self._access.token

    def forget(self, token: str) -> None:
        """Use a token no more that was refused."""
        if self._access is not None and self._access.token == token:
            self._access = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the JSON of an answer. Raises `Refused`, or `GatewayAway` once the patience is over."""
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}

        async def attempt() -> Any:
            token = await self.token()
            bearer = {**(headers or {}), "Authorization": f"Bearer {token}"}
            try:
                return await self._attempt(method, path, bearer, given, body)
            except Refused as refused:
                if refused.status != 401 or self._login.key is not None:
                    raise
                self.forget(token)
                bearer["Authorization"] = f"Bearer {await self.token()}"
                return await self._attempt(method, path, bearer, given, body)

        return await self._tried(attempt, f"{method} {self.url}{PREFIX}/{path}")

    async def _tried(self, attempt: Callable[[], Awaitable[Any]], what: str) -> Any:
        deadline, pause_s = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                return await attempt()
            except Refused as refused:
                if refused.status not in AGAIN:
                    raise
                error: Exception = refused
                wait_s = max(pause_s, refused.retry_after_s)
            except (aiohttp.ClientError, TimeoutError, OSError) as failed:
                error, wait_s = failed, pause_s
            if time.monotonic() + wait_s > deadline:
                if isinstance(error, Refused):
                    raise error
                raise GatewayAway(
                    f"{what}: no answer for {self._patience_s:.0f} s ({type(error).__name__}: {error})"
                ) from error
            await asyncio.sleep(wait_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _attempt(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
    ) -> Any:
        async with self.http.request(
            method, f"{self.url}{PREFIX}/{path}", params=query, json=body, headers=headers, allow_redirects=False
        ) as answer:
            raw = await _body(answer)
            if answer.status >= 300:
                raise _refused(answer, raw)
            return json.loads(raw) if raw else None

    async def _signed_in(self) -> _Access:
        """Renew the session by its cookie; begin one where there is none."""
        if self._access is not None:
            try:
                return _access(await self._attempt("POST", "auth/refresh", {}, None, None))
            except Refused as refused:
                if refused.status != 401:
                    raise
        login = {"name": self._login.name, "password": self._login.password}
        if self._login.code is not None:
            login["code"] = self._login.code
        return _access(await self._attempt("POST", "auth/login", {}, None, login))


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for piece in answer.content.iter_any():
        found += piece
        if len(found) > ANSWER_BYTES:
            raise ClientError(f"{answer.url} answers with more than {ANSWER_BYTES:,} bytes")
    return bytes(found)


def _access(answer: Mapping[str, Any]) -> _Access:
    return _Access(answer["access_token"], time.monotonic() + float(answer["expires_in"]))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refused(answer: aiohttp.ClientResponse, raw: bytes) -> Refused:
    try:
        problem = json.loads(raw)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"no gateway answers at {answer.url.origin()}: {raw[:200].decode(errors='replace')}"}
    after = answer.headers.get("Retry-After", "")
    return Refused(answer.status, problem, float(after) if after.isdigit() else 0.0)
