"""The picture of the flow can be read: no card overlaps another, and no wire crosses a card."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.health.layout import CHANNEL, IN_ROW, OUT_ROW, WIDTH, Box, Curve, Layout, lay_out
from tradewind.processors.health.picture import Card, Declared, cards
from tradewind.topics import DOMAIN_TOPICS

LANES = ("trading", "ai", "billing")
SAMPLES = 24
"""Points of a curve that are looked at: a card is wider than what lies between two of them."""
NAMES = [f"agent{number}" for number in range(9)]
OWN = st.lists(
    st.builds(
        Declared,
        name=st.sampled_from([f"topic{number}" for number in range(12)]),
        lane=st.sampled_from(LANES),
        producers=st.lists(st.sampled_from([*NAMES, "feed", "cli"]), min_size=1, max_size=3, unique=True).map(tuple),
        consumers=st.lists(st.sampled_from([*NAMES, "postgres"]), max_size=4, unique=True).map(tuple),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda topic: topic.name,
)


def on(curve: Curve, part: float) -> tuple[float, float]:
    """Return a point of a curve, from 0 to 1."""
    rest = 1 - part
    weights = (rest**3, 3 * rest**2 * part, 3 * rest * part**2, part**3)
    return (
        sum(weight * point[0] for weight, point in zip(weights, curve, strict=True)),
        sum(weight * point[1] for weight, point in zip(weights, curve, strict=True)),
    )


def crosses(curve: Curve, box: Box) -> bool:
    """Return whether a curve passes through a card; its edge may be touched, for wires begin and end there."""
    return any(
        box.x + 0.1 < x < box.x + WIDTH - 0.1 and box.y < y < box.y + box.height
        for x, y in (on(curve, step / SAMPLES) for step in range(SAMPLES + 1))
    )


def check(layout: Layout) -> None:
    """Fail where cards overlap, leave their lane or the picture, or a wire crosses a card or is cut."""
    for one, other in combinations(layout.boxes, 2):
        beside = one.x + WIDTH <= other.x or other.x + WIDTH <= one.x
        assert beside or one.y + one.height < other.y or other.y + other.height < one.y, (one, other)
    bands = {band.name: band for band in layout.bands}
    for one, other in pairwise(layout.bands):
        assert one.y + one.height < other.y
    for box in layout.boxes:
        band = bands[box.card.lane]
        assert band.y < box.y
        assert box.y + box.height < band.y + band.height
        assert CHANNEL <= box.x <= layout.width - WIDTH - CHANNEL
        for rows, apart in (
            ([box.input(row) for row in range(len(box.card.inputs))], IN_ROW),
            ([box.output(row) for row in range(len(box.card.outputs))], OUT_ROW),
        ):
            assert all(later - earlier >= apart - 0.1 for earlier, later in pairwise(rows))
            assert all(box.y < row < box.y + box.height for row in rows)
    for wire in layout.wires:
        for earlier, later in pairwise(wire.curves):
            assert earlier[-1] == later[0]
        for curve in wire.curves:
            assert not any(crosses(curve, box) for box in layout.boxes), (wire, curve)


@given(OWN, st.permutations(NAMES))
def test_no_card_overlaps_and_no_wire_crosses_one(topics: list[Declared], order: list[str]) -> None:
    """For any declarations: loops, readers before their writers, topics with several writers, agents of others."""
    found = cards(topics, order, LANES, {})
    layout = lay_out(found, LANES)
    check(layout)
    shown = [topic for topic in topics if not (topic.consumers and set(topic.consumers) <= set(topic.producers))]
    drawn = {(wire.topic, wire.source.partition("@")[0], wire.target.partition("@")[0]) for wire in layout.wires}
    assert drawn == {
        (topic.name, writer, reader) for topic in shown for writer in topic.producers for reader in topic.consumers
    }


def test_the_picture_of_our_own_topics_holds() -> None:
    """It is the one that people see first, and as wide as a laptop's screen takes at a readable size."""
    topics = [Declared(topic.name, topic.owner, topic.producers, topic.consumers) for topic in DOMAIN_TOPICS]
    lanes = tuple(dict.fromkeys(topic.owner for topic in DOMAIN_TOPICS))
    layout = lay_out(cards(topics, ("tenancy", "market", "signals"), lanes, {}), lanes)
    check(layout)
    assert len(layout.boxes) > len(lanes)


def test_a_wire_through_a_card_is_found() -> None:
    """The check can fail."""
    card = Card("a", "a", "agent", "trading")
    box = Box(card, 100.0, 100.0, 50.0)
    assert crosses(((0.0, 120.0), (0.0, 120.0), (400.0, 120.0), (400.0, 120.0)), box)
    assert not crosses(((0.0, 90.0), (0.0, 90.0), (400.0, 90.0), (400.0, 90.0)), box)


def test_an_empty_picture_is_one() -> None:
    """Where nothing is declared, nothing is drawn."""
    assert lay_out((), LANES).boxes == ()
