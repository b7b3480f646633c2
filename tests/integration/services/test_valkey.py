"""The embedded Valkey: started where the settings ask for one, closed to others, and with its data after kill -9."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from calls.calling import call

from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.ai.cache.kept import kept_of, key_of
from tradewind.connectors.ai.cache.shared import ValkeyAnswers
from tradewind.connectors.settings import RedisSettings, Settings
from tradewind.infra.cli.ai.cache import in_valkey
from tradewind.infra.services import endpoints
from tradewind.infra.services.embedded import services
from tradewind.infra.services.stack import Stack, embedded

EXTERNAL = frozenset(one.part for one in services().values()) - {"redis"}


@pytest.fixture
def alone(new_data: Callable[[], Path], stack: Stack) -> Stack:
    """Give a stack of nothing but a Valkey; the other services are those of the tests."""
    data = new_data() / "a*b?[c]"
    data.mkdir()
    others = Settings(data=stack.data, _env_file=None)
    parts = {part: getattr(others, part) for part in EXTERNAL}
    asked = Settings(data=data, _env_file=None, redis=RedisSettings(embedded=True), **parts)
    return Stack(data, asked, base_port=None)


def test_it_keeps_its_data_through_kill_9_and_its_password_to_itself(alone: Stack) -> None:
    """On the same port, with the same password; nobody gets in without it, and `status` shows it."""
    (running,) = alone.start()
    try:
        part = endpoints.published(alone.data)["redis"]
        with redis.Redis.from_url(running.url) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with redis.Redis.from_url(part["url"], username=part["user"], password=part["password"]) as client:
            client.set("key", "value")
            (server,) = alone.service("valkey").servers
            server.kill()
            assert alone.dead() == ["valkey"]
            assert alone.restart("valkey").url == running.url
            assert client.get("key") == b"value"
            asyncio.run(_shared_by_callers(part))
            (name,) = client.scan_iter("ai:cache:alpha/*")
            assert 86_000 < client.ttl(name) <= 86_400
        (health,) = [one for one in alone.health() if one.name == "valkey"]
        assert (health.healthy, health.version) == (True, running.version)
        assert part["password"] not in " ".join(alone.service("valkey").servers[0].command.argv)
    finally:
        alone.stop()
    assert endpoints.published(alone.data) == {}


async def _shared_by_callers(part: Mapping[str, Any]) -> None:
    """Check that a caller finds the answer that another one has kept, for the tenant of the answer alone."""
    redis_at = RedisSettings(url=part["url"], user=part["user"], password=part["password"])
    settings = Settings(_env_file=None, redis=redis_at)
    one, two = ValkeyAnswers(settings), ValkeyAnswers(settings)
    asked = call(1, cache="EXACT")
    kept = kept_of(asked, Answer("OK", text="calm", finish="STOP"))
    assert kept is not None
    one.put(key_of(asked), kept)
    await one.close()  # which waits for what is being written
    assert await two.get(key_of(asked), asked) == kept
    other = replace(asked, tenant_id="beta")
    assert await two.get(key_of(other), other) is None
    assert in_valkey(settings) == {"entries": 1, "bytes": kept.size}
    await two.close()


def test_it_starts_unless_the_settings_say_otherwise() -> None:
    """The caller shows answers by it, and does without it."""
    assert "valkey" not in embedded(Settings(_env_file=None, redis=RedisSettings(embedded=False)), frozenset())
    assert list(embedded(Settings(_env_file=None), EXTERNAL)) == ["valkey"]


def test_a_service_comes_with_those_that_it_needs() -> None:
    """The registry keeps its schemas in the embedded PostgreSQL, also where Tradewind's own tables are elsewhere."""
    chosen = embedded(Settings(_env_file=None), frozenset({"kafka", "postgres", "influx", "redis"}))
    assert list(chosen) == ["postgres", "registry"]
    every = ["kafka", "postgres", "questdb", "valkey", "registry"]
    assert list(embedded(Settings(_env_file=None), frozenset())) == every
