"""Keys of machines: which are good, for what, and until when."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from tradewind.connectors.gateway.auth.machine_keys import FORGOTTEN_S, PREFIX, REACHES, MachineKeys
from tradewind.connectors.gateway.auth.roles import ROLES, Role
from tradewind.connectors.gateway.auth.tokens import Tokens
from tradewind.connectors.gateway.problems import Problem

NOW = 1_790_000_000.0
KEY = f"{PREFIX}0a1b2c3d_secret"


class Clock:
    """A clock that a test moves."""

    now = NOW

    def __call__(self) -> float:
        return self.now


def row(role: Role = "trader", key_role: Role = "viewer", lives_s: float = 100.0, key: str = KEY) -> dict[str, Any]:
    """Return a key as PostgreSQL has it."""
    return {
        "key_id": "0a1b2c3d",
        "hash": hashlib.sha256(key.encode()).digest(),
        "key_role": key_role,
        "expires_at": datetime.fromtimestamp(NOW + lives_s, UTC),
        "user_id": "u",
        "role": role,
        "tenant_id": "alpha",
    }


def refused(keys: MachineKeys, key: str = KEY) -> str:
    """Return why a key is refused."""
    with pytest.raises(Problem) as raised:
        keys.verify(key)
    assert (raised.value.status, raised.value.code) == (401, "KEY_INVALID")
    return raised.value.detail


def test_a_key_acts_for_its_user_until_it_ends() -> None:
    """By its date, and as soon as it is not among the living."""
    clock = Clock()
    keys = MachineKeys(clock)
    keys.take([row()])
    who = keys.verify(KEY)
    assert (who.user_id, who.role, who.tenant_id, who.session_id) == ("u", "viewer", "alpha", "0a1b2c3d")
    assert "never was one" in refused(keys, KEY + "x")
    clock.now += 101
    assert "has ended" in refused(keys)
    clock.now = NOW
    keys.take([])
    assert "has ended" in refused(keys)


def test_keys_are_forgotten_where_nobody_says_which_live() -> None:
    """As access tokens are: a revoked one must not work for ever because PostgreSQL is away."""
    clock = Clock()
    keys = MachineKeys(clock)
    assert "nobody can say" in refused(keys)
    keys.take([row(lives_s=10 * FORGOTTEN_S)])
    clock.now += FORGOTTEN_S - 1
    assert keys.verify(KEY).role == "viewer"
    clock.now += 2
    assert "nobody can say" in refused(keys)


@pytest.mark.parametrize("role", ROLES)
def test_a_key_never_reaches_beyond_its_user(role: Role) -> None:
    """Also where the user's role has changed since; nobody's key is an operator's but an operator's."""
    for wanted in ROLES:
        keys = MachineKeys(Clock())
        keys.take([row(role, wanted)])
        if wanted in REACHES[role]:
            assert keys.verify(KEY).role == wanted
        else:
            refused(keys)
    assert ("operator" in REACHES[role]) == (role == "operator")


def test_tokens_and_keys_come_by_the_same_door() -> None:
    """A key is no token, and a token no key."""
    clock = Clock()
    tokens = Tokens(bytes(range(32)), "tradewind", clock)
    tokens.machines.take([row()])
    assert tokens.verify(KEY).role == "viewer"
    with pytest.raises(Problem) as raised:
        tokens.verify(PREFIX + tokens.issue("u", "operator", None, "s"))
    assert raised.value.code == "KEY_INVALID"
