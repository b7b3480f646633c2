"""Where the cards of the picture stand and how its wires run: no card overlaps, and no wire crosses a card.

Cards stand in columns. A wire leaves a card on its right and enters a card on its left. It turns only in the channels
between columns, and passes a column in a slot of its own, which is placed among the cards as if it were one. So no
wire can cross a card, whatever the graph: a reader before its writer gets a wire that turns back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from tradewind.processors.health.picture import Card

WIDTH: Final = 118.0
CHANNEL: Final = 46.0
"""Wide enough for the label of a lag, and for wires to turn in."""
HEAD: Final = 27.0
IN_ROW: Final = 18.0
"""Height of an input: its lag is written beside the card."""
OUT_ROW: Final = 27.0
"""Height of an output: its topic is written in the card, over its rate."""
FOOT: Final = 5.0
SLOT: Final = 8.0
"""Height that a wire takes in a column that it passes."""
GAP: Final = 12.0
BESIDE: Final = 6.0
"""Between two wires that pass a column side by side."""
LANE_HEAD: Final = 20.0
LANE_GAP: Final = 8.0
BULGE: Final = 44.0
"""How far the controls of a turn lie outside; the turn itself goes three quarters as far, within the channel."""
SWEEPS: Final = 12
"""Passes that order and place a lane; what they improve is done after about eight."""
Point: TypeAlias = tuple[float, float]
Curve: TypeAlias = tuple[Point, Point, Point, Point]
"""A cubic Bézier: begin, two controls, end. A straight line is one, too."""


@dataclass(frozen=True, slots=True)
class Box:
    """A card in its place."""

    card: Card
    x: float
    y: float
    height: float

    def input(self, row: int) -> float:
        """Return where the wire of an input comes in."""
        return self.y + _input(row)

    def output(self, row: int) -> float:
        """Return where the wire of an output goes out."""
        return self.y + _output(row)


@dataclass(frozen=True, slots=True)
class Wire:
    """A topic's way from one of its writers to one of its readers, by their cards' ids."""

    topic: str
    source: str
    target: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """A lane in its place."""

    name: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole picture."""

    width: float
    height: float
    bands: tuple[Band, ...]
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


Key: TypeAlias = tuple[str, ...]
"""An item: (card,), or a slot as (card, topic, direction, column)."""


@dataclass(slots=True)
class _Item:
    lane: str
    column: int
    height: float
    y: float = 0.0
    links: list[tuple[Key, float, float]] = field(default_factory=list)
    """(other item, its offset, own offset): both ends of a piece of wire, from the tops of their items."""


def height_of(card: Card) -> float:
    """Return how high a card is."""
    return HEAD + max(IN_ROW * len(card.inputs), OUT_ROW * len(card.outputs)) + FOOT


def lay_out(cards: Sequence[Card], lanes: Sequence[str]) -> Layout:
    """Return the picture of cards that come in the order in which events flow, in lanes from the top."""
    columns = _columns(cards)
    trunks = _trunks(cards, columns)
    items = _items(cards, columns, trunks)
    used = [lane for lane in lanes if any(item.lane == lane for item in items.values())]
    top, bands = 0.0, []
    for lane in used:
        height = _place(items, lane, top + LANE_HEAD)
        bands.append(Band(lane, top, LANE_HEAD + height + GAP))
        top += LANE_HEAD + height + GAP + LANE_GAP
    boxes = {card.id: Box(card, _left(columns[card.id]), items[card.id,].y, items[card.id,].height) for card in cards}
    wires = tuple(wire for trunk in trunks for wire in _wires(trunk, boxes, columns, items))
    count = 1 + max(columns.values(), default=0)
    width = CHANNEL + count * (WIDTH + CHANNEL)
    return Layout(width, max(0.0, top - LANE_GAP), tuple(bands), tuple(boxes.values()), wires)


def _left(column: int) -> float:
    return CHANNEL + column * (WIDTH + CHANNEL)


def _columns(cards: Sequence[Card]) -> dict[str, int]:
    """Return each card's column: behind all that it reads from, but for writers that come later in the order."""
    at = {card.id: place for place, card in enumerate(cards)}
    found: dict[str, int] = {}
    for card in cards:
        before = [other.id for other in cards if at[other.id] < at[card.id] and set(other.outputs) & set(card.inputs)]
        found[card.id] = 1 + max((found[name] for name in before), default=-1)
    for card in cards:
        readers = [found[other.id] for other in cards if other is not card and set(card.outputs) & set(other.inputs)]
        if not card.inputs and readers:
            found[card.id] = max(0, min(readers) - 1)  # a source stands beside its first reader
    return found


@dataclass(frozen=True, slots=True)
class _Trunk:
    """What one card sends on one topic in one direction; readers branch off."""

    card: Card
    topic: str
    targets: tuple[Card, ...]
    slots: tuple[int, ...]
    """The columns that it passes, in the order in which it does."""
    forward: bool

    def slot(self, column: int) -> Key:
        return (self.card.id, self.topic, "forward" if self.forward else "back", str(column))


def _trunks(cards: Sequence[Card], columns: Mapping[str, int]) -> list[_Trunk]:
    found = []
    for card in cards:
        own = columns[card.id]
        for topic in card.outputs:
            readers = [other for other in cards if topic in other.inputs]
            ahead = tuple(other for other in readers if columns[other.id] > own)
            behind = tuple(other for other in readers if columns[other.id] <= own)
            if ahead:
                last = max(columns[other.id] for other in ahead)
                found.append(_Trunk(card, topic, ahead, tuple(range(own + 1, last)), forward=True))
            if behind:
                first = min(columns[other.id] for other in behind)
                found.append(_Trunk(card, topic, behind, tuple(range(own, first - 1, -1)), forward=False))
    return found


