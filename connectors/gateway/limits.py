"""Rate limits for each tenant, user and kind of route: buckets in the process, filled by leases from Valkey.

A lease is some tokens for a second, drawn by one script, so most requests ask nobody. If there is no Valkey, or it does
not answer, each process limits by itself.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from cachetools import LRUCache
from redis.exceptions import RedisError

from tradewind.connectors.ai.valkey import Link
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.settings import Settings
from tradewind.processors.gateway.buckets import US_PER_S, Bucket, Policy

Kind: TypeAlias = Literal["market", "reads", "questions", "commands"]
USERS: Final[Mapping[Kind, Policy]] = {
    "market": Policy("market", 5_000, 10_000),
    "reads": Policy("reads", 50, 200),
    "questions": Policy("questions", 20, 100),
    "commands": Policy("commands", 10, 40),
}
"""Of one user. The pages ask at most three times a second."""
TENANTS: Final[Mapping[Kind, Policy]] = {
    "market": Policy("market", 10_000, 20_000),
    "reads": Policy("reads", 200, 800),
    "questions": Policy("questions", 100, 400),
    "commands": Policy("commands", 200, 400),
}
"""Of all users of a tenant together."""
NAMED: Final[Mapping[str, tuple[str, str]]] = {
    "market": ("reads of the market", "WS markets/stream sends what changes"),
    "reads": ("reads", "WS stream sends what changes"),
    "questions": ("questions to models", "one request to ai/embeddings takes several texts"),
    "commands": ("commands", "a repeat needs the same Idempotency-Key"),
}
"""Name of a policy -> what it counts, and what helps to need fewer of them."""
LEASES_IN_BURST: Final = 10
"""A lease is so small a part of a bucket that several processes share it evenly."""
LEASE_US: Final = US_PER_S
"""Tokens of a lease that nobody used for so long are given up."""
ANSWER_S: Final = 0.05
"""Valkey answers in a tenth of a millisecond; nobody waits longer for it."""
PAUSE_US: Final = US_PER_S
"""After a failure, Valkey is left alone for so long."""
MOST_BUCKETS: Final = 20_000
"""4 MB. The least recently used one is forgotten, and is full when its user comes again."""
SCRIPT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local per_s, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(kept[1]) or burst) + (now - (tonumber(kept[2]) or now)) * per_s / 1000000)
local granted = math.min(wanted, math.floor(tokens))
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * burst / per_s) + 1000)
return {granted, math.floor(tokens), math.ceil(math.max(0, 1 - tokens) * 1000 / per_s)}
"""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Granted:
    """What a lease has brought."""

    tokens: int
    left: int
    """In the shared bucket."""
    next_s: float
    """After so many seconds there is a token again."""


