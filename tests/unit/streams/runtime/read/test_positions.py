"""Where a task starts: the group and the changelog agree, or one of them is not there, or the worker stops."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from tradewind.streams.runtime.errors import LeaseRefused, PositionsDiffer, RecordsGone
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.positions import _whole, check_reachable, start_positions


def test_both_agree() -> None:
    """The ordinary case: they were written in one transaction."""
    assert start_positions("a", 0, {"x": 5, "y": 7}, {"x": 5, "y": 7}) == {"x": 5, "y": 7}


def test_the_groups_offsets_have_expired() -> None:
    """Brokers forget the offsets of an idle group; the changelog does not."""
    assert start_positions("a", 0, {"x": None, "y": None}, {"x": 5, "y": 7}) == {"x": 5, "y": 7}


def test_nobody_knows() -> None:
    """A first start, or an input that the agent did not have before."""
    assert start_positions("a", 0, {"x": None}, {}) == {"x": None}
    assert start_positions("a", 0, {"x": 5, "y": None}, {"x": 5}) == {"x": 5, "y": None}


def test_an_input_of_the_runtime_stands_where_the_group_has_it_though_an_older_version_wrote_last() -> None:
    """A worker from before redrive read none of it and named none of it; between equals they still have to agree."""
    assert start_positions("a", 0, {"x": 5, "r": 3}, {"x": 5}, ("r",)) == {"x": 5, "r": 3}
    assert start_positions("a", 0, {"x": 5, "r": None}, {"x": 5}, ("r",)) == {"x": 5, "r": None}
    assert start_positions("a", 0, {"x": 5, "r": None}, {"x": 5, "r": 3}, ("r",)) == {"x": 5, "r": 3}
    with pytest.raises(PositionsDiffer, match="the group is at offset 3 of r, the changelog at 4"):
        start_positions("a", 0, {"x": 5, "r": 3}, {"x": 5, "r": 4}, ("r",))


def test_an_input_that_the_version_before_did_not_have_stands_where_the_group_has_it() -> None:
    """Somebody went back to an older version and forth again: it moved the others, and not this one."""
    assert start_positions("a", 0, {"x": 5, "y": 7}, {"x": 5}) == {"x": 5, "y": 7}


@pytest.mark.parametrize("changelog", [{}, {"x": 4}, {"x": 6}])
def test_any_other_difference_stops_the_worker(changelog: dict[str, int]) -> None:
    """An operator moved the group, or the changelog was emptied: the state would not fit the records."""
    with pytest.raises(PositionsDiffer, match="agent a, partition 3: the group is at offset 5 of x, the changelog at"):
        start_positions("a", 3, {"x": 5}, changelog)


@pytest.mark.parametrize(("generation", "member"), [(-1, "m"), (1, ""), (-1, "")])
def test_metadata_that_the_broker_would_not_check_is_refused(generation: int, member: str) -> None:
    """An expelled aiokafka consumer has such; the broker would take its commits from anybody."""
    with pytest.raises(LeaseRefused, match="the broker would commit under it unchecked"):
        Lease("g", generation, member, frozenset())


def test_a_lease_is_equal_to_itself_alone() -> None:
    """Two assignments with the same partitions in one generation never mix."""
    one, other = (Lease("g", 1, "m", frozenset({("t", 0), ("u", 0), ("t", 2)})) for _ in range(2))
    assert one != other
    assert one.tasks == (0, 2)


def test_an_error_is_no_absence_of_an_offset() -> None:
    """A partition's own error leaves -1001 where its offset would be: a first start would begin from anywhere."""
    good = SimpleNamespace(offset=-1001, error=None)
    bad: Any = SimpleNamespace(offset=-1001, error=KafkaError(KafkaError.NOT_COORDINATOR))
    answers: Any = [good, good]
    assert _whole(answers) == answers
    with pytest.raises(KafkaException, match="NOT_COORDINATOR"):
        _whole([*answers, bad])


def test_a_position_is_reachable_from_the_first_record_to_the_end() -> None:
    """Both included: at the end the next record will come."""
    bounds = {("t", 0): (3, 9), ("t", 1): (3, 9), ("t", 2): (7, 7)}
    check_reachable("a", "g", {("t", 0): 3, ("t", 1): 9, ("t", 2): 7}, bounds)
    check_reachable("a", "g", {}, bounds)


def test_a_position_that_is_not_on_the_topic_stops_the_worker() -> None:
    """The message has what it takes to judge the loss: where, from which offset on, how many."""
    bounds = {("t", 0): (10, 90), ("t", 1): (10, 90), ("u", 1): (0, 4)}
    with pytest.raises(RecordsGone) as stopped:
        check_reachable("a", "g", {("t", 1): 7, ("t", 0): 10, ("u", 1): 5}, bounds)
    assert str(stopped.value).startswith(
        "agent a, group g: t, partition 1, is needed from offset 7 on and begins at 10: 3 offsets are gone, by "
        "retention or by hand; u, partition 1, is needed from offset 5 on and ends at 4: it lost its last 1 offsets, "
    )
    assert "docs/architecture.md" in str(stopped.value)
