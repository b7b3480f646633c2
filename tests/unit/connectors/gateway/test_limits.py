"""Users and tenants are held to their rates over all processes together, and by each process alone without Valkey."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import plain_http
import pytest
from gateway.serving import UNLIMITED, served

from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.limits import NAMED, USERS, Granted, LeasesAway, Limits
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.routes import PREFIX, ROUTES
from tradewind.processors.gateway.buckets import US_PER_S, Bucket, Policy

POLICY = Policy("reads", 50, 200)
TENANT = Policy("reads", 60, 250)


@dataclass
class Clock:
    """A time that a test moves."""

    us: int = 0

    def __call__(self) -> int:
        return self.us


@dataclass
class SharedBuckets:
    """Lends as Valkey does."""

    clock: Clock
    buckets: dict[str, Bucket] = field(default_factory=dict)
    asked: int = 0
    away: bool = False

    async def draw(self, key: str, policy: Policy, wanted: int) -> Granted:
        """Draw tokens."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise LeasesAway("no answer")
        bucket = self.buckets.setdefault(key, Bucket.full(policy, self.clock.us))
        return Granted(bucket.take(wanted, self.clock.us), int(bucket.tokens), bucket.next_s())

    async def close(self) -> None:
        """Do nothing."""


def who(user: str, tenant: str | None = "alpha") -> Who:
    """Return a user."""
    return Who(user, "trader", tenant, "s", 0)


async def calls(limits: Limits, count: int, user: Who) -> list[Problem | None]:
    """Call so many times at once; returns each refusal."""

    async def call() -> Problem | None:
        try:
            await limits.take(user, "reads")
        except Problem as problem:
            return problem
        return None

    return await asyncio.gather(*(call() for _ in range(count)))


def process(shared: SharedBuckets | None, clock: Clock) -> Limits:
    """Return the limits of a process."""
    return Limits(shared, clock, {**UNLIMITED, "reads": POLICY}, {**UNLIMITED, "reads": TENANT})


async def test_two_processes_share_what_a_user_may_do() -> None:
    """Up to what a lease holds back; and few questions are asked of Valkey, also while calls are refused."""
    clock = Clock()
    shared = SharedBuckets(clock)
    one, other = process(shared, clock), process(shared, clock)
    found = [*await calls(one, 300, who("u")), *await calls(other, 300, who("u"))]
    assert sum(refusal is None for refusal in found) == POLICY.burst
    assert shared.asked < 40
    refused = next(refusal for refusal in found if refusal is not None)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert refused.headers["RateLimit"] == '"reads";r=0;t=4'
    asked = shared.asked
    await calls(one, 100, who("u"))
    assert shared.asked == asked, "nobody asks while the bucket is known to be empty"
    clock.us += US_PER_S
    again = [*await calls(one, 100, who("u")), *await calls(other, 100, who("u"))]
    assert POLICY.per_s - 20 <= sum(refusal is None for refusal in again) <= POLICY.per_s


async def test_a_tenant_is_held_to_its_own_rate_and_others_are_not() -> None:
    """However many users it has."""
    clock = Clock()
    limits = process(SharedBuckets(clock), clock)
    found = [refusal for user in range(3) for refusal in await calls(limits, 150, who(f"u{user}"))]
    assert sum(refusal is None for refusal in found) == TENANT.burst
    assert all("your tenant" in refusal.detail for refusal in found if refusal is not None)
    assert await calls(limits, 100, who("other", "beta")) == [None] * 100
    assert await calls(limits, 100, who("operator", None)) == [None] * 100


async def test_without_valkey_each_process_limits_by_itself_and_asks_it_once_a_second() -> None:
    """And shares again once it answers."""
    clock = Clock()
    shared = SharedBuckets(clock, away=True)
    limits = process(shared, clock)
    found = await calls(limits, 300, who("u"))
    assert sum(refusal is None for refusal in found) == POLICY.burst
    assert shared.asked <= 2
    shared.away = False
    clock.us += US_PER_S
    assert sum(refusal is None for refusal in await calls(limits, 300, who("u"))) == POLICY.burst
    assert set(shared.buckets) == {"user/u/reads", "tenant/alpha/reads"}


def test_answers_say_what_is_left_and_a_refused_command_is_not_audited() -> None:
    """A flood must not fill the audit."""
    with served() as gateway:
        gateway.put(("ticks", "EURUSD.SIM"), b"{}")
        gateway.gateway.limits.now_us = lambda: 0
        gateway.gateway.limits.users = {kind: Policy(kind, 1, 2) for kind in UNLIMITED}
        for path in ("streams/flow", "markets/EURUSD/tick"):
            found = [plain_http.get(f"{gateway.url}{PREFIX}/{path}", headers=gateway.bearer()) for _ in range(3)]
            assert [one.status_code for one in found] == [200, 200, 429]
            assert [one.headers["ratelimit"].split(";")[1] for one in found] == ["r=1", "r=0", "r=0"]
            assert found[2].headers["retry-after"] == "1"
        url = f"{gateway.url}{PREFIX}/system/emergency-stop"
        stopped = [plain_http.post(url, headers=gateway.bearer("viewer", "alpha", "k"), json={}) for _ in range(4)]
        assert [one.status_code for one in stopped] == [403, 403, 429, 429]
        assert len(gateway.stores.audited) == 2


@pytest.mark.parametrize("kind", sorted(UNLIMITED))
def test_each_kind_of_route_has_limits(kind: str) -> None:
    """Of users and of tenants, and a tenant may do as much as one of its users; a refusal names what is counted."""
    users, tenants = Limits(None, Clock()).users, Limits(None, Clock()).tenants
    assert users[kind].per_s <= tenants[kind].per_s  # type: ignore[index] # a kind's name
    assert (users[kind].name, tenants[kind].name) == (kind, kind)  # type: ignore[index]
    assert kind in NAMED


async def test_a_question_to_a_model_is_no_command() -> None:
    """Each has a bucket of its own, and its refusal says of what there were too many."""
    kinds = {route.path: route.kind for route in ROUTES if route.method == "POST" and route.roles is not None}
    assert kinds["ai/chat/completions"] == kinds["ai/embeddings"] == "questions"
    assert {path for path, kind in kinds.items() if kind == "questions"} >= {"llm/query", "rag/query"}
    assert kinds["system/emergency-stop"] == kinds["orders/create"] == "commands"
    limits = Limits(None, Clock())
    for _ in range(USERS["questions"].burst):
        await limits.take(who("u"), "questions")
    with pytest.raises(Problem) as refused:
        await limits.take(who("u"), "questions")
    assert "more than 20 questions to models a second, 100 at once" in refused.value.detail
    assert (await limits.take(who("u"), "commands")).tokens == USERS["commands"].burst - 1