@dataclass(frozen=True, slots=True)
class Left:
    """What somebody may still do."""

    policy: Policy
    tokens: int

    def headers(self) -> dict[str, str]:
        """Return the headers of the IETF's draft on rate limits."""
        policy = self.policy
        return {
            "RateLimit-Policy": f'"{policy.name}";q={policy.burst};w={policy.window_s}',
            "RateLimit": f'"{policy.name}";r={self.tokens};t={policy.window_s}',
        }

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the same as ASGI sends them."""
        return [(name.lower().encode(), value.encode()) for name, value in self.headers().items()]


class Leases(Protocol):
    """Who lends tokens of buckets that processes share."""

    async def draw(self, key: str, policy: Policy, wanted: int) -> Granted:
        """Draw up to so many tokens. Raises `LeasesAway`."""

    async def close(self) -> None:
        """Close the connection."""


class LeasesAway(RuntimeError):
    """Nobody lends tokens now."""


class ValkeyLeases:
    """Lends from Valkey. For one event loop; one question at a time."""

    def __init__(self, settings: Settings, answer_s: float = ANSWER_S) -> None:
        """Wait for an answer so long; then nobody lends."""
        self._link, self._one, self._answer_s = Link(settings.redis), asyncio.Lock(), answer_s
        self._prefix = settings.physical("tradewind.limits/")

    async def draw(self, key: str, policy: Policy, wanted: int) -> Granted:
        """Draw up to so many tokens. Raises `LeasesAway`."""
        command = ("EVAL", SCRIPT, 1, self._prefix + key, policy.per_s, policy.burst, wanted)
        async with self._one:
            try:
                (reply,) = await self._link.ask([command], self._answer_s)
            except (OSError, RedisError) as error:
                raise LeasesAway(f"{type(error).__name__}: {error}") from error
        if isinstance(reply, Exception):
            raise LeasesAway(str(reply))
        granted, left, next_ms = map(int, reply)
        return Granted(granted, left, next_ms / 1000)

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()


@dataclass(slots=True)
class _Held:
    """What a process knows of one bucket."""

    policy: Policy
    own: Bucket
    """While nobody lends."""
    leased: int = 0
    until_us: int = 0
    left: int = 0
    empty_until_us: int = 0
    """The shared bucket has no token before: nobody is asked until then."""
    drawing: asyncio.Task[Granted] | None = None
    """One lease at a time, whoever waits for it."""


@dataclass(slots=True)
class Limits:
    """Limits of one process. For one event loop; `now_us` is a clock that never steps, µs."""

    leases: Leases | None
    now_us: Callable[[], int]
    users: Mapping[Kind, Policy] = field(default_factory=lambda: USERS)
    tenants: Mapping[Kind, Policy] = field(default_factory=lambda: TENANTS)
    _held: LRUCache[str, _Held] = field(default_factory=lambda: LRUCache(MOST_BUCKETS), init=False)
    _alone_until_us: int = field(default=0, init=False)
    _alone: bool = field(default=False, init=False)

    async def take(self, who: Who, kind: Kind) -> Left:
        """Take a call's token of the user and of the tenant; raises `Problem` (429) where there is none."""
        left = await self._take(f"user/{who.user_id}/{kind}", self.users[kind], "you make")
        if who.tenant_id is not None:
            of_tenant = await self._take(f"tenant/{who.tenant_id}/{kind}", self.tenants[kind], "your tenant makes")
            left = min(left, of_tenant, key=lambda one: one.tokens)
        return left

    async def close(self) -> None:
        """Let go of Valkey."""
        if self.leases is not None:
            await self.leases.close()

    async def _take(self, key: str, policy: Policy, whose: str) -> Left:
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(policy, Bucket.full(policy, self.now_us()))
        while self.leases is not None and self.now_us() >= self._alone_until_us:
            if held.leased > 0 and self.now_us() < held.until_us:
                held.leased -= 1
                return Left(policy, held.left + held.leased)
            if (empty_us := held.empty_until_us - self.now_us()) > 0:
                raise _too_many(policy, whose, empty_us / US_PER_S)
            try:
                granted = await asyncio.shield(self._lease(self.leases, held, key))
            except LeasesAway as error:
                self._go_alone(error)
                break
            if granted.tokens == 0:
                held.empty_until_us = self.now_us() + round(granted.next_s * US_PER_S)
                raise _too_many(policy, whose, granted.next_s)
        if held.own.take(1, self.now_us()) == 0:
            raise _too_many(policy, whose, held.own.next_s())
        return Left(policy, int(held.own.tokens))

    def _lease(self, leases: Leases, held: _Held, key: str) -> asyncio.Task[Granted]:
        if held.drawing is None or held.drawing.done():
            held.drawing = asyncio.get_running_loop().create_task(self._drawn(leases, held, key))
        return held.drawing

    async def _drawn(self, leases: Leases, held: _Held, key: str) -> Granted:
        granted = await leases.draw(key, held.policy, max(1, held.policy.burst // LEASES_IN_BURST))
        held.leased, held.left = granted.tokens, granted.left
        held.until_us = self.now_us() + LEASE_US
        if self._alone:
            self._alone = False
            log.info("rate limits are shared again")
        return granted

    def _go_alone(self, error: LeasesAway) -> None:
        self._alone_until_us = self.now_us() + PAUSE_US
        if not self._alone:
            self._alone = True
            log.warning("this process limits rates by itself until Valkey answers: %s", error)


def limits_of(settings: Settings, now_us: Callable[[], int]) -> Limits:
    """Return the limits of a process; without the address of a Valkey, it limits by itself."""
    return Limits(None if settings.redis.url is None else ValkeyLeases(settings), now_us)


def _too_many(policy: Policy, whose: str, next_s: float) -> Problem:
    wait_s = max(1, math.ceil(next_s))
    counted, helps = NAMED[policy.name]
    return Problem(
        429,
        "TOO_MANY_REQUESTS",
        f"{whose} more than {policy.per_s:,} {counted} a second, {policy.burst:,} at once",
        f"wait {wait_s} s, and ask less often; {helps}",
        headers={**Left(policy, 0).headers(), "Retry-After": str(wait_s)},
    )
