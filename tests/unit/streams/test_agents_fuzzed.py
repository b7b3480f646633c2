"""Every agent of ours, given any value that its inputs' schemas hold: dead letters at most, and nobody else notices."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.records import CODEC, chunk

from tests.unit.schemas.strategies import near
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import PoisonRecord, Processor, events_of, part
from tradewind.schemas.ai import AiAttempt
from tradewind.schemas.codec import MODELS, SCHEMAS, EncodeError
from tradewind.schemas.codec.wire import frame
from tradewind.schemas.event import Event
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.signals import Deployment
from tradewind.schemas.tenancy import Tenant
from tradewind.streams.agents import OURS
from tradewind.streams.runtime.work.pieces import Cutter
from tradewind.streams.tenancy import tenancy
from tradewind.testing import MemoryState
from tradewind.topics import Topic

SETTINGS = Settings(_env_file=None)
DECLARED = {one.name: one.declare(SETTINGS) for one in OURS} | {"tenancy": tenancy(SETTINGS)}
CUTTER = Cutter(CODEC)
KNOWN = {"tenant_id": "alpha", "account_id": "main", "symbol": "EURUSD", "venue": "OANDA", "interval_s": 60}
"""So that events meet: what they share decides what they do to each other."""
IDS = {name: number for number, name in enumerate(sorted(MODELS), 1)}
PARSED = {name: fastavro.parse_schema(json.loads(texts[-1])) for name, texts in SCHEMAS.items()}
STATUS: dict[type[Event], str] = {Tenant: "ACTIVE", Deployment: "ACTIVE"}
RUNNING = {"strategy": "ema_crossover", "version": None, "instruments": ("*",)}
"""Of a deployment that can run."""
OUTCOME: dict[type[Event], str] = {AiAttempt: "OK"}
Given = tuple[Topic, Event]


@cache
def given_to(name: str) -> st.SearchStrategy[list[Given]]:
    """Return what an agent may be given, of all its inputs in any order."""
    pairs = [
        st.tuples(st.just(topic), near(model.SCHEMA, **KNOWN, **more))
        for topic in DECLARED[name].inputs
        for model in topic.models
        for more in (
            {},
            {
                "outcome": OUTCOME.get(model, "APPROVED"),
                "status": STATUS.get(model, "EXPIRED"),
                "closing": True,
                **(RUNNING if model is Deployment else {}),
                "ts_event": 61_000_000,
            },
        )
    ]
    return st.lists(st.one_of(pairs), max_size=8)


def written(event: Event) -> bytes:
    """Return the record of an event; one with a symbol that we would not write, as another implementation writes it."""
    try:
        return CODEC.encode(event)
    except EncodeError:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, PARSED[event.SCHEMA], event.to_dict())
        return frame(IDS[event.SCHEMA]) + out.getvalue()


def processed(processor: Processor, stream: Sequence[Given]) -> tuple[list[Event], dict[str, Event], list[int]]:
    """Return what a processor sends for a stream, what it keeps, and the places of the records that were refused.

    As the runtime does, but that any error other than `PoisonRecord` passes through.
    """
    state, sent, refused = MemoryState(), list[Event](), list[int]()
    numbered = [(topic, at, event) for at, (topic, event) in enumerate(stream)]
    for topic, run in groupby(numbered, itemgetter(0)):
        rows = list(run)
        for piece in CUTTER.cut(topic, chunk(topic, [written(event) for _, _, event in rows], rows[0][1])):
            refused += [bad.record.offset for bad in piece.refused]
            waiting = [] if piece.segment is None else [piece.segment]
            while waiting:
                now, before = waiting.pop(), dict(state.values)
                try:
                    sent += events_of(processor(state, now))
                except PoisonRecord as poison:
                    state.values.clear()
                    state.values.update(before)
                    refused.append(int(now.offsets[poison.index]))
                    parts = part(now, poison.index + 1, len(now)), part(now, 0, poison.index)
                    waiting += [one for one in parts if len(one)]
    return sent, dict(state.values), refused


def check_encodes(found: Iterable[Event]) -> None:
    """Every event fits its schema and its ranges: no other agent refuses what ours sends."""
    for event in found:
        CODEC.encode(event)
        assert flaw_of(event) is None


def without_ingest(event: Event) -> dict[str, object]:
    """Return an event without its `ts_ingest`, which records have by their places here, or an event time that is it."""
    said = event.to_dict()
    ingested = said.pop("ts_ingest", None)
    return {name: value for name, value in said.items() if name != "ts_event" or value != ingested}


@pytest.mark.parametrize("name", DECLARED)
@given(data=st.data())
@settings(max_examples=4 * settings().max_examples, deadline=None)
def test_any_value_is_processed_or_a_dead_letter_and_its_neighbours_do_not_notice(
    name: str, data: st.DataObject
) -> None:
    """NaN, 1e308, 28 digits, texts of 200 KB, times before 1970: no error but `PoisonRecord` leaves a processor."""
    stream = data.draw(given_to(name))
    processor = DECLARED[name].processor
    sent, kept, refused = processed(processor, stream)
    check_encodes(sent)
    check_encodes(kept.values())
    good = [one for at, one in enumerate(stream) if at not in set(refused)]
    alone, kept_alone, refused_alone = processed(processor, good)
    assert not refused_alone
    assert (len(alone), kept_alone) == (len(sent), kept)
    for one, other in zip(alone, sent, strict=True):
        assert type(one) is type(other)
        assert without_ingest(one) == without_ingest(other)
