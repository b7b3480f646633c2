"""What the group and the topic of claims must agree about before a caller begins."""

from __future__ import annotations

import pytest

from tradewind.connectors.calls.claims import Mark
from tradewind.connectors.calls.kept import claims_topic, differing
from tradewind.connectors.calls.marks import Marks
from tradewind.topics import AI_CALLS

HERE, THERE = (Mark(marks.offset, marks.encode()) for marks in (Marks(5), Marks(6)))


@pytest.mark.parametrize(
    ("group", "kept", "agree"),
    [
        (None, None, True),
        (HERE, HERE, True),
        (Mark(5, ""), None, True),
        (HERE, THERE, False),
        (None, HERE, False),
        (HERE, None, False),
        (Mark(5, ""), HERE, False),
        (Mark(5, THERE.metadata), HERE, False),
    ],
)
def test_marks_are_believed_only_where_both_say_the_same(group: Mark | None, kept: Mark | None, agree: bool) -> None:
    """A person who sets an offset removes the topic's marks as well."""
    assert (differing(group, kept) is None) == agree


def test_marks_of_a_partition_of_calls_have_a_partition_of_their_own() -> None:
    """So that the last record of each is near the end."""
    topic = claims_topic("caller-ai", AI_CALLS)
    assert (topic.name, topic.partitions, topic.cleanup) == ("caller-ai.claims", AI_CALLS.partitions, "compact")
