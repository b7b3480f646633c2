"""Passwords: what they cost, and that a flood of them is bounded; and the routes that take them."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import plain_http
import pytest
from argon2 import PasswordHasher, extract_parameters
from gateway.serving import Served

from tradewind.connectors.gateway.auth.origin import Origin, is_remote
from tradewind.connectors.gateway.auth.passwords import WAITING, Passwords
from tradewind.connectors.gateway.auth.store import User
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.routes import PREFIX
from tradewind.processors.gateway.pauses import ACCOUNT, Pauses


async def test_a_password_costs_64_mib_and_two_threads_also_where_there_is_none() -> None:
    """As argon2 says of the hashes."""
    passwords = Passwords()
    kept = await passwords.hashed("crème brûlée, often")
    for text in (kept, passwords._nobody):
        found = extract_parameters(text)
        assert (found.type.name, found.memory_cost, found.parallelism) == ("ID", 65_536, 2)
    assert await passwords.verify(kept, "cre\u0300me bru\u0302le\u0301e, often"), (
        "accents as another keyboard sends them"
    )
    assert not await passwords.verify(kept, "creme brulee, often")
    assert not await passwords.verify(None, "")
    passwords.close()


class Stuck(PasswordHasher):
    """A hasher that waits, and knows how many work at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go, self.now, self.most = threading.Event(), 0, 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 - as argon2 calls it
        """Wait until the test says so."""
        self.now += 1
        self.most = max(self.most, self.now)
        self.go.wait(30)
        self.now -= 1
        return super().verify(hash, password)


async def test_a_flood_works_on_one_password_at_a_time_and_hears_to_come_again() -> None:
    """So it takes 64 MiB."""
    hasher = Stuck()
    passwords = Passwords(hasher)
    flood = [asyncio.create_task(passwords.verify(None, "x")) for _ in range(WAITING + 5)]
    await asyncio.sleep(0)
    hasher.go.set()
    found = await asyncio.gather(*flood, return_exceptions=True)
    busy = [one for one in found if isinstance(one, Problem)]
    assert [(one.status, one.code) for one in busy] == [(503, "BUSY")] * 5
    assert hasher.most == 1
    assert not await passwords.verify(None, "x"), "it goes on after the flood"
    passwords.close()


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    """After some that are free; no number of tries is too large."""
    assert [Pauses(2, 1.0, 10.0).after(tries) for tries in range(8)] == [0, 0, 1, 2, 4, 8, 10, 10]
    assert ACCOUNT.after(10**9) == 900


def test_an_ipv6_network_is_one_address() -> None:
    """Whoever has one address of it has all."""
    assert Origin("2001:db8::1").network == Origin("2001:db8::2:3%eth0").network == "2001:db8::/64"
    assert Origin("203.0.113.7").network == "203.0.113.7"
    assert Origin("").network == ""


def test_a_person_signs_in_by_name_and_password(gateway: Served) -> None:
    """And sets another; what is missing has its place."""
    gateway.logins.passwords["ada"] = "a horse and 3 sails"
    url = f"{gateway.url}{PREFIX}/auth"
    with plain_http.Client() as client:
        found = client.post(f"{url}/login", json={"name": "ada", "password": "a horse and 3 sails"}).json()
        assert (found["user"], found["has_password"]) == ("ada", True)
        headers = {"Authorization": f"Bearer {found['access_token']}"}
        new = {"new": "some other long words", "old": "a horse and 3 sails"}
        assert client.post(f"{url}/password", headers=headers, json=new).json() == {"changed": True}
        assert gateway.logins.set == ["some other long words"]
    wrong = [
        ({"name": "ada"}, "#/password"),
        ({"password": "x"}, "#/name"),
        ({"name": "a\x00da", "password": "x"}, "#/name"),
        ({"name": "ada", "password": ""}, "#/password"),
        ({"link": "l" * 30, "name": "ada"}, "#/name"),
    ]
    for body, pointer in wrong:
        answer = plain_http.post(f"{url}/login", json=body)
        assert (answer.status_code, answer.json()["pointer"]) == (422, pointer), body
    short = plain_http.post(f"{url}/password", headers=gateway.bearer("viewer", "alpha"), json={"new": "short words"})
    assert (short.status_code, short.json()["pointer"]) == (422, "#/new")


def test_a_refused_body_does_not_say_the_password(gateway: Served) -> None:
    """Nor a half character, which PostgreSQL and argon2 cannot take."""
    url = f"{gateway.url}{PREFIX}/auth/login"
    for password in ('"secret' + "x" * 300 + '"', '["secret"]', '"secret\\ud800"', "12345"):
        answer = plain_http.post(
            url, content=f'{{"name": "ada", "password": {password}}}', headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {401, 422}, answer.text
        assert "secret" not in answer.text
        assert "12345" not in answer.text


@pytest.mark.parametrize("path", ["auth/login", "auth/password"])
def test_openapi_marks_passwords(gateway: Served, path: str) -> None:
    """So that tools hide them."""
    found = plain_http.get(f"{gateway.url}{PREFIX}/openapi.json").json()
    name = found["paths"][f"{PREFIX}/{path}"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert '"format": "password"' in json.dumps(found["components"]["schemas"][name.rpartition("/")[2]])


@pytest.mark.parametrize(
    ("address", "headers", "remote"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:19090"}, False),
        ("::1", {"host": "[::1]:3001"}, False),
        ("127.0.0.1", {"host": "localhost"}, False),
        ("127.0.0.1", {"host": "trade.example.com"}, True),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "127.0.0.1"}, True),
        ("203.0.113.7", {"host": "127.0.0.1"}, True),
        ("", {"host": "localhost"}, True),
    ],
)
def test_whatever_may_come_over_a_network_does(address: str, headers: dict[str, str], remote: bool) -> None:
    """A proxy on this machine has a loopback address, so its name and its headers count."""
    assert is_remote(address, headers) == remote


def test_over_a_network_a_login_opens_nothing_but_the_second_factor(gateway: Served) -> None:
    """Until it is there; then the next access token opens the rest."""
    gateway.users.links["l" * 30] = User("u7", "ada", "viewer", "alpha")
    with plain_http.Client(base_url=gateway.url, headers={"X-Forwarded-For": "203.0.113.7"}) as client:
        found = client.post(f"{PREFIX}/auth/login", json={"link": "l" * 30}).json()
        assert (found["role"], found["must_enrol"]) == ("viewer", True)
        headers = {"Authorization": f"Bearer {found['access_token']}"}
        for path in ("streams/flow", "markets/EURUSD/tick"):
            refused = client.get(f"{PREFIX}/{path}", headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "SECOND_FACTOR_WANTED")
        begun = client.post(f"{PREFIX}/auth/totp", headers=headers, json={})
        assert begun.headers["cache-control"] == "no-store"
        assert begun.json()["qr"].startswith("data:image/svg+xml")
        wrong = client.post(f"{PREFIX}/auth/totp", headers=headers, json={"code": "000000"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "WRONG_CODE")
        assert (
            len(client.post(f"{PREFIX}/auth/totp", headers=headers, json={"code": "123456"}).json()["recovery_codes"])
            == 10
        )
        token = client.post(f"{PREFIX}/auth/refresh").json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get(f"{PREFIX}/streams/flow", headers=headers).status_code == 200
