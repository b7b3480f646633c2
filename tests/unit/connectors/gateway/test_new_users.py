"""Users that are created by a route: by owners in their own tenant, by operators in any, each once for its key."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from gateway.serving import Served

from tradewind.connectors.gateway.auth.roles import Role
from tradewind.connectors.gateway.routes import PREFIX

BEN = {"name": "ben", "role": "trader"}


def create(gateway: Served, body: Any, role: Role = "owner", tenant: str | None = "alpha", key: str = "k") -> Any:
    """Create a user."""
    return httpx.post(f"{gateway.url}{PREFIX}/users", headers=gateway.bearer(role, tenant, key), json=body)


def test_a_repeat_names_the_same_user_and_no_answer_is_kept(gateway: Served) -> None:
    """The answer has a secret: neither a cache nor the ledger of commands has it."""
    gateway.people.done.clear()
    first, second = create(gateway, BEN), create(gateway, BEN)
    other = create(gateway, BEN, tenant="beta")
    assert {one.status_code for one in (first, second, other)} == {201}
    assert first.headers["cache-control"] == "no-store"
    assert (first.json()["name"], first.json()["role"], first.json()["tenant"]) == ("ben", "trader", "alpha")
    assert first.json()["link"] != second.json()["link"]
    ids = [one[4] for one in gateway.people.done]
    assert ids[0] == ids[1] != ids[2]
    assert [one[3] for one in gateway.people.done] == ["alpha", "alpha", "beta"]
    assert not any(first.json()["link"] in str(answer.body) for answer in gateway.stores.answers.values())


@pytest.mark.parametrize(
    ("change", "role", "status", "code", "pointer"),
    [
        ({"role": "operator"}, "owner", 403, "ROLE_ABOVE", "#/role"),
        ({"tenant": "beta"}, "owner", 404, "UNKNOWN_TENANT", "#/tenant"),
        ({}, "operator", 422, "INVALID", "#/tenant"),
        ({"role": "operator", "tenant": "alpha"}, "operator", 422, "INVALID", "#/tenant"),
        ({"tenant": "alhpa"}, "operator", 404, "UNKNOWN_TENANT", "#/tenant"),
        ({"name": "ada"}, "owner", 409, "USER_EXISTS", "#/name"),
        ({"name": ""}, "owner", 422, "INVALID", "#/name"),
        ({"role": "enrolling"}, "owner", 422, "INVALID", "#/role"),
        ({"password": "x"}, "owner", 422, "INVALID", "#/password"),
    ],
)
def test_what_may_not_be_created_is_said_and_audited(
    gateway: Served, change: dict[str, str], role: Role, status: int, code: str, pointer: str
) -> None:
    """An owner creates no operator, and nobody in another tenant."""
    before = len(gateway.stores.audited)
    found = create(gateway, {**BEN, **change}, role, None if role == "operator" else "alpha")
    assert (found.status_code, found.json()["code"], found.json()["pointer"]) == (status, code, pointer)
    assert found.json()["remedy"]
    assert [(one.action, one.code) for one in gateway.stores.audited[before:]] == [("POST users", code)]


def test_a_creation_needs_a_key(gateway: Served) -> None:
    """As each command does."""
    url, headers = f"{gateway.url}{PREFIX}/users", gateway.bearer("owner", "alpha")
    found = httpx.post(url, headers=headers, json=BEN)
    assert (found.status_code, found.json()["pointer"]) == (422, "header: Idempotency-Key")
