"""The table of open transactions: hanging ones first, who waits for them, and the command that ends them."""

from __future__ import annotations

import shlex
from typing import Any

from tradewind.connectors.gateway.views.flow import FlowSeen
from tradewind.connectors.gateway.views.inventory import Inventory
from tradewind.processors.health.transactions import OpenTransaction, Writing


def transactions_json(inventory: Inventory, flow: FlowSeen | None, namespace: str) -> list[dict[str, Any]]:
    """Return the open transactions of a look, hanging ones first."""
    return [_transaction(one, inventory, flow, namespace) for one in inventory.transactions]


def _transaction(one: OpenTransaction, inventory: Inventory, flow: FlowSeen | None, namespace: str) -> dict[str, Any]:
    held = {at.place: at for at in one.writing}
    topics = sorted({topic for topic, _ in one.places})
    return {
        "transactional_id": None if one.transactional_id is None else one.transactional_id.removeprefix(namespace),
        "producer_id": str(one.producer_id),
        "epoch": one.epoch,
        "state": one.state,
        "verdict": one.verdict,
        "since": round(one.since_s, 3),
        "age_s": round(one.age_s(inventory.at_s), 1),
        "timeout_s": one.timeout_s,
        "waiting": sorted({name for topic in topics for name in _readers(topic.removeprefix(namespace), flow)}),
        "partitions": [
            {
                "topic": topic.removeprefix(namespace),
                "partition": number,
                "begins": str(held[topic, number].first_offset) if (topic, number) in held else None,
                "holds_back": str(_behind(inventory, (topic, number))),
            }
            for topic, number in one.places
        ],
        "end_by": ending(one, namespace),
    }


def ending(one: OpenTransaction, namespace: str) -> list[str]:
    """Return the commands that end a transaction: by its owner's id, or on each partition where nobody owns it."""
    if one.transactional_id is not None:
        return [f"./dev transactions end {shlex.quote(one.transactional_id.removeprefix(namespace))}"]
    return [_abort(at, namespace) for at in one.writing]


def _abort(at: Writing, namespace: str) -> str:
    topic, number = at.place
    return f"./dev transactions abort {shlex.quote(topic.removeprefix(namespace))} {number} --producer {at.producer_id}"


def _readers(topic: str, flow: FlowSeen | None) -> list[str]:
    return [] if flow is None else [name for name, topics in flow.readers.items() if topic in topics]


def _behind(inventory: Inventory, place: tuple[str, int]) -> int:
    """Return the offsets that readers of committed records cannot see yet; markers count."""
    if place not in inventory.bounds:
        return 0
    return max(0, inventory.ends.get(place, 0) - inventory.bounds[place][1])
