"""The embedded Valkey: started where the settings ask for one, closed to others, and with its data after kill -9."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tradewind.connectors.settings import RedisSettings, Settings
from tradewind.infra.services import endpoints
from tradewind.infra.services.embedded import services
from tradewind.infra.services.stack import Stack, embedded

EXTERNAL = frozenset(one.part for one in services().values()) - {"redis"}


@pytest.fixture
def alone(new_data: Callable[[], Path], stack: Stack) -> Stack:
    """Give a stack of nothing but a Valkey; the other services are those of the tests."""
    data = new_data()
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
        (health,) = [one for one in alone.health() if one.name == "valkey"]
        assert (health.healthy, health.version) == (True, running.version)
        assert part["password"] not in " ".join(alone.service("valkey").servers[0].command.argv)
    finally:
        alone.stop()
    assert endpoints.published(alone.data) == {}


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
