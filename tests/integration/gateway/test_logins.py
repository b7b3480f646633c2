"""Logins by password as attackers try them: floods, names that nobody has, passwords that were changed meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher

from tradewind.connectors.gateway.auth.audits import TERMINAL
from tradewind.connectors.gateway.auth.origin import Origin
from tradewind.connectors.gateway.auth.passwords import Passwords
from tradewind.connectors.gateway.auth.people import People
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.auth.second_factor import RECOVERY_CODES, SecondFactors
from tradewind.connectors.gateway.auth.signing_in import SigningIn
from tradewind.connectors.gateway.auth.store import Session, Store
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.settings import PostgresSettings, Settings
from tradewind.processors.gateway.pauses import ACCOUNT, ADDRESS
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.tenancy import AuditEvent

HERE = Origin("203.0.113.7")
PASSWORD, NEXT = "a horse and 3 sails", "some other long words"


class Counting(PasswordHasher):
    """A hasher whose work is small, and counted."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.work = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 - as argon2 calls it
        """Count, and verify."""
        self.work += 1
        return super().verify(hash, password)


@dataclass
class Stage:
    """A gateway's logins on PostgreSQL."""

    settings: Settings
    store: Store
    hasher: Counting = field(default_factory=Counting)
    now_s: float = 1_767_000_000.0

    def __post_init__(self) -> None:
        self.people = People(self.store)
        self.signing_in = SigningIn(
            self.store, Passwords(self.hasher), SecondFactors.of(bytes(range(32)), lambda: self.now_s)
        )

    async def enter(self, name: str, password: str, origin: Origin = HERE, code: str | None = None) -> Session:
        """Sign in by a password."""
        return await self.signing_in.by_password(name, password, code, origin)

    async def refused(self, name: str, password: str, origin: Origin = HERE, code: str | None = None) -> Problem:
        """Return why a login is refused."""
        with pytest.raises(Problem) as raised:
            await self.enter(name, password, origin, code)
        return raised.value

    def code(self, secret: str) -> str:
        """Return the code that an app shows now."""
        return pyotp.TOTP(secret).at(int(self.now_s))

    async def enrolled(self, who: Who) -> tuple[str, list[str]]:
        """Add a second factor; return its secret and its recovery codes."""
        made = await self.signing_in.begin_factor(who)
        return made.secret, await self.signing_in.confirm_factor(who, self.code(made.secret), HERE)

    async def user(self, name: str, password: str | None = PASSWORD, tenant: str | None = "alpha") -> Who:
        """Create a user with a password, and return who it is in a session by a link."""
        link = await self.people.add(TERMINAL, name, "operator" if tenant is None else "trader", tenant)
        session = await self.signing_in.by_link(link, None, HERE)
        user_id = session.user.user_id
        who = Who(user_id, session.user.role, tenant, session.session_id, 0)
        if password is not None:
            await self.signing_in.set_password(who, None, password, HERE)
        return who

    async def ask(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        """Ask PostgreSQL."""
        connection = await connect(self.settings)
        try:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]
        finally:
            await connection.close()

    async def audited(self) -> list[AuditEvent]:
        """Send what waits, and return it."""
        sent: list[AuditEvent] = []

        async def write(event: AuditEvent) -> None:
            assert flaw_of(event) is None
            sent.append(event)

        await self.store.send_audits(write)
        return sent


@pytest.fixture
async def stage(settings: Settings, database: PostgresSettings) -> AsyncIterator[Stage]:
    """Give one with its tables."""
    await asyncio.to_thread(migrate, settings)
    made = Stage(settings, Store(settings))
    yield made
    made.signing_in.close()
    await made.store.close()