def _items(cards: Sequence[Card], columns: Mapping[str, int], trunks: Iterable[_Trunk]) -> dict[Key, _Item]:
    items: dict[Key, _Item] = {(card.id,): _Item(card.lane, columns[card.id], height_of(card)) for card in cards}
    for trunk in trunks:
        for column in trunk.slots:
            items[trunk.slot(column)] = _Item(trunk.card.lane, column, SLOT)
        previous: Key = (trunk.card.id,)
        offset = _output(trunk.card.outputs.index(trunk.topic))
        ways = {columns[trunk.card.id]: (previous, offset)} if trunk.forward else {}
        for column in trunk.slots:
            _link(items, (previous, offset), (trunk.slot(column), SLOT / 2))
            previous, offset = trunk.slot(column), SLOT / 2
            ways[column] = (previous, offset)
        for target in trunk.targets:
            column = columns[target.id] - 1 if trunk.forward else columns[target.id]
            _link(items, ways[column], ((target.id,), _input(target.inputs.index(trunk.topic))))
    return items


def _link(items: Mapping[Key, _Item], one: tuple[Key, float], other: tuple[Key, float]) -> None:
    items[one[0]].links.append((*other, one[1]))
    items[other[0]].links.append((*one, other[1]))


def _input(row: int) -> float:
    return HEAD + IN_ROW * (row + 0.5)


def _output(row: int) -> float:
    return HEAD + OUT_ROW * (row + 0.5)


def _place(items: Mapping[Key, _Item], lane: str, top: float) -> float:
    """Place a lane's items from `top` down, wires as straight as they can be; returns the lane's height."""
    columns: defaultdict[int, list[Key]] = defaultdict(list)
    for key, item in items.items():
        if item.lane == lane:
            columns[item.column].append(key)
    for keys in columns.values():
        _stack(items, keys, top, {})
    order = sorted(columns)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for column in order if forward else reversed(order):
            keys = columns[column]
            wanted = {key: _wanted(items, key, lane, column - 1 if forward else column + 1) for key in keys}
            if sweep < SWEEPS - 4:
                keys.sort(key=lambda key: items[key].y if wanted[key] is None else wanted[key] or 0.0)
            _stack(items, keys, top, {key: at for key, at in wanted.items() if at is not None})
    first = min(items[key].y for keys in columns.values() for key in keys)
    for keys in columns.values():
        for key in keys:
            items[key].y += top - first
    return max(items[key].y + items[key].height for keys in columns.values() for key in keys) - top


def _wanted(items: Mapping[Key, _Item], key: Key, lane: str, column: int) -> float | None:
    """Return where an item would stand for its wires to the neighbouring column to be straight."""
    found = [
        items[other].y + offset - own
        for other, offset, own in items[key].links
        if items[other].lane == lane and items[other].column == column
    ]
    return sum(found) / len(found) if found else None


def _stack(items: Mapping[Key, _Item], keys: Sequence[Key], top: float, wanted: Mapping[Key, float]) -> None:
    """Place items in this order, with gaps, as near to where they are wanted as can be (pooled adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    offset, offsets = 0.0, []
    for before, key in zip([None, *keys], keys, strict=False):
        if before is not None:
            offset += items[before].height + (BESIDE if len(before) == len(key) > 1 else GAP)
        offsets.append(offset)
        blocks.append((wanted.get(key, items[key].y) - offset, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    flat = [at for at, count in blocks for _ in range(count)]
    for key, at, shift in zip(keys, flat, offsets, strict=True):
        items[key].y = max(at, top) + shift


def _wires(
    trunk: _Trunk, boxes: Mapping[str, Box], columns: Mapping[str, int], items: Mapping[Key, _Item]
) -> Iterable[Wire]:
    box = boxes[trunk.card.id]
    start = (box.x + WIDTH, box.output(trunk.card.outputs.index(trunk.topic)))
    for target in trunk.targets:
        to = boxes[target.id]
        end = (to.x, to.input(target.inputs.index(trunk.topic)))
        curves: list[Curve] = []
        here = start
        for column in trunk.slots:
            if (trunk.forward and column >= columns[target.id]) or (not trunk.forward and column < columns[target.id]):
                break
            y = items[trunk.slot(column)].y + SLOT / 2
            left, right = (_left(column), y), (_left(column) + WIDTH, y)
            enter, leave = (left, right) if trunk.forward else (right, left)
            curves += [_turn(here, enter, BULGE), _line(enter, leave)]
            here = leave
        curves.append(_turn(here, end, -BULGE))
        yield Wire(trunk.topic, trunk.card.id, target.id, tuple(curves))


def _turn(begin: Point, end: Point, bulge: float) -> Curve:
    """Return a curve within a channel: across it, or back to the side where it begins, to the right or left of it."""
    (x0, y0), (x1, y1) = begin, end
    if x0 == x1:
        return begin, (x0 + bulge, y0), (x1 + bulge, y1), end
    middle = (x0 + x1) / 2
    return begin, (middle, y0), (middle, y1), end


def _line(begin: Point, end: Point) -> Curve:
    return begin, begin, end, end
