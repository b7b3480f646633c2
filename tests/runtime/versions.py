"""One agent in two versions, whose state has two fields more in the second: `python versions.py a|b` runs one.

The second version's fields are all that Avro knows of a change of state: `weight` is derived from what was there by a
migration, `fresh` begins with its default.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

from runtime.timings import given
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Segment, State, rows_of
from tradewind.schemas.codec import MODELS, Codec, avro_type
from tradewind.schemas.codec import codec as codec_module
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.runtime import Agent, run_agents
from tradewind.streams.runtime.work import state_format
from tradewind.topics import LATE_TICKS, TICKS

NAME = "tradewind.test.Tally"
IDS = {"a": 1001, "b": 1002}
SLOW_S = 0.002  # per segment, so that a kill meets work in hand
MARK = {"a": 1.0, "b": 2.0}
"""The bid of the ticks that a version passes on."""


def schema(*added: str) -> str:
    """Return the JSON text of the state's schema, with fields that default to 0."""
    fields: list[dict[str, Any]] = [{"name": "symbol", "type": "string"}]
    fields += [{"name": name, "type": "long"} for name in ("count", "total")]
    fields += [{"name": name, "type": "long", "default": 0} for name in added]
    return json.dumps({"type": "record", "name": "Tally", "namespace": "tradewind.test", "fields": fields})


SCHEMAS = {"a": schema(), "b": schema("weight", "fresh")}


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyA(Event):
    """Ticks of a symbol: how many, and the sum of their sequences."""

    SCHEMA: ClassVar[str] = NAME
    VERSION: ClassVar[int] = 1
    symbol: str
    count: int = 0
    total: int = 0

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(**record)

    def to_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyB(TallyA):
    """The same, twice the sum as `weight`, and how many ticks this version has processed as `fresh`."""

    VERSION: ClassVar[int] = 2
    weight: int = 0
    fresh: int = 0


def tally_a(state: State, segment: Segment) -> list[Event]:
    """Count, and pass ticks on."""
    time.sleep(SLOW_S)
    passed: list[Event] = []
    for event in rows_of(segment).events:
        if isinstance(event, Tick):
            known = state.get(event.symbol, TallyA) or TallyA(symbol=event.symbol)
            state.put(event.symbol, replace(known, count=known.count + 1, total=known.total + event.seq))
            passed.append(replace(event, bid=MARK["a"]))
    return passed


def tally_b(state: State, segment: Segment) -> list[Event]:
    """Count, and pass ticks on with the number, as `ask`, that they have among those of this version."""
    time.sleep(SLOW_S)
    passed: list[Event] = []
    for event in rows_of(segment).events:
        if isinstance(event, Tick):
            known = state.get(event.symbol, TallyB) or TallyB(symbol=event.symbol)
            known = replace(
                known,
                count=known.count + 1,
                total=known.total + event.seq,
                weight=known.weight + 2 * event.seq,
                fresh=known.fresh + 1,
            )
            state.put(event.symbol, known)
            passed.append(replace(event, bid=MARK["b"], ask=float(known.fresh)))
    return passed


def weigh(state: State) -> None:
    """Derive `weight` from the total that an earlier version has kept."""
    for key in state.keys(""):
        known = state.get(key, TallyB)
        assert known is not None
        state.put(key, replace(known, weight=2 * known.total))


AGENTS = {
    "a": Agent("tally", (TICKS,), (LATE_TICKS,), tally_a, batch_limit=500),
    "b": Agent("tally", (TICKS,), (LATE_TICKS,), tally_b, batch_limit=500, migrations=(weigh,)),
}


def codec_of(version: str, set_: Callable[[object, str, object], None] = setattr) -> Codec:
    """Make this process one of a version that has committed the schemas up to its own; return its codec.

    `set_` sets what is patched; a test gives one that takes it back.
    """
    known = tuple(avro_type.parse_record(SCHEMAS[of]) for of in SCHEMAS if of <= version)
    model: type[Event] = TallyA if version == "a" else TallyB
    set_(codec_module, "MODELS", MappingProxyType({**MODELS, NAME: model}))
    set_(codec_module, "KNOWN", MappingProxyType({**codec_module.KNOWN, NAME: known}))
    set_(codec_module, "NEWEST", MappingProxyType({**codec_module.NEWEST, NAME: known[-1]}))
    texts = tuple(SCHEMAS[of] for of in SCHEMAS if of <= version)
    set_(state_format, "SCHEMAS", MappingProxyType({**state_format.SCHEMAS, NAME: texts}))
    registry = {IDS[of]: text for of, text in SCHEMAS.items()}
    ids = {name: number for number, name in enumerate(sorted(MODELS), 1)}
    return Codec({**ids, NAME: IDS[version]}, registry.__getitem__)


def main(arguments: Sequence[str]) -> None:
    """Run a version with settings from the environment until SIGTERM; say when it is ready."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s.%(msecs)03d %(name)s %(levelname)s %(message)s", datefmt="%T"
    )
    (version,) = arguments
    codec = codec_of(version)
    settings = Settings(_env_file=None)
    ready: Callable[[], None] = lambda: print("ready", flush=True)  # noqa: E731
    asyncio.run(run_agents([AGENTS[version]], settings, codec, on_ready=ready, timings=given()))


if __name__ == "__main__":
    main(sys.argv[1:])