async def test_a_link_sets_the_password_that_signs_in_from_then_on(stage: Stage) -> None:
    """A change wants the one before, and ends the other sessions; a reset takes it, and ends all."""
    ada = await stage.user("ada")
    session = await stage.enter("ada", PASSWORD)
    assert (session.user.name, session.user.tenant_id, session.user.has_password) == ("ada", "alpha", True)
    assert await stage.enter("ada", PASSWORD), "twice is no replay: each begins a session of its own"
    for old in (None, NEXT):
        with pytest.raises(Problem) as raised:
            await stage.signing_in.set_password(ada, old, NEXT, HERE)
        assert (raised.value.status, raised.value.code) == (403, "WRONG_PASSWORD")
    for weak in ("aaaaaaaaaaaaaaaa", "AdaadaADAada"):
        with pytest.raises(Problem, match="at least 5 different"):
            await stage.signing_in.set_password(ada, PASSWORD, weak, HERE)
    await stage.signing_in.set_password(ada, PASSWORD, NEXT, HERE)
    assert session.session_id in await stage.store.ended_within(60)
    assert ada.session_id not in await stage.store.ended_within(60)
    assert (await stage.refused("ada", PASSWORD)).code == "WRONG_LOGIN"
    link = await stage.people.reset(TERMINAL, "ada", None)
    assert ada.session_id in await stage.store.ended_within(60)
    assert (await stage.refused("ada", NEXT)).code == "WRONG_LOGIN"
    assert not (await stage.signing_in.by_link(link, None, HERE)).user.has_password
    machine = Who(ada.user_id, "trader", "alpha", "0a1b2c3d", 0)
    with pytest.raises(Problem) as raised:
        await stage.signing_in.set_password(machine, None, NEXT, HERE)
    assert raised.value.code == "NOT_A_PERSON"


async def test_a_name_that_nobody_has_takes_the_same_work_and_the_same_answer(stage: Stage) -> None:
    """So does a user without a password, and one who is disabled: one hash each, and no hash in a pause."""
    await stage.user("ada")
    await stage.user("ben", None)
    await stage.user("eve")
    await stage.people.disable(TERMINAL, "eve", None)
    answers = []
    for name in ("ada", "nobody", "ben", "eve"):
        before = stage.hasher.work
        answers.append((await stage.refused(name, PASSWORD if name != "ada" else NEXT)).to_dict())
        assert stage.hasher.work == before + 1, name
    assert answers[1:] == answers[:-1]
    for name in ("ada", "nobody"):
        tries = 1 + ACCOUNT.free
        codes = [(await stage.refused(name, NEXT, Origin(f"198.51.100.{at}"))).code for at in range(tries)]
        assert codes == ["WRONG_LOGIN"] * (ACCOUNT.free - 1) + ["TOO_MANY_TRIES"] * 2, "one was before"
    before = stage.hasher.work
    assert (await stage.refused("ada", PASSWORD)).status == 429, "also the right one waits"
    assert stage.hasher.work == before


async def test_pauses_double_and_end_with_a_right_password(stage: Stage) -> None:
    """Tries at the same time count as well. A right login forgets the account's tries, but not the address's."""
    await stage.user("ada")
    found = await asyncio.gather(*(stage.enter("ada", NEXT) for _ in range(12)), return_exceptions=True)
    codes = [one.code for one in found if isinstance(one, Problem)]
    assert codes.count("WRONG_LOGIN") == ACCOUNT.free
    assert codes.count("TOO_MANY_TRIES") == len(found) - ACCOUNT.free
    pauses = []
    for _ in range(3):
        await stage.ask("UPDATE login_tries SET until = now()")
        await stage.refused("ada", NEXT)
        rows = await stage.ask(
            "SELECT extract(epoch FROM until - last_at)::float AS s FROM login_tries WHERE kind = 'account'"
        )
        pauses += [round(row["s"]) for row in rows]
    assert pauses == [2, 4, 8]
    await stage.ask("UPDATE login_tries SET until = now()")
    await stage.enter("ada", PASSWORD)
    (left,) = await stage.ask("SELECT kind, tries FROM login_tries")
    assert (left["kind"], left["tries"]) == ("address", ACCOUNT.free + 3)
    await stage.ask("UPDATE login_tries SET tries = 99, last_at = now() - interval '2 days'")
    await stage.refused("ada", NEXT)
    assert {row["tries"] for row in await stage.ask("SELECT tries FROM login_tries")} == {1}, "a day later it is new"


