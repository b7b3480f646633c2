"""What the views keep of records and looks, as clients get it."""

from __future__ import annotations

import json
import time
from typing import Any

from confluent_kafka import Message
from runtime.records import CODEC, NOWHERE, beat, tick

from tradewind.connectors.gateway.stream.hub import Key
from tradewind.connectors.gateway.views.alerts import AlertsView, alerts_json
from tradewind.connectors.gateway.views.flow import FlowSeen, FlowView, everywhere
from tradewind.connectors.gateway.views.market import Follower
from tradewind.connectors.gateway.views.system import Ports, SystemSeen, SystemView
from tradewind.connectors.gateway.wire import event_for_wire
from tradewind.connectors.health.flow import Lag
from tradewind.connectors.health.watch import Glance, TopicFlow
from tradewind.infra.status.names import known
from tradewind.schemas.event import Event
from tradewind.schemas.notifications import Alert
from tradewind.topics import TICKS


def message(event: Event | bytes | None, key: str) -> Message:
    """Return a record as a client gives it."""
    value = CODEC.encode(event) if isinstance(event, Event) else event
    return Message(topic="t.market.ticks", partition=0, offset=0, key=key.encode(), value=value)


def test_the_last_tick_of_each_instrument_is_kept() -> None:
    """Heartbeats, tombstones and what cannot be decoded are passed over."""
    found: list[dict[Key, bytes]] = []
    view = Follower(NOWHERE, CODEC, TICKS, "ticks", found.append)
    view.take(
        [
            message(tick(1, bid=1.0), "EURUSD.OANDA"),
            message(tick(2, bid=1.1), "EURUSD.OANDA"),
            message(beat(3), "EURUSD.OANDA"),
            message(tick(1, symbol="GBPUSD", bid=1.3), "GBPUSD.OANDA"),
            message(b"\x00\x00\x00\x00\x63x", "GBPUSD.OANDA"),
            message(None, "GBPUSD.OANDA"),
        ]
    )
    (cells,) = found
    assert {key: json.loads(data)["bid"] for key, data in cells.items()} == {
        ("ticks", "EURUSD.OANDA"): 1.1,
        ("ticks", "GBPUSD.OANDA"): 1.3,
    }
    view.take([message(beat(4), "EURUSD.OANDA")])
    assert len(found) == 1


def test_integers_of_64_bits_are_strings_and_times_are_text() -> None:
    """JavaScript would round the former."""
    found = event_for_wire(tick(1_700_000_000_000_001, seq=2**60))
    assert found["seq"] == str(2**60)
    assert found["ts_event"] == "2023-11-14T22:13:20.000001Z"
    assert "event" not in found


def lag(topic: str, partition: int, position: int, end: int, age: float | None) -> Lag:
    """Return what a look says of a reader."""
    return Lag("t.tradewind.market", f"t.{topic}", partition, end - position, age, position, end)


def looked(*lags: Lag) -> Glance:
    """Return a look."""
    return Glance({}, {}, (TopicFlow("t.market.ticks", 2**60, 12.345),), lags, 0)


def test_looks_become_states_with_the_time_since_when() -> None:
    """The worst partition decides; names are without the namespace; what cannot be told is null and never 0."""
    found: list[FlowSeen] = []
    view = FlowView(NOWHERE, known(NOWHERE), found.append)
    for second in range(20):
        view.take(looked(lag("market.ticks", 0, 5, 5, 0.0), lag("market.ticks", 1, 3, 9, None)), 100.0 + second)
    told: Any = json.loads(json.dumps(found[-1].to_json()))
    assert told["topics"] == {"market.ticks": {"records": str(2**60), "rate_per_s": 12.35}}
    reader = told["readers"]["market"]["market.ticks"]
    assert (reader["state"], reader["lag"], reader["lag_s"], reader["since"]) == ("STOPPED", "6", None, 112.0)
    assert [one["state"] for one in reader["partitions"]] == ["OK", "STOPPED"]


def test_services_and_processes_say_what_is_down_and_what_stands() -> None:
    """A service that is away is worse than a process that stands."""
    process = {"name": "market", "down": False, "stands_still": True, "held": []}
    seen = SystemSeen(1.0, ({"name": "kafka", "healthy": True},), (process,))
    assert (seen.to_json()["status"], seen.to_json()["stands_still"]) == ("degraded", ["market"])
    seen = SystemSeen(1.0, ({"name": "kafka", "healthy": False},), (process,))
    assert (seen.to_json()["status"], seen.to_json()["down"]) == ("down", ["kafka"])


def test_what_an_agent_holds_is_an_intent() -> None:
    """By group, topic and partition."""
    held = {"group": "tradewind.execution", "topic": "market.ticks", "partition": 2}
    view = SystemView(Ports(list, list, list, lambda name, lines: {}))
    assert view.intents() == {}
    process = {"name": "execution", "held": [held], "restoring": ["tradewind.risk"]}
    view.last = SystemSeen(1.0, (), (process,))
    assert view.intents() == {
        ("tradewind.execution", "market.ticks", 2): "HELD",
        everywhere("tradewind.risk"): "RESTORING",
    }


def test_a_group_that_restores_its_state_is_not_stopped() -> None:
    """On none of its partitions; what it says of another group does not count."""
    found: list[FlowSeen] = []
    told = {everywhere("t.tradewind.market"): "RESTORING"}
    view = FlowView(NOWHERE, known(NOWHERE), found.append, lambda: told)  # type: ignore[return-value, arg-type]
    for second in range(20):
        view.take(looked(lag("market.ticks", 1, 3, 9, 20.0)), 100.0 + second)
    assert found[-1].readers["market"]["market.ticks"]["state"] == "RESTORING"
    told.clear()
    view.take(looked(lag("market.ticks", 1, 3, 9, 20.0)), 121.0)
    assert found[-1].readers["market"]["market.ticks"]["state"] == "STOPPED"


def test_alerts_are_those_of_the_tenant_and_operators_see_all() -> None:
    """Ends, tombstones and what cannot be decoded are passed over."""
    view = AlertsView(NOWHERE, CODEC)
    now = time.time_ns() // 1000
    of_beta, of_platform = (
        Alert(
            event_id=str(number) * 32,
            tenant_id=tenant,
            ts_event=now,
            ts_ingest=now,
            correlation_id="c",
            causation_id="c",
            severity="WARNING",
            source="ai",
            code="AI_BUDGET_80",
            message="most is spent",
        )
        for number, tenant in enumerate(("beta", None))
    )
    view.take([])
    assert view.last == ()
    view.take([message(of_beta, "ai"), message(None, "ai"), message(b"no event", "ai"), message(of_platform, "ai")])
    assert [one["tenant"] for one in alerts_json(view.last, "beta")] == ["beta"]
    assert alerts_json(view.last, "alpha") == []
    assert {(one["tenant"], one["state"], one["times"]) for one in alerts_json(view.last, None)} == {
        ("beta", "CAME", 1),
        (None, "CAME", 1),
    }
