"""Links and sessions in PostgreSQL: each link is good once, and a refresh token that comes twice ends its session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta

import pytest

from tradewind.connectors.gateway.auth.audits import TERMINAL
from tradewind.connectors.gateway.auth.machine_keys import MachineKeys
from tradewind.connectors.gateway.auth.origin import Origin
from tradewind.connectors.gateway.auth.passwords import Passwords
from tradewind.connectors.gateway.auth.people import People
from tradewind.connectors.gateway.auth.second_factor import SecondFactors
from tradewind.connectors.gateway.auth.signing_in import SigningIn
from tradewind.connectors.gateway.auth.store import Session, Store
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.settings import PostgresSettings, Settings

FACTORS = SecondFactors.of(bytes(32), time.time)


def successor(token: bytes) -> bytes:
    """Return the token that follows one."""
    return bytes(reversed(token))[:-1] + b"s"


def begin(store: Store, link: str) -> Awaitable[Session]:
    """Sign in by a link."""
    return SigningIn(store, Passwords(), FACTORS).by_link(link, None, Origin("here"))


@pytest.fixture
async def store(settings: Settings, database: PostgresSettings) -> AsyncIterator[Store]:
    """Give a store with its tables."""
    await asyncio.to_thread(migrate, settings)
    made = Store(settings)
    yield made
    await made.close()


async def test_links_and_refresh_tokens_are_good_once(store: Store, settings: Settings) -> None:
    """From the link to the end of the session, as two tabs, a thief and another process see it."""
    operator = await store.ensure_operator()
    assert await store.ensure_operator() == operator
    link = await store.new_link(operator)
    one, *others = await asyncio.gather(*(begin(store, link) for _ in range(4)), return_exceptions=True)
    begun = [found for found in (one, *others) if not isinstance(found, BaseException)]
    assert len(begun) == 1, "a link is good once, whoever comes at the same time"
    assert {found.code for found in (one, *others) if isinstance(found, Problem)} == {"LINK_INVALID"}
    session = begun[0]
    assert (session.user.name, session.user.role, session.user.tenant_id) == ("operator", "operator", None)

    tabs = await asyncio.gather(*(store.refresh(session.refresh, successor) for _ in range(2)))
    assert {tab.refresh for tab in tabs} == {successor(session.refresh)}, "both tabs get the same"
    second = await store.refresh(tabs[0].refresh, successor)
    assert second.session_id == session.session_id

    with pytest.raises(Problem) as refused:
        await store.refresh(session.refresh, successor)
    assert refused.value.code == "SIGNED_OUT", "the token before the last two is nobody's"
    later = Store(settings, two_tabs_s=0)
    with pytest.raises(Problem, match="somebody may have a copy"):
        await later.refresh(tabs[0].refresh, successor)
    await later.close()
    with pytest.raises(Problem) as refused:
        await store.refresh(second.refresh, successor)
    assert refused.value.code == "SIGNED_OUT", "the theft ended the session for both"
    other = Store(settings)
    assert await other.ended_within(60) == [session.session_id]
    await other.close()


async def test_a_disabled_user_and_an_expired_link_do_not_sign_in(store: Store, settings: Settings) -> None:
    """Nor does a session of that user go on. The tables hold hashes alone."""
    operator = await store.ensure_operator()
    session = await begin(store, await store.new_link(operator))
    late, disabled = await store.new_link(operator), await store.new_link(operator)
    connection = await connect(settings)
    rows = str([dict(row) for row in await connection.fetch("SELECT * FROM login_links, sessions")])
    assert late not in rows
    assert session.refresh.hex() not in rows
    await connection.execute("UPDATE login_links SET expires_at = expires_at - $1::interval", timedelta(hours=1))
    with pytest.raises(Problem, match="has expired"):
        await begin(store, late)
    await connection.execute("UPDATE login_links SET expires_at = now() + $1::interval", timedelta(hours=1))
    await connection.execute("UPDATE users SET disabled_at = now()")
    await connection.close()
    for refused in (begin(store, disabled), store.refresh(session.refresh, successor)):
        with pytest.raises(Problem) as problem:
            await refused
        assert problem.value.status == 401


async def test_without_postgresql_nobody_signs_in_and_everybody_hears_why(settings: Settings) -> None:
    """503, with what to do."""
    away = settings.model_copy(update={"postgres": PostgresSettings(url="postgresql://127.0.0.1:1/x")})
    store = Store(away)
    with pytest.raises(Problem) as refused:
        await store.refresh(b"token", successor)
    assert (refused.value.status, refused.value.code) == (503, "STORE_AWAY")
    await store.close()


async def test_users_have_names_of_their_own_and_near_ones_are_told(store: Store) -> None:
    """A role of another kind does not go with a tenant; a new role holds from the next refresh on."""
    people = People(store)
    link = await people.add(TERMINAL, "ada", "viewer", "alpha")
    with pytest.raises(Problem, match="there is a user ada"):
        await people.add(TERMINAL, "ada", "owner", "beta")
    with pytest.raises(Problem) as refused:
        await people.link(TERMINAL, "adda")
    assert refused.value.remedy == "did you mean ada?"
    session = await begin(store, link)
    assert (session.user.role, session.user.tenant_id) == ("viewer", "alpha")
    await people.set_role(TERMINAL, "ada", "trader", None)
    with pytest.raises(Problem, match="operators have no tenant"):
        await people.set_role(TERMINAL, "ada", "operator", None)
    session = await store.refresh(session.refresh, successor)
    assert session.user.role == "trader"


async def test_a_machines_key_lives_until_it_is_revoked_or_its_user_ends(store: Store) -> None:
    """It is told once; the table has its hash, and lists show neither."""
    await People(store).add(TERMINAL, "ada", "trader", "alpha")
    made = await store.add_key("ada", "viewer", 7, "grafana")
    other = await store.add_key("ada", None, 90, "")
    (found,) = [one for one in await store.living_keys() if one["key_id"] == made.key_id]
    assert (found["key_role"], found["role"], found["tenant_id"]) == ("viewer", "trader", "alpha")
    keys = MachineKeys(time.time)
    keys.take(await store.living_keys())
    assert keys.verify(made.text).role == "viewer"
    assert keys.verify(other.text).role == "trader"
    with pytest.raises(Problem, match="a key of trader cannot be owner"):
        await store.add_key("ada", "owner", 7, "")
    listed = await store.keys("alpha")
    assert {(one["key_id"], one["user_name"], one["lives"]) for one in listed} == {
        (made.key_id, "ada", True),
        (other.key_id, "ada", True),
    }
    assert made.text not in str(listed)
    assert await store.keys("beta") == []
    await store.revoke_key(made.key_id)
    with pytest.raises(Problem, match="no key"):
        await store.revoke_key(made.key_id)
    keys.take(await store.living_keys())
    with pytest.raises(Problem):
        keys.verify(made.text)
    await People(store).disable(TERMINAL, "ada", None)
    assert await store.living_keys() == []