async def test_a_flood_from_an_address_waits_and_a_good_link_does_not(stage: Stage) -> None:
    """Whatever names it tries; an IPv6 network is one address. The table stays small."""
    await stage.people.add(TERMINAL, "ada", "trader", "alpha")
    ada = await stage.store.user_id("ada")
    for at in range(ADDRESS.free):
        await stage.refused(f"name {at}", NEXT, Origin(f"2001:db8::{at:x}"))
    assert (await stage.refused("another", NEXT, Origin("2001:db8::ffff"))).code == "TOO_MANY_TRIES"
    assert (await stage.refused("another", NEXT, Origin("2001:db8:1::1"))).code == "WRONG_LOGIN"
    with pytest.raises(Problem) as raised:
        await stage.signing_in.by_link("x" * 40, None, Origin("2001:db8::1"))
    assert raised.value.code == "TOO_MANY_TRIES"
    assert await stage.signing_in.by_link(await stage.store.new_link(ada), None, Origin("2001:db8::1"))
    await stage.ask("UPDATE login_tries SET last_at = now() - interval '2 days' WHERE kind = 'account'")
    await stage.refused("ada", NEXT, Origin("192.0.2.1"))
    assert len(await stage.ask("SELECT FROM login_tries WHERE kind = 'account'")) == 1


async def test_every_login_leaves_an_event_and_none_has_a_password(stage: Stage) -> None:
    """Nor the name of a user that there is not: people type a password there. Events wait for Kafka, in their order."""
    ada = await stage.user("ada")
    await stage.enter("ada", PASSWORD)
    await stage.refused("ada", "wrong " + PASSWORD)
    await stage.refused(PASSWORD, "ada")
    await stage.people.reset(TERMINAL, "ada", None)

    async def away(event: AuditEvent) -> None:
        raise Problem(503, "KAFKA_AWAY", "away", "wait")

    with pytest.raises(Problem):
        await stage.store.send_audits(away)
    tables = json.dumps(
        [await stage.ask(f"SELECT * FROM {name}") for name in ("unsent_audits", "users", "login_tries")], default=str
    )
    assert PASSWORD not in tables
    found = [(one.action, one.outcome, one.user_id, one.tenant_id, one.subject) for one in await stage.audited()]
    login = "POST auth/login"
    assert found == [
        ("POST users", "CHANGED", "terminal", "alpha", "ada"),
        (login, "CHANGED", ada.user_id, "alpha", "ada"),
        ("POST auth/password", "CHANGED", ada.user_id, "alpha", "ada"),
        (login, "CHANGED", ada.user_id, "alpha", "ada"),
        (login, "REFUSED", ada.user_id, "alpha", ""),
        (login, "REFUSED", "unknown", None, ""),
        ("POST users/{name}/reset", "CHANGED", "terminal", "alpha", "ada"),
    ]
    assert await stage.audited() == []


async def test_a_code_of_the_second_factor_is_good_once(stage: Stage) -> None:
    """Also at the same time, and a recovery code alike; whoever has the password alone hears that a code is wanted."""
    ada = await stage.user("ada")
    made = await stage.signing_in.begin_factor(ada)
    assert "Tradewind" in made.uri
    assert made.qr.startswith("data:image/svg+xml")
    assert await stage.enter("ada", PASSWORD), "it counts once a code was given"
    with pytest.raises(Problem) as raised:
        await stage.signing_in.confirm_factor(ada, "000000", HERE)
    assert raised.value.code == "WRONG_CODE"
    first = stage.code(made.secret)
    recovery = await stage.signing_in.confirm_factor(ada, first, HERE)
    assert len(set(recovery)) == RECOVERY_CODES
    assert (await stage.refused("ada", PASSWORD)).code == "CODE_WANTED"
    assert (await stage.refused("ada", NEXT, code=first)).code == "WRONG_LOGIN"
    assert (await stage.refused("ada", PASSWORD, code=first)).code == "WRONG_CODE", "a replay"
    stage.now_s += 30
    for code in (stage.code(made.secret), recovery[0].upper().replace("-", " ")):
        tries = (stage.enter("ada", PASSWORD, Origin(f"192.0.2.{at}"), code) for at in range(3))
        found = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(one, Session) for one in found) == 1, found
        assert {one.code for one in found if isinstance(one, Problem)} <= {"WRONG_CODE", "TOO_MANY_TRIES"}
        await stage.ask("DELETE FROM login_tries")
    stage.now_s += 300
    assert (await stage.refused("ada", PASSWORD, code=stage.code(made.secret[:-1] + "A"))).code == "WRONG_CODE"
    tables = json.dumps([await stage.ask(f"SELECT * FROM {name}") for name in ("users", "recovery_codes")], default=str)
    assert made.secret not in tables
    assert not any(code in tables for code in recovery)
    assert len(await stage.ask("SELECT FROM recovery_codes")) == RECOVERY_CODES - 1


