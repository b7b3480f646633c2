"""Owners and operators see and change users and sessions of their own scope alone, and each change leaves an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tradewind.connectors.gateway.auth.audits import TERMINAL, Actor
from tradewind.connectors.gateway.auth.origin import Origin
from tradewind.connectors.gateway.auth.passwords import Passwords
from tradewind.connectors.gateway.auth.people import People
from tradewind.connectors.gateway.auth.second_factor import SecondFactors
from tradewind.connectors.gateway.auth.signing_in import SigningIn
from tradewind.connectors.gateway.auth.store import Session, Store
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.settings import PostgresSettings, Settings
from tradewind.schemas.tenancy import AuditEvent

HERE = Origin("203.0.113.7", agent="Mozilla/5.0 (X11; Linux) Firefox/140.0")


@dataclass
class Town:
    """Users of two tenants, and an operator."""

    store: Store
    people: People = field(init=False)
    signing_in: SigningIn = field(init=False)

    def __post_init__(self) -> None:
        self.people = People(self.store)
        self.signing_in = SigningIn(self.store, Passwords(), SecondFactors.of(bytes(32), lambda: 0.0))

    async def enter(self, name: str, role: str, tenant: str | None) -> tuple[Actor, Session]:
        """Create a user who signs in by the first link."""
        session = await self.signing_in.by_link(await self.people.add(TERMINAL, name, role, tenant), None, HERE)
        return Actor(session.user.user_id, role, tenant, session.session_id, HERE.address), session


@pytest.fixture
async def town(settings: Settings, database: PostgresSettings) -> AsyncIterator[Town]:
    """Give one with its tables."""
    await asyncio.to_thread(migrate, settings)
    made = Town(Store(settings))
    yield made
    made.signing_in.close()
    await made.store.close()


async def code_of(refused: Awaitable[Any]) -> str:
    """Return the code of a refusal."""
    with pytest.raises(Problem) as raised:
        await refused
    return raised.value.code


async def events_of(town: Town) -> list[AuditEvent]:
    """Return the audit events that wait."""
    found: list[AuditEvent] = []

    async def write(event: AuditEvent) -> None:
        found.append(event)

    await town.store.send_audits(write)
    return found


async def test_an_owner_changes_users_of_the_own_tenant_and_nobody_else(town: Town) -> None:
    """Of another tenant's users, an owner hears that there is none. Nobody changes the own role or login."""
    owner, _ = await town.enter("olga", "owner", "alpha")
    await town.enter("ada", "trader", "alpha")
    await town.enter("ben", "trader", "beta")
    operator, _ = await town.enter("opal", "operator", None)
    people = town.people
    assert [one["name"] for one in await people.users("alpha")] == ["ada", "olga"]
    assert [one["name"] for one in await people.users(None)] == ["ada", "ben", "olga", "opal"]
    for name in ("ben", "opal", "nobody"):
        refusals = (people.set_role(owner, name, "viewer", "alpha"), people.disable(owner, name, "alpha"))
        assert [await code_of(one) for one in (*refusals, people.reset(owner, name, "alpha"))] == ["UNKNOWN_USER"] * 3
    assert await code_of(people.set_role(owner, "olga", "viewer", "alpha")) == "YOURSELF"
    assert await code_of(people.reset(operator, "opal", None)) == "YOURSELF"
    assert await code_of(people.set_role(owner, "ada", "operator", "alpha")) == "ROLE_OF_ANOTHER_KIND"
    await people.set_role(owner, "ada", "viewer", "alpha")
    await people.set_role(operator, "ben", "owner", None)
    assert {one["name"]: one["role"] for one in await people.users(None)} | {"opal": ""} == {
        "ada": "viewer", "ben": "owner", "olga": "owner", "opal": "",
    }  # fmt: skip
    await people.set_role(operator, "olga", "trader", None)
    assert await code_of(people.disable(owner, "ada", "alpha")) == "ROLE_CHANGED", "the token still says owner"
    assert await code_of(people.disable(replace(operator, session_id="0a1b2c3d"), "ada", None)) == "NOT_A_PERSON"


async def test_a_user_has_a_name_that_events_can_have(town: Town) -> None:
    """Otherwise the audit event of the change could not be sent, and would hold back all others."""
    for name, tenant in (("x" * 257, "alpha"), ("", "alpha"), ("a\nda", "alpha"), ("ada", "a" * 257)):
        assert await code_of(town.people.add(TERMINAL, name, "trader", tenant)) == "INVALID"
    assert await town.people.users(None) == []


