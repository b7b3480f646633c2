"""What the pages of topics, groups and transactions get: names without the namespace, and null for what is unknown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from runtime.records import NOWHERE

from tradewind.connectors.gateway.views.flow import FlowSeen, FlowView
from tradewind.connectors.gateway.views.groups import GroupsSeen, groups_json
from tradewind.connectors.gateway.views.inventory import Inventory
from tradewind.connectors.gateway.views.topics import TopicsSeen, topics_json
from tradewind.connectors.gateway.views.transactions import transactions_json
from tradewind.connectors.health.flow import Lag
from tradewind.connectors.health.groups import GroupSeen, Member
from tradewind.connectors.health.watch import Glance, TopicFlow
from tradewind.infra.status.names import known
from tradewind.processors.health.transactions import Coordinated, Writing, joined
from tradewind.topics import TICKS

NOW = 1_000.0
PLACE = ("t.market.ticks", 0)
EMPTY = Inventory(NOW, {}, {PLACE: (5, 90)}, {PLACE: 120}, {}, {}, {}, ())


def looked(*lags: Lag) -> FlowView:
    """Return a view that has looked for 20 s."""
    view = FlowView(NOWHERE, known(NOWHERE), lambda _: None)
    for second in range(20):
        view.take(Glance({}, {}, (TopicFlow(PLACE[0], 7, 1.5),), lags, 0), NOW - 20 + second)
    return view


def topic(inventory: Inventory, flow: FlowSeen | None) -> dict[str, Any]:
    """Return the row of ticks."""
    (row,) = topics_json(TopicsSeen({TICKS.name: TICKS}, frozenset({"influxdb"}), inventory, flow), NOWHERE.namespace)
    return row


def test_what_was_not_told_of_a_topic_is_null() -> None:
    """Neither its size nor its rate is 0, and its readers are unknown."""
    row = topic(EMPTY, None)
    assert (row["name"], row["kind"], row["model"]) == ("market.ticks", "flow", "Tick")
    assert [row[name] for name in ("bytes", "bytes_per_s", "rate_per_s", "last_write", "keeps_s", "records")] == [
        None
    ] * 6
    assert {one["state"] for one in row["readers"]} == {"UNKNOWN"}
    assert {one["lag"] for one in row["readers"]} == {None}
    assert "influxdb" not in {one["name"] for one in row["readers"]}


def test_a_topic_says_how_fast_it_grows_and_how_long_it_keeps() -> None:
    """From what Kafka has as its configuration, which may not be the declared one."""
    inventory = replace(
        EMPTY,
        sizes={PLACE: ((NOW - 10, 0), (NOW, 1_000))},
        last_writes={PLACE: NOW - 3},
        configs={PLACE[0]: {"cleanup.policy": "delete", "retention.bytes": "4000", "retention.ms": "-1"}},
    )
    row = topic(inventory, looked(Lag("t.tradewind.market", *PLACE, 6, 30.0, 84, 90)).last)
    assert (row["bytes"], row["bytes_per_s"], row["full"], row["keeps_s"]) == ("1000", 100.0, 0.25, 40)
    assert (row["rate_per_s"], row["last_write"]) == (1.5, NOW - 3)
    assert row["partitions"][0] | {"bytes": "", "last_write": 0} == {
        "partition": 0, "first": "5", "stable": "90", "end": "120", "bytes": "", "last_write": 0,
    }  # fmt: skip
    market = next(one for one in row["readers"] if one["name"] == "market")
    assert (market["state"], market["lag"]) == ("STOPPED", "6")
    compacted = replace(inventory, configs={PLACE[0]: {"cleanup.policy": "compact", "retention.bytes": "4000"}})
    assert topic(compacted, None)["limit_bytes"] is None


def test_a_group_that_kafka_does_not_know_is_unknown_and_has_no_lag() -> None:
    """Beside one with a lag, a trend and a member."""
    view = looked(Lag("t.tradewind.market", *PLACE, 2**60, 30.0, 84, 2**60 + 84))
    assert view.last is not None
    member = Member("market-0", "127.0.0.1", frozenset({PLACE}))
    inventory = replace(EMPTY, groups={"t.tradewind.market": GroupSeen("STABLE", (member,))})
    declared = {"t.tradewind.market": {PLACE[0]}, "t.tradewind.risk": {PLACE[0]}, "t.tradewind.feed": set[str]()}
    market, risk = groups_json(GroupsSeen(declared, view.last, view.windows, inventory), NOWHERE.namespace)
    json.dumps([market, risk])
    assert (market["name"], market["state"], market["lag"], market["members"]) == ("market", "STOPPED", str(2**60), 1)
    assert (market["trend_per_s"], market["catch_up_s"], len(market["history"])) == (0, None, 20)
    assert market["topics"][0]["partitions"][0]["member"] == "market-0 at 127.0.0.1"
    assert [risk[name] for name in ("state", "lag", "lag_s", "catch_up_s", "members", "trend_per_s")] == [
        "UNKNOWN", None, None, None, None, None,
    ]  # fmt: skip


def test_a_transaction_names_who_waits_and_the_command_that_ends_it() -> None:
    """By its id; or by partition and producer, where no coordinator knows it."""
    known_one = Coordinated("t.tradewind.market-0", 7, 1, "Ongoing", NOW - 8, 10.0, (PLACE,))
    lost = Writing(PLACE, 8, 2, 0, 90, NOW - 60)
    inventory = replace(EMPTY, transactions=joined([known_one], [lost], NOW))
    view = looked(Lag("t.tradewind.market", *PLACE, 0, 0.0, 90, 90))
    hanging, long = transactions_json(inventory, view.last, NOWHERE.namespace)
    assert (hanging["verdict"], hanging["transactional_id"], hanging["waiting"]) == ("HANGING", None, ["market"])
    assert hanging["end_by"] == ["./dev transactions abort market.ticks 0 --producer 8"]
    assert hanging["partitions"] == [
        {"topic": "market.ticks", "partition": 0, "begins": "90", "holds_back": "30"},
    ]
    assert (long["verdict"], long["age_s"]) == ("LONG", 8.0)
    assert long["end_by"] == ["./dev transactions end tradewind.market-0"]
