"""An engaged kill switch holds whatever its topic lost; what the topic says later than PostgreSQL holds as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.cluster.switches import Kept, OnTopic, Whose, halted, named, whose
from tradewind.connectors.cluster.switches import current as current_of
from tradewind.connectors.cluster.switches import lost as lost_of
from tradewind.processors.identity import derive_id
from tradewind.schemas.risk import KillSwitch


def command(at: int, tenant: str | None = "beta", account: str | None = None, *, engaged: bool = True) -> KillSwitch:
    """Make a command; its id follows from all of it."""
    event_id = derive_id("switch", tenant or "*", account or "*", at, str(engaged))
    return KillSwitch(
        event_id=event_id,
        tenant_id=tenant,
        ts_event=at,
        ts_ingest=at,
        correlation_id=event_id,
        causation_id=event_id,
        account_id=account,
        engaged=engaged,
        reason="must hold",
    )


Commands = Mapping[int, Sequence[KillSwitch]]


def on(commands: Commands, topic_id: str | None = "one", start: int = 0) -> OnTopic:
    """Make a topic whose partitions have these commands, from an offset on."""
    return OnTopic({number: dict(enumerate(of, start)) for number, of in commands.items()}, topic_id)


def lost(kept: Sequence[KillSwitch], commands: Commands) -> list[KillSwitch]:
    """Compare with what PostgreSQL kept of another topic."""
    return lost_of(on({0: kept}, "before").last(), on(commands))


def current(kept: Sequence[KillSwitch], commands: Commands) -> dict[Whose, KillSwitch]:
    """Return what holds by such a comparison."""
    return current_of(on({0: kept}, "before").last(), on(commands))


def test_a_switch_that_an_empty_topic_lacks_is_published_again() -> None:
    """The topic was recreated, or its records are gone."""
    assert lost([command(1)], {0: [], 1: []}) == [command(1)]
    assert lost([command(1)], {}) == [command(1)]


def test_a_switch_that_one_partition_lacks_is_published_again_even_without_postgresql() -> None:
    """Each task of the risk agent reads one partition: its tenants would trade there."""
    assert lost([], {0: [command(1)], 1: []}) == [command(1)]


def test_a_switch_that_every_partition_has_is_in_force() -> None:
    """Nothing is published twice."""
    assert lost([command(1)], {0: [command(1)], 1: [command(1)]}) == []


def test_a_release_on_the_topic_that_postgresql_has_not_heard_of_holds() -> None:
    """The sink may be behind, and retention may have taken what it kept."""
    lifted = command(2, engaged=False)
    topic = on({0: [command(1), lifted]})
    kept = [Kept(command(1), 0, 0, "one")]
    assert (lost_of(kept, topic), halted(current_of(kept, topic))) == ([], [])
    topic = on({0: [lifted]}, start=1)
    assert (lost_of(kept, topic), halted(current_of(kept, topic))) == ([], [])


def test_a_halt_that_the_topic_lost_holds_over_an_earlier_release() -> None:
    """The topic lost its end; the release before it is still there."""
    before = command(1, engaged=False)
    assert lost([command(2)], {0: [before], 1: [before]}) == [command(2)]


def test_the_topic_s_order_decides_where_clocks_of_producers_disagree() -> None:
    """The risk agent obeys records in order: a release with an earlier time after a halt releases."""
    topic = on({0: [command(9), command(5, engaged=False)]})
    kept = [Kept(command(9), 0, 0, "one")]
    assert lost_of(kept, topic) == []
    assert halted(current_of(kept, topic)) == []


def test_a_halt_with_an_earlier_time_than_a_release_outlives_its_topic() -> None:
    """The clock of another machine is behind, or the time was written by hand."""
    arrived = [command(9, engaged=False), command(5)]
    assert lost(arrived, {0: [], 1: []}) == [command(5)]
    assert lost_of([], on({0: arrived, 1: arrived[:1]})) == [command(5)]


def test_a_second_halt_with_the_id_of_the_first_outlives_its_topic() -> None:
    """Somebody copied a command, or published it again, after the release."""
    arrived = [command(5), command(6, engaged=False), replace(command(5), reason="again")]
    assert lost(arrived, {0: []}) == [arrived[-1]]
    assert lost([arrived[0], arrived[1], arrived[0]], {0: [arrived[0], arrived[1]]}) == [arrived[0]]
    assert lost_of(on({0: arrived}).last(), on({0: arrived[:2]})) == [arrived[-1]]


def test_in_doubt_the_engaged_one_holds() -> None:
    """Partitions with two orders; a halt of a topic before, whose place says nothing here; ids that are not told."""
    release = command(2, engaged=False)
    assert lost_of([], on({0: [command(1), release], 1: [release, command(1)]})) == [command(1)]
    for topic_id in ("before", None):
        kept = [Kept(command(1), 0, 0, topic_id)]
        assert lost_of(kept, on({0: [release, release]})) == [command(1)]
        assert lost_of(kept, on({0: [release, release]}, None)) == [command(1)]


def test_a_command_that_was_kept_without_a_place_is_found_on_the_topic() -> None:
    """PostgreSQL had it before places were kept: the topic's order goes on to decide."""
    topic = on({0: [command(5), command(3, engaged=False)]})
    assert lost_of([Kept(command(5))], topic) == []
    assert lost_of([Kept(command(6))], topic) == [command(6)]


def test_a_release_that_the_topic_lost_leaves_the_tenant_halted() -> None:
    """In doubt nobody trades: a person sees the halt, and lifts it again."""
    assert lost([command(2, engaged=False)], {0: [], 1: []}) == []
    assert lost([], {0: [command(1)], 1: [command(1), command(2, engaged=False)]}) == []


def test_switches_of_a_tenant_of_an_account_and_of_everyone_are_apart() -> None:
    """A release of one leaves the others."""
    kept = [command(1), command(2, account="main"), command(3, tenant=None), command(4, engaged=False)]
    assert lost(kept, {0: []}) == [command(2, account="main"), command(3, tenant=None)]
    assert [named(whose(one)) for one in lost(kept, {0: []})] == ["beta/main", "every tenant"]


@given(
    st.lists(st.tuples(st.sampled_from(["alpha", "beta"]), st.booleans(), st.integers(0, 3)), max_size=12),
    st.integers(0, 12),
    st.integers(0, 12),
    st.booleans(),
)
def test_whatever_the_topic_loses_at_its_beginning_or_whole_no_halt_is_lost(
    commands: list[tuple[str, bool, int]], kept_until: int, gone: int, told: bool
) -> None:
    """PostgreSQL is behind by some commands, the topic has lost some: together they know all, and every halt holds.

    Times and ids come in any order and repeatedly.
    """
    every = [command(at, tenant, engaged=engaged) for tenant, engaged, at in commands]
    topic_id = "one" if told else None
    kept = on(dict.fromkeys(range(2), every[: max(kept_until, gone)]), topic_id).last()
    truth = {one.tenant_id: one.engaged for one in every}
    again = lost_of(kept, on(dict.fromkeys(range(2), every[gone:]), topic_id, start=gone))
    after = [*every[gone:], *again]
    in_force = {one.tenant_id: one.engaged for one in after}
    assert all(in_force.get(tenant) for tenant, engaged in truth.items() if engaged)
    if told:
        assert all(truth[one.tenant_id] for one in again)