async def test_a_disabled_user_is_out_until_a_reset(town: Town) -> None:
    """With all sessions; a reset makes a link for a new start."""
    owner, _ = await town.enter("olga", "owner", "alpha")
    _, session = await town.enter("ada", "trader", "alpha")
    link = await town.people.link(TERMINAL, "ada")
    assert await town.people.disable(owner, "ada", "alpha") == 1
    assert session.session_id in await town.store.ended_within(60)
    assert await code_of(town.signing_in.by_link(link, None, HERE)) == "LINK_INVALID"
    assert await code_of(town.store.refresh(session.refresh, lambda token: token[1:])) == "SIGNED_OUT"
    again = await town.people.reset(owner, "ada", "alpha")
    assert (await town.signing_in.by_link(again, None, HERE)).user.name == "ada"
    (ada, _) = await town.people.users("alpha")
    assert (ada["disabled"], ada["has_password"], ada["has_second_factor"], ada["sessions"]) == (False, False, False, 1)


async def test_sessions_are_listed_and_ended_within_their_scope(town: Town) -> None:
    """A user sees the own ones, an owner the tenant's, an operator all; a list shows no token."""
    olga, _ = await town.enter("olga", "owner", "alpha")
    ada, first = await town.enter("ada", "trader", "alpha")
    ben, foreign = await town.enter("ben", "trader", "beta")
    second = await town.signing_in.by_link(await town.people.link(TERMINAL, "ada"), None, HERE)
    people = town.people
    own = await people.sessions("alpha", ada.user_id)
    assert {one["session_id"] for one in own} == {first.session_id, second.session_id}
    assert {(one["address"], one["agent"], one["remote"]) for one in own} == {(HERE.address, HERE.agent, False)}
    assert len(await people.sessions("alpha", None)) == 3
    assert len(await people.sessions(None, None)) == 4
    assert first.refresh.hex() not in str(own)
    assert await code_of(people.end_session(ada, foreign.session_id, "alpha", ada.user_id)) == "UNKNOWN_SESSION"
    assert await code_of(people.end_session(olga, foreign.session_id, "alpha", None)) == "UNKNOWN_SESSION"
    await people.end_session(ada, second.session_id, "alpha", ada.user_id)
    assert await code_of(people.end_session(ada, second.session_id, "alpha", ada.user_id)) == "UNKNOWN_SESSION"
    await people.end_session(olga, first.session_id, "alpha", None)
    assert set(await town.store.ended_within(60)) == {first.session_id, second.session_id}
    assert await code_of(people.end_session(ada, first.session_id, "alpha", ada.user_id)) == "NOT_A_PERSON"
    assert [one["user_name"] for one in await people.sessions("beta", ben.user_id)] == ["ben"]


async def test_each_change_of_a_user_leaves_an_event(town: Town) -> None:
    """Who, whom, and what was before and is after; from a terminal as from a page."""
    olga, _ = await town.enter("olga", "owner", "alpha")
    await town.people.add(TERMINAL, "ada", "trader", "alpha")
    await town.people.set_role(olga, "ada", "viewer", "alpha")
    key = await town.store.add_key("ada", None, 7, "grafana")
    await town.store.revoke_key(key.key_id)
    await town.people.disable(olga, "ada", "alpha")
    await town.people.reset(olga, "ada", "alpha")
    found = await events_of(town)
    assert {one.tenant_id for one in found} == {"alpha"}
    assert [(one.action, one.user_id, one.subject) for one in found[2:]] == [
        ("POST users", "terminal", "ada"),
        ("POST users/{name}/role", olga.user_id, "ada"),
        ("POST auth/keys", "terminal", "ada"),
        ("DELETE auth/keys/{id}", "terminal", "ada"),
        ("POST users/{name}/disable", olga.user_id, "ada"),
        ("POST users/{name}/reset", olga.user_id, "ada"),
    ]
    assert (found[3].before, found[3].after) == ('{"role": "trader"}', '{"role": "viewer"}')
    assert not any(key.text in str(one) for one in found)


async def test_a_repeated_creation_makes_one_user_and_another_link(town: Town) -> None:
    """Until the user has signed in. A key creates one user, and nobody without a session that lives creates any."""
    owner, _ = await town.enter("olga", "owner", "alpha")
    add = town.people.add
    first = await add(owner, "ada", "trader", "alpha", "u1")
    second = await add(owner, "ada", "trader", "alpha", "u1")
    assert [one["name"] for one in await town.people.users("alpha")] == ["ada", "olga"]
    assert await code_of(town.signing_in.by_link(first, None, HERE)) == "LINK_INVALID"
    assert await code_of(add(owner, "ben", "trader", "alpha", "u1")) == "KEY_REUSED"
    assert await code_of(add(owner, "ada", "trader", "alpha", "u2")) == "USER_EXISTS"
    session = await town.signing_in.by_link(second, None, HERE)
    assert (session.user.name, session.user.role, session.user.tenant_id) == ("ada", "trader", "alpha")
    assert await code_of(add(owner, "ada", "trader", "alpha", "u1")) == "USER_EXISTS"
    assert await code_of(add(replace(owner, session_id="none"), "eve", "owner", "alpha", "u3")) == "NOT_A_PERSON"
    assert [one.subject for one in await events_of(town) if one.detail == "created"].count("ada") == 1