async def test_codes_are_guessed_no_faster_than_passwords(stage: Stage) -> None:
    """Whether or not a login without a code comes between the guesses: it gives back its own try alone."""
    secret, _ = await stage.enrolled(await stage.user("ada"))
    codes = []
    for at in range(ACCOUNT.free + 1):
        codes += [
            (await stage.refused("ada", PASSWORD, Origin(f"192.0.2.{at}"), code)).code for code in ("000000", None)
        ]
    assert codes.count("WRONG_CODE") == ACCOUNT.free
    assert codes[-2:] == ["TOO_MANY_TRIES"] * 2
    stage.now_s += 30
    assert (await stage.refused("ada", PASSWORD, code=stage.code(secret))).code == "TOO_MANY_TRIES"


async def test_over_a_network_nobody_gets_in_without_a_second_factor(stage: Stage) -> None:
    """A link wants the code as well, and stays until it comes; a session that is moved there is one of there."""
    ada = await stage.user("ada")
    far = Origin("198.51.100.9", remote=True)
    session = await stage.enter("ada", PASSWORD, far)
    assert session.must_enrol
    near = await stage.enter("ada", PASSWORD)
    assert not near.must_enrol
    moved = await stage.store.refresh(near.refresh, lambda token: token[1:], remote=True)
    assert moved.must_enrol
    assert (await stage.store.refresh(moved.refresh, lambda token: token[1:])).must_enrol
    secret, recovery = await stage.enrolled(Who(ada.user_id, "enrolling", "alpha", session.session_id, 0))
    assert not (await stage.store.refresh(session.refresh, lambda token: token[1:], remote=True)).must_enrol
    link = await stage.store.new_link(ada.user_id)
    assert await stage.signing_in.by_link(await stage.store.new_link(ada.user_id), None, HERE), "not on this machine"
    for code, answer in ((None, "CODE_WANTED"), ("000000", "WRONG_CODE")):
        with pytest.raises(Problem) as raised:
            await stage.signing_in.by_link(link, code, far)
        assert raised.value.code == answer
    assert not (await stage.signing_in.by_link(link, recovery[0], far)).must_enrol
    with pytest.raises(Problem) as raised:
        await stage.signing_in.begin_factor(ada)
    assert raised.value.code == "HAS_SECOND_FACTOR", "whoever has a stolen token cannot put another in its place"
    stage.now_s += 60
    await stage.signing_in.remove_factor(ada, stage.code(secret), far)
    assert (await stage.enter("ada", PASSWORD, far)).must_enrol
    link = await stage.people.reset(TERMINAL, "ada", None)
    assert (await stage.signing_in.by_link(link, None, far)).must_enrol


async def test_a_second_factor_opens_by_its_own_key_alone(stage: Stage) -> None:
    """And in its own row: neither a copy of the tables nor a moved row makes a code. A recovery code helps then."""
    ada, ben = await stage.user("ada"), await stage.user("ben")
    _, recovery = await stage.enrolled(ada)
    secret, _ = await stage.enrolled(ben)
    stage.now_s += 30
    await stage.ask("UPDATE users SET totp = (SELECT totp FROM users WHERE name = 'ben') WHERE name = 'ada'")
    assert (await stage.refused("ada", PASSWORD, code=stage.code(secret))).code == "SECOND_FACTOR_LOST"
    assert await stage.enter("ada", PASSWORD, code=recovery[0])
