"""A command is carried out once whatever fails, and whoever repeats it; what is refused changes nothing and is kept."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import httpx
import plain_http
import pytest
from gateway.commanding import Stores, WritesInMemory, commands_in_memory, ids, stop_in_memory
from gateway.serving import Served, served
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.cluster.kept import KeptAway
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.commands.asked import Answer, Asked, Caller
from tradewind.connectors.gateway.commands.made import InDoubt
from tradewind.connectors.gateway.commands.stop import Stop
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.routes import PREFIX
from tradewind.connectors.kafka.errors import BrokerUnavailable

URL = f"{PREFIX}/system/emergency-stop"
WHO = Who("u", "owner", "alpha", "s", 0)
BODY = Stop(reason="too fast")


def asked(key: str = "k", digest: bytes = b"d", who: Who = WHO) -> Asked:
    """Return a command."""
    return Asked(Caller(who, "POST system/emergency-stop", key, "127.0.0.1"), digest)


async def stopped(
    stores: Stores, writes: WritesInMemory | None = None, carry_s: float = 10.0, key: str = "k"
) -> Answer:
    """Give the command in a process of its own."""
    commands = commands_in_memory(stores, writes, carry_s)
    try:
        stop = stop_in_memory(stores)
        return await commands.carry_out(asked(key), lambda begun: stop.decide(BODY, begun))
    finally:
        await commands.close()


async def attempt(stores: Stores, writes: WritesInMemory) -> tuple[Answer | None, str]:
    """Return the answer; or why there is none, KILLED where the process ended."""
    try:
        return await stopped(stores, writes), ""
    except Problem as problem:
        return None, problem.code if problem.status == 503 else f"refused with {problem.status}"
    except OSError:
        return None, "KILLED"


async def refusal(stores: Stores, writes: WritesInMemory, carry_s: float = 10.0) -> Problem:
    """Return what a command is refused with."""
    with pytest.raises(Problem) as raised:
        await stopped(stores, writes, carry_s)
    return raised.value


@pytest.fixture
def gateway() -> Iterator[Served]:
    """Serve one whose commands no other test has given."""
    with served() as found:
        yield found


async def test_a_repeat_gets_the_same_answer_from_any_process_and_changes_nothing() -> None:
    """The switch, its audit event and the copy in PostgreSQL come once."""
    stores = Stores()
    first = await stopped(stores)
    assert [await stopped(stores) for _ in range(3)] == [first] * 3
    (switch,), (audit,) = stores.switches, stores.audited
    assert (switch.tenant_id, switch.account_id, switch.engaged, switch.reason) == ("alpha", None, True, "too fast")
    assert first.body["id"] == switch.event_id == asked().id
    assert (audit.outcome, audit.subject, audit.before, audit.user_id) == ("CHANGED", "alpha", None, "u")
    assert json.loads(audit.after or "") == first.body
    assert ids(stores.kept) == [switch.event_id]
    await stopped(stores, key="another")
    assert json.loads(stores.audited[1].before or "") == first.body


FAULTS = st.sampled_from([None, BrokerUnavailable("no broker"), KeptAway("no database")])
DOUBTS = st.sampled_from([None, InDoubt("no answer"), OSError("killed")])


@given(before=st.lists(FAULTS, max_size=5), after=st.lists(DOUBTS, max_size=5))
def test_whatever_fails_a_command_is_carried_out_once(
    before: list[BaseException | None], after: list[BaseException | None]
) -> None:
    """Repeated until it is answered: nobody is told that a command was refused that may have been carried out."""
    stores = Stores()
    writes = WritesInMemory(stores, list(before), list(after))

    async def repeated() -> Answer:
        for _ in range(11):
            answer, code = await attempt(stores, writes)
            if answer is not None:
                return answer
            assert code in {"KAFKA_AWAY", "STORE_AWAY", "UNKNOWN", "KILLED"}
            assert not stores.switches or code in {"UNKNOWN", "KILLED"}
        pytest.fail("it is never answered")

    answer = asyncio.run(repeated())
    assert ids(stores.switches) == [asked().id]
    assert len(stores.audited) == 1
    assert asyncio.run(stopped(stores)) == answer


async def test_what_nobody_has_heard_of_yet_is_unknown_and_a_repeat_finds_it() -> None:
    """Kafka takes longer than a client waits."""
    stores, held = Stores(), threading.Event()
    late = await refusal(stores, WritesInMemory(stores, held=held), carry_s=0.05)
    assert (late.status, late.code, "same Idempotency-Key" in late.remedy) == (503, "UNKNOWN", True)
    held.set()
    answer = await stopped(stores)
    assert ids(stores.switches) == [answer.body["id"]]


async def test_while_kafka_is_away_nothing_is_changed_and_the_answer_says_so() -> None:
    """On a repeat of what may have been done before, nobody can say so."""
    stores = Stores()
    away = await refusal(stores, WritesInMemory(stores, before=[BrokerUnavailable("no broker")]))
    assert (away.status, away.code, away.detail) == (503, "KAFKA_AWAY", "nothing was changed: no broker")
    again = await refusal(stores, WritesInMemory(stores, before=[BrokerUnavailable("no broker")]))
    assert again.code == "UNKNOWN"
    assert stores.events == []


def test_a_stop_by_its_route_is_audited_with_who_and_from_where(gateway: Served) -> None:
    """A tenant's own users say no tenant; another body under the same key is refused."""
    owner = gateway.bearer("owner", "alpha", "one")
    body = {"account": "main", "reason": "too fast"}
    answer = plain_http.post(gateway.url + URL, headers=owner, json=body)
    assert (answer.status_code, answer.json()["account"], answer.json()["stopped"]) == (200, "main", True)
    assert plain_http.post(gateway.url + URL, headers=owner, json=body).json() == answer.json()
    other = plain_http.post(gateway.url + URL, headers=owner, json={**body, "reason": "another"})
    assert (other.status_code, other.json()["code"], other.json()["pointer"]) == (
        422,
        "KEY_REUSED",
        "header: Idempotency-Key",
    )
    done, refused = gateway.stores.audited
    assert (done.user_id, done.role, done.address, done.request_key) == ("u", "owner", "127.0.0.1", "one")
    assert (done.tenant_id, done.subject, done.action) == ("alpha", "alpha/main", "POST system/emergency-stop")
    assert (refused.outcome, refused.code, refused.tenant_id) == ("REFUSED", "KEY_REUSED", "alpha")


