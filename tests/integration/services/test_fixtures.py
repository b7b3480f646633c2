"""The fixtures that every test of real services uses: each test is alone, and leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from harness.shared_stack import SharedStack
from processes.instance import wait

from tradewind.connectors.settings import Settings

pytestmark = pytest.mark.xdist_group("services_fixtures")  # the second looks at what the first one left
SEEN: list[Settings] = []
SOON_S = 30.0


@pytest.fixture(params=["one", "another"])
def used(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Give settings with a topic that a test created."""
    admin = AdminClient(settings.librdkafka())
    name = settings.physical(request.param)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    wait(lambda: name in admin.list_topics(timeout=30).topics, SOON_S)  # what is not shown yet would not be deleted
    yield settings
    SEEN.append(settings)


def test_every_test_has_a_namespace_a_folder_and_a_database_name_of_its_own(used: Settings, stack: SharedStack) -> None:
    """Nothing of another test, nor of the stack, is shared; topics of the test before are gone."""
    own = (used.namespace, used.data, used.postgres.url)
    for other in SEEN:
        assert not set(own) & {other.namespace, other.data, other.postgres.url}
    assert used.data != stack.data
    admin = AdminClient(used.librdkafka())

    def left() -> list[str]:
        topics = admin.list_topics(timeout=30).topics
        return [name for name in topics if any(name.startswith(other.namespace) for other in SEEN)]

    wait(lambda: left() == [], SOON_S, left)  # brokers show a deletion some time after it was confirmed
