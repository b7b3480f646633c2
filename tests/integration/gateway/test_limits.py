"""Valkey lends tokens of one bucket to all processes, and no more than it holds."""

from __future__ import annotations

import asyncio

import pytest

from tradewind.connectors.gateway.limits import LeasesAway, ValkeyLeases
from tradewind.connectors.settings import RedisSettings, Settings
from tradewind.processors.gateway.buckets import Policy

POLICY = Policy("reads", 1, 100)
PATIENCE_S = 30.0


async def test_leases_of_two_processes_come_from_one_bucket(settings: Settings) -> None:
    """It is full at first; an empty one says when there is a token again."""
    one, other = ValkeyLeases(settings, PATIENCE_S), ValkeyLeases(settings, PATIENCE_S)
    try:
        drawn = await asyncio.gather(*(leases.draw("u", POLICY, 10) for leases in (one, other) for _ in range(8)))
        assert 100 <= sum(granted.tokens for granted in drawn) <= 110  # some seconds may pass meanwhile
        while (empty := await one.draw("u", POLICY, 10)).tokens:
            pass
        assert empty.left == 0
        assert 0 < empty.next_s <= 1
        assert (await other.draw("another", POLICY, 10)).left == 90
    finally:
        await one.close()
        await other.close()


async def test_without_valkey_nobody_waits(settings: Settings) -> None:
    """The error says so at once."""
    away = settings.model_copy(update={"redis": RedisSettings(url="redis://127.0.0.1:1")})
    leases = ValkeyLeases(away)
    with pytest.raises(LeasesAway):
        await leases.draw("u", POLICY, 1)
    await leases.close()