@pytest.mark.parametrize(
    ("role", "tenant", "body", "status", "code", "pointer"),
    [
        ("viewer", "alpha", {"reason": "r"}, 403, "FORBIDDEN", None),
        ("trader", "alpha", {"reason": "r", "tenant": "beta"}, 404, "UNKNOWN_TENANT", "#/tenant"),
        ("trader", "alpha", {"reason": "r", "account": "mian"}, 404, "UNKNOWN_ACCOUNT", "#/account"),
        ("trader", "alpha", {"reason": "r", "acount": "main"}, 422, "INVALID", "#/acount"),
        ("trader", "alpha", {"reason": ""}, 422, "INVALID", "#/reason"),
        ("trader", "alpha", {"reason": "r", "lift": True}, 409, "NOT_STOPPED", None),
        ("operator", None, {"reason": "r"}, 422, "INVALID", "#/tenant"),
        ("operator", None, {"reason": "r", "tenant": "alpah"}, 404, "UNKNOWN_TENANT", "#/tenant"),
        ("operator", None, {"reason": "r", "tenant": "*", "account": "main"}, 422, "INVALID", "#/account"),
    ],
)
def test_a_refused_stop_changes_nothing_leaves_its_key_free_and_is_audited(
    gateway: Served, role: str, tenant: str | None, body: dict[str, object], status: int, code: str, pointer: str | None
) -> None:
    """With where and what to do."""
    headers = gateway.bearer(role, tenant, "k")  # type: ignore[arg-type] # a role's name
    found = plain_http.post(gateway.url + URL, headers=headers, json=body)
    assert (found.status_code, found.json()["code"], found.json().get("pointer")) == (status, code, pointer)
    assert found.json()["remedy"]
    assert gateway.stores.switches == []
    assert gateway.stores.rows == {}
    (audit,) = gateway.stores.audited
    assert (audit.outcome, audit.code, audit.role, audit.tenant_id) == ("REFUSED", code, role, tenant)


def test_a_command_without_a_key_is_refused(gateway: Served) -> None:
    """Nobody could repeat it."""
    for headers in (gateway.bearer("owner", "alpha"), gateway.bearer("owner", "alpha", "two words")):
        found = plain_http.post(gateway.url + URL, headers=headers, json={"reason": "r"})
        assert (found.status_code, found.json()["pointer"]) == (422, "header: Idempotency-Key")
    assert gateway.stores.switches == []
    assert len(gateway.stores.audited) == 2


def test_a_refusal_that_nobody_could_record_is_no_refusal(gateway: Served) -> None:
    """Writes get 503 while Kafka is away."""
    gateway.gateway.commands._audits.away = True  # type: ignore[attr-defined]
    found = plain_http.post(gateway.url + URL, headers=gateway.bearer("viewer", "alpha", "k"), json={"reason": "r"})
    assert (found.status_code, found.json()["code"]) == (503, "KAFKA_AWAY")


def test_a_tenant_lifts_its_own_stop_and_not_that_of_an_operator(gateway: Served) -> None:
    """Operators lift any, and stop everyone by a star."""

    def give(headers: dict[str, str], **body: object) -> httpx.Response:
        return plain_http.post(gateway.url + URL, headers=headers, json={"reason": "r", **body})

    assert give(gateway.bearer("trader", "alpha", "1")).status_code == 200
    assert give(gateway.bearer("owner", "alpha", "2"), lift=True).json()["stopped"] is False
    assert give(gateway.bearer("operator", None, "3"), tenant="alpha").status_code == 200
    kept = give(gateway.bearer("owner", "alpha", "4"), lift=True)
    assert (kept.status_code, kept.json()["code"]) == (403, "STOPPED_BY_PLATFORM")
    assert give(gateway.bearer("operator", None, "5"), tenant="alpha", lift=True).status_code == 200
    everyone = give(gateway.bearer("operator", None, "6"), tenant="*")
    assert (everyone.json()["tenant"], everyone.json()["account"]) == (None, None)
    assert [switch.engaged for switch in gateway.stores.switches] == [True, False, True, False, True]
    assert [event.subject for event in gateway.stores.audited][-2:] == ["alpha", "every tenant"]
