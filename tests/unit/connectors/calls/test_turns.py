"""Turns: fair between tenants, in time, and bounded."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from sinks.running import tick

from tradewind.connectors.calls.call import Call
from tradewind.connectors.calls.turns import Turns

FOR_EVER = 10**15


def call(
    offset: int,
    tenant: str = "a",
    not_before_us: int = 0,
    deadline_us: int = FOR_EVER,
    lane: str = "",
    lane_most: int = 0,
) -> Call:
    """Make a call of a tenant."""
    return Call((("calls", 0), offset), tenant, tick(offset), not_before_us, deadline_us, 10, lane, lane_most)


def test_a_tenant_with_one_call_does_not_wait_behind_a_thousand_of_another() -> None:
    """Some slots are never one tenant's, and a slot that is freed is for who has the fewest."""
    turns = Turns(most=10, tenant_most=8)
    for offset in range(1000):
        turns.add(call(offset, "busy"))
    flying = turns.take(0)
    assert len(flying) == 8
    turns.add(call(1000, "quiet"))
    assert [one.tenant for one in turns.take(0)] == ["quiet"]
    turns.landed(flying[0])
    turns.add(call(1001, "quiet"))
    turns.add(call(1002, "new"))
    assert [one.tenant for one in turns.take(0)] == ["new", "quiet"]


@given(st.lists(st.sampled_from("abcd"), max_size=60), st.integers(1, 20))
def test_slots_are_shared_as_evenly_as_what_waits_allows(tenants: list[str], most: int) -> None:
    """Nobody who waits has two slots fewer than another."""
    turns = Turns(most, most)
    for offset, tenant in enumerate(tenants):
        turns.add(call(offset, tenant))
    flying = Counter(one.tenant for one in turns.take(0))
    assert flying.total() == min(most, len(tenants))
    left = Counter(tenants) - flying
    assert all(flying[one] >= flying[other] - 1 for one in left for other in flying)


def test_a_call_that_waits_for_its_time_holds_up_no_other() -> None:
    """Such as one that a provider has asked to come later."""
    turns = Turns(most=2, tenant_most=2)
    turns.add(call(0, not_before_us=100))
    turns.add(call(1))
    assert [one.offset for one in turns.take(99)] == [1]
    assert turns.next_us() == 100
    assert [one.offset for one in turns.take(100)] == [0]


def test_a_call_expires_once_whether_its_time_has_come_or_not() -> None:
    """It takes no slot for that."""
    turns = Turns(most=1, tenant_most=1)
    turns.add(call(0, deadline_us=50))
    turns.add(call(1, not_before_us=100, deadline_us=50))
    turns.add(call(2, deadline_us=51))
    assert turns.size == 30
    assert sorted(one.offset for one in turns.expired(50)) == [0, 1]
    assert turns.expired(50) == []
    assert turns.size == 10
    assert [one.offset for one in turns.take(50)] == [2]
    assert len(turns) == turns.size == 0
    assert turns.expired(60) == []


def test_calls_of_one_tenant_go_in_order() -> None:
    """By their offsets."""
    turns = Turns(most=100, tenant_most=100)
    for offset in range(20):
        turns.add(call(offset))
    assert [one.offset for one in turns.take(0)] == list(range(20))


def test_a_full_lane_holds_up_no_other_call_of_its_tenant() -> None:
    """A key that takes two calls at once has the third wait for the end of one, while those of other keys go."""
    turns = Turns(most=10, tenant_most=10)
    for offset in range(4):
        turns.add(call(offset, lane="slow", lane_most=2))
    turns.add(call(4, lane="fast", lane_most=2))
    turns.add(call(5))
    flying = turns.take(0)
    assert sorted(one.offset for one in flying) == [0, 1, 4, 5]
    assert turns.take(0) == []
    turns.landed(next(one for one in flying if one.offset == 4))
    assert turns.take(0) == []
    turns.landed(flying[0])
    assert [one.offset for one in turns.take(0)] == [2]
    assert len(turns) == 1


def test_a_call_that_expires_in_a_full_lane_frees_the_next_one() -> None:
    """It waits no more, so it must not be the one that returns."""
    turns = Turns(most=10, tenant_most=10)
    for offset, deadline_us in enumerate((FOR_EVER, 50, FOR_EVER)):
        turns.add(call(offset, deadline_us=deadline_us, lane="key", lane_most=1))
    (first,) = turns.take(0)
    assert [one.offset for one in turns.expired(50)] == [1]
    turns.landed(first)
    assert [one.offset for one in turns.take(50)] == [2]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=40), st.integers(1, 6), st.data())
def test_lanes_are_never_too_full_and_each_call_has_its_turn(
    calls: list[tuple[str, str]], most: int, data: st.DataObject
) -> None:
    """However calls come and land: what waits is sent once there is room, and once only."""
    turns, allowed = Turns(most, most), {"x": 1, "y": 2, "z": 0}
    for offset, (tenant, lane) in enumerate(calls):
        turns.add(call(offset, tenant, lane=lane, lane_most=allowed[lane]))
    flying: list[Call] = []
    sent: list[int] = []
    while len(sent) < len(calls) or flying:
        new = turns.take(0)
        flying += new
        sent += [one.offset for one in new]
        full = Counter(one.lane for one in flying)
        assert len(flying) <= most
        assert all(full[lane] <= limit for lane, limit in allowed.items() if limit)
        turns.landed(flying.pop(data.draw(st.integers(0, len(flying) - 1))))
    assert sorted(sent) == list(range(len(calls)))
