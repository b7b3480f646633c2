"""Fixtures: servers in containers, started where a test asks for them, once for a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from containing.engine import Contained, engine, running
from containing.servers import DATABASE, LOOPBACK, ORG, USER

from tradewind.connectors.settings import InfluxSettings, KafkaSettings, PostgresSettings, Settings

Start = Callable[[str], Contained]
PARTS: dict[str, Callable[[Contained], dict[str, Any]]] = {
    "postgres": lambda on: {
        "postgres": PostgresSettings(url=f"postgresql://{LOOPBACK}:{on.port}/{DATABASE}", user=USER, password=on.secret)
    },
    "influxdb": lambda on: {"influx": InfluxSettings(url=f"http://{LOOPBACK}:{on.port}", token=on.secret, org=ORG)},
    "kafka": lambda on: {"kafka": KafkaSettings(bootstrap=f"{LOOPBACK}:{on.port}")},
}
"""Service -> the part of the settings that names its container."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder: none of them is of the default run."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.containers)


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Give a function that starts a service by name, once for the module."""
    client = engine()
    found: dict[str, Contained] = {}
    with ExitStack() as open_:

        def started(service: str) -> Contained:
            if service not in found:
                found[service] = open_.enter_context(running(client, service))
            return found[service]

        yield started
    client.close()


@pytest.fixture
def contained(start: Start, settings: Settings) -> Callable[[str], Settings]:
    """Give a function that returns the test's settings with a service in a container in the embedded one's place."""

    def changed(service: str) -> Settings:
        return settings.model_copy(update=PARTS[service](start(service)))

    return changed
