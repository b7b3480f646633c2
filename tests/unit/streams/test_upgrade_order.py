"""Versions are upgraded from the last consumer to the first producer: in that order nobody meets an unknown symbol.

The later version has a symbol more in each enum. Its sizing agent makes orders of a type that this version does not
know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from processing import START, heartbeat, tenant_events, tick

from tests.unit.schemas.growth import FIELD, SYMBOL, grown_texts
from tests.unit.schemas.strategies import ordinary
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Output, Segment, State, rows_of
from tradewind.schemas.codec import MODELS, SCHEMAS, Codec
from tradewind.schemas.codec import codec as codec_module
from tradewind.schemas.codec.avro_type import parse_record
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Signal
from tradewind.streams.agents import agents
from tradewind.streams.runtime import Agent
from tradewind.testing import MemoryAgent, MemoryBroker
from tradewind.topics import DOMAIN_TOPICS, FILLS, ORDER_REQUESTS, SIGNALS, TENANT_CHANGES, TICKS

SETTINGS = Settings(_env_file=None)
FLOW = ("sizing", "risk", "execution", "portfolio")
CONSUMERS_FIRST = FLOW[::-1]
SECOND = 1_000_000
IDS = {name: number for number, name in enumerate(sorted(MODELS), 1)}
LATER_IDS = {name: 1000 + number for name, number in IDS.items()}


def without_fields(schema: Any) -> Any:
    """Return a schema that has grown without its added fields, for which this version's models have no place."""
    if isinstance(schema, list):
        return [without_fields(each) for each in schema if not (isinstance(each, dict) and each.get("name") == FIELD)]
    return {key: without_fields(value) for key, value in schema.items()} if isinstance(schema, dict) else schema


LATER = {name: json.dumps(without_fields(json.loads(text))) for name, text in grown_texts().items()}
TEXTS = {number: SCHEMAS[name][-1] for name, number in IDS.items()} | {
    number: LATER[name] for name, number in LATER_IDS.items()
}


class _Codec(Codec):
    """A version's codec that has seen all schemas, so that it stays of its version."""

    def __init__(self, ids: dict[str, int]) -> None:
        super().__init__(ids, TEXTS.__getitem__)
        for number in TEXTS:
            self.model_of(number)


@pytest.fixture(scope="module")
def codecs() -> tuple[Codec, Codec]:
    """Give the codecs of this version and of the later one."""
    now = _Codec(IDS)
    with pytest.MonkeyPatch.context() as patch:
        newest = {name: parse_record(text) for name, text in LATER.items()}
        known = {name: (*codec_module.KNOWN[name], newest[name]) for name in newest}
        patch.setattr(codec_module, "NEWEST", MappingProxyType(newest))
        patch.setattr(codec_module, "KNOWN", MappingProxyType(known))
        later = _Codec(LATER_IDS)
    return now, later


class Chain:
    """The agents of the trading path, each of a version."""

    def __init__(self, now: Codec, later: Codec) -> None:
        self.broker = MemoryBroker()
        self._later = later
        self.broker.codec = now
        self.agents = {name: MemoryAgent(agents()[name].declare(SETTINGS), self.broker) for name in FLOW}
        self.broker.publish(TENANT_CHANGES, *tenant_events())
        self.broker.codec = later  # what a test publishes and reads: it knows every symbol
        self._number = 0

    def upgrade(self, name: str) -> None:
        """Replace an agent by its later version, which goes on from the state that the one before left."""
        agent = agents()[name].declare(SETTINGS)
        self.agents[name] = MemoryAgent(with_new_types(agent) if name == "sizing" else agent, self.broker)

    def trade(self) -> None:
        """Have a signal that turns the position go through all agents, and be filled."""
        self._number += 1
        at = START + self._number * 60 * SECOND
        known: dict[str, Any] = {"volatility": 0.0004, "quote_bid": 1.1, "quote_ask": 1.1001, "strength": 0.5}
        times = {"ts_event": at, "quote_ts": at, "venue": "OANDA", "event_id": f"s{self._number}"}
        known["direction"] = "LONG" if self._number % 2 else "SHORT"
        known["symbol"] = "EURUSD"
        signal = replace(ordinary(Signal.SCHEMA), **known, **times)  # type: ignore[type-var]
        later = at + 10 * SECOND
        self.broker.publish(SIGNALS, signal, heartbeat(later))
        self.broker.publish(TICKS, tick(later, 1.1, 1.1001), heartbeat(later + SECOND))
        for name in FLOW:
            self.agents[name].run()

    def letters(self) -> Sequence[str]:
        """Return why records of any agent became dead letters."""
        return [letter.reason for agent in self.agents.values() for letter in agent.dead_letters()]

    def count(self, model: type[Event]) -> int:
        """Return how many events of a model there are."""
        return sum(isinstance(event, model) for topic in DOMAIN_TOPICS for event in self.broker.events(topic))


