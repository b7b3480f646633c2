"""The picture of the flow, as pages draw it: made once, from the declarations of topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradewind.processors.health.layout import WIDTH, Box, Layout, Wire, lay_out
from tradewind.processors.health.picture import Declared, cards
from tradewind.topics import Topic

LANES = {
    "market": "Trading",
    "signals": "Trading",
    "risk": "Trading",
    "execution": "Trading",
    "portfolio": "Trading",
    "ai": "AI",
    "billing": "Tenants, usage and alerts",
    "runtime": "Tenants, usage and alerts",
    "tenancy": "Tenants, usage and alerts",
    "notifications": "Tenants, usage and alerts",
}
"""Domain that owns a topic -> the lane that shows it. Domains of other packages have lanes of their own."""
PEOPLE = "commands"
ALIASES = {"cli": PEOPLE, "prepare": PEOPLE, "tenants": PEOPLE, "consume": PEOPLE, "gateway": PEOPLE}
"""Commands that people run or send to the gateway, as topics name them: one card."""
ROUNDED = 1


def picture_of(topics: Sequence[Topic], order: Sequence[str], left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the picture of topics; `order` names agents as events pass them, `left_out` readers that do not run."""
    declared = [
        Declared(
            topic.name,
            LANES.get(topic.owner, topic.owner),
            topic.producers,
            tuple(name for name in topic.consumers if name not in left_out),
        )
        for topic in topics
    ]
    lanes = tuple(dict.fromkeys((*LANES.values(), *(topic.lane for topic in declared))))
    return _json(lay_out(cards(declared, order, lanes, ALIASES), lanes))


def _json(layout: Layout) -> dict[str, Any]:
    return {
        "width": layout.width,
        "height": layout.height,
        "card_width": WIDTH,
        "lanes": [{"name": band.name, "y": band.y, "height": band.height} for band in layout.bands],
        "cards": [_card(box) for box in layout.boxes],
        "wires": [_wire(wire) for wire in layout.wires],
    }


def _card(box: Box) -> dict[str, Any]:
    card = box.card
    return {
        "id": card.id,
        "name": card.name,
        "kind": card.kind,
        "lane": card.lane,
        "x": box.x,
        "y": round(box.y, ROUNDED),
        "height": box.height,
        "inputs": [{"topic": topic, "y": round(box.input(row), ROUNDED)} for row, topic in enumerate(card.inputs)],
        "outputs": [{"topic": topic, "y": round(box.output(row), ROUNDED)} for row, topic in enumerate(card.outputs)],
    }


def _wire(wire: Wire) -> dict[str, Any]:
    start = wire.curves[0][0]
    path = f"M{_point(start)}" + "".join(
        f"C{_point(one)} {_point(two)} {_point(end)}" for _, one, two, end in wire.curves
    )
    return {"topic": wire.topic, "source": wire.source, "target": wire.target, "path": path}


def _point(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
