"""The fixtures that every test of real services uses: each test is alone, and leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tradewind.connectors.settings import Settings
from tradewind.infra.services.stack import Stack

SEEN: list[Settings] = []


@pytest.fixture(params=["one", "another"])
def used(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Give settings with a topic that a test created."""
    admin = AdminClient(settings.librdkafka())
    name = settings.physical(request.param)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    yield settings
    SEEN.append(settings)


def test_every_test_has_a_namespace_a_folder_and_a_database_name_of_its_own(used: Settings, stack: Stack) -> None:
    """Nothing of another test, nor of the stack, is shared; topics of the test before are gone."""
    own = (used.namespace, used.data, used.postgres.url)
    for other in SEEN:
        assert not set(own) & {other.namespace, other.data, other.postgres.url}
    assert used.data != stack.data
    topics = AdminClient(used.librdkafka()).list_topics(timeout=30).topics
    assert [name for name in topics if any(name.startswith(other.namespace) for other in SEEN)] == []