def with_new_types(agent: Agent) -> Agent:
    """Return the sizing agent of the later version: its market orders are of the type that was added."""

    def process(state: State, segment: Segment) -> list[Output]:
        return [
            replace(event, order_type=SYMBOL)  # type: ignore[arg-type]
            if isinstance(event, OrderRequest) and event.order_type == "MARKET"
            else event
            for event in agent.processor(state, segment)
        ]

    return replace(agent, processor=process)


def test_an_upgrade_from_the_consumers_on_has_no_dead_letter(codecs: tuple[Codec, Codec]) -> None:
    """One agent after the other, each going on from the state that the version before left, under a signal each."""
    chain = Chain(*codecs)
    chain.trade()
    for name in CONSUMERS_FIRST:
        chain.upgrade(name)
        chain.trade()
    assert chain.letters() == []
    requests = [event for event in chain.broker.events(ORDER_REQUESTS) if isinstance(event, OrderRequest)]
    assert [event.order_type for event in requests].count(SYMBOL) == 1, "the new type has gone through"
    assert chain.count(Decision) == len(requests)
    assert chain.count(Fill) == chain.count(Position) == len(requests) // 2, "each market order is filled"
    assert chain.count(OrderEvent) > chain.count(Fill)


def test_a_producer_that_goes_first_makes_letters_that_can_be_sent_back(codecs: tuple[Codec, Codec]) -> None:
    """The letter names field, version, schema and symbol; once the consumer has the symbol, nothing is lost."""
    chain = Chain(*codecs)
    chain.upgrade("sizing")
    chain.trade()
    (reason,) = chain.letters()
    number = LATER_IDS[OrderRequest.SCHEMA]
    assert reason == (
        "order_type decides here, and version 1 of tradewind.execution.OrderRequest does not know its symbol: schema "
        f"{number} says ADDED. Run a version that has it, then send the letter back"
    )
    decided = chain.count(Decision)
    assert decided == chain.count(OrderRequest) - 1, "orders of the types that are known go on"
    for name in ("portfolio", "execution", "risk"):
        chain.upgrade(name)
    assert chain.agents["risk"].redrive() == 1
    chain.trade()
    assert chain.count(Decision) == chain.count(OrderRequest) == decided + 3
    assert len(chain.letters()) == 1


def test_an_agent_that_hands_on_what_it_does_not_know_buries_the_record(codecs: tuple[Codec, Codec]) -> None:
    """Whoever wrote it forgot to ask; the symbol is in the letter, and the record next to it goes on."""
    broker = MemoryBroker()
    out = replace(FILLS, name="relay.fills")
    broker.codec, later = codecs
    relay = MemoryAgent(Agent("relay", (FILLS,), (out,), lambda _, segment: rows_of(segment).events), broker)
    broker.codec = later
    broker.publish(FILLS, *(ordinary(Fill.SCHEMA, event_id=side, side=side) for side in ("BUY", SYMBOL, "SELL")))
    assert [event.side for event in relay.run() if isinstance(event, Fill)] == ["BUY", "SELL"]
    (letter,) = relay.dead_letters()
    assert letter.error == "POISON"
    assert (
        "Fill.side: 'UNKNOWN' cannot be encoded: it stands for a symbol that this version did not know" in letter.reason
    )
    kept = later.decode(letter.value or b"")
    assert isinstance(kept, Fill)
    assert kept.side == SYMBOL, "what a later version is sent back"
