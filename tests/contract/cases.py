"""Cases of the contract between an agent and what runs it: an agent, and what it is given step by step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from processing import knowing
from runtime.records import CODEC, INGEST_MS, NO_PRICE

from contract.processors import SWITCH, beat, broken, listed, marked, pass_on, tick, total, uncarried, valued
from contract.steps import Case, Given, Step, each
from tradewind.connectors.settings import Settings
from tradewind.processors.identity import derive_id
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.signals import Signal
from tradewind.streams.market import market
from tradewind.streams.portfolio import sizing
from tradewind.streams.runtime import Agent, Hold
from tradewind.topics import ALERTS, BARS, DECISIONS, KILL_SWITCHES, LATE_TICKS, ORDER_REQUESTS, SIGNALS, TICKS, Topic

SECOND = 1_000_000
SETTINGS = Settings(_env_file=None)
SYMBOLS = ("EURUSD", "XAUUSD", "BTCUSD", "ETHUSD", "GBPUSD", "USDJPY")
HEADERS = (("source", b"test"), ("empty", None))


def own(case: str, topic: Topic, partitions: int = 2, **changes: Any) -> Topic:
    """Return a topic that only one case uses."""
    if Heartbeat not in (topic.model, *changes.get("also", topic.also)):
        changes["time_carrier"] = None
    return replace(topic, name=f"{case}.{topic.name}", partitions=partitions, **changes)


@dataclass(slots=True)
class _Cases:
    by_name: dict[str, Case] = field(default_factory=dict)

    def add(self, agent: Agent, *steps: Step) -> Case:
        """Note a case by the name of its agent."""
        case = self.by_name[agent.name] = Case(agent, steps)
        return case


_cases = _Cases()
CASES = _cases.by_name
"""By the name of the agent."""


def _sums(name: str) -> tuple[Topic, Topic]:
    return own(name, LATE_TICKS), own(f"{name}.sums", BARS)


_ticks, _late, _copy = own("routing", TICKS, 4), own("routing", LATE_TICKS, 4), own("routing", BARS, 3, also=(Tick,))
MANY = [tick(at, symbol=SYMBOLS[at % len(SYMBOLS)]) for at in range(60)]
ROUTING = _cases.add(
    Agent("routing", (_ticks,), (_late, _copy), pass_on),
    Step(each(_ticks, *MANY[:30])),
    Step([*each(_ticks, *MANY[30:], first_ms=30), Given(_ticks, tick(99), timestamp=INGEST_MS - 77)]),
)

_signals = own("chain", SIGNALS)
SIGNAL = Signal(
    event_id=derive_id("signal"),
    ts_event=7 * SECOND,
    ts_ingest=(INGEST_MS + 3) * 1000 + 999,
    correlation_id="a bar by hand",
    causation_id=derive_id("bar"),
    symbol="EURUSD",
    venue="T",
    strategy="test",
    direction="LONG",
    strength=1.0,
    mode="TARGET",
    sizing="VOLATILITY",
    volatility=0.0001,
    quote_bid=1.1,
    quote_ask=1.2,
    quote_ts=7 * SECOND,
    reason="a test",
)
CHAIN = _cases.add(
    replace(
        sizing(SETTINGS),
        name="chain",
        inputs=(_signals,),
        outputs=(own("chain", ORDER_REQUESTS),),
        processor=knowing(sizing(SETTINGS).processor),
        waits=None,
    ),
    Step([Given(_signals, SIGNAL, timestamp=INGEST_MS + 9, headers=HEADERS), Given(_signals, beat(8 * SECOND))]),
)

_switches = own("broadcast", KILL_SWITCHES, 3)
BROADCAST = _cases.add(
    Agent("broadcast", (_switches,), (own("broadcast.out", KILL_SWITCHES, 3),), pass_on),
    Step([Given(_switches, SWITCH)]),
)

_wide, _few = own("wide", KILL_SWITCHES, 3), own("wide", TICKS, 2)
WIDE = _cases.add(
    Agent("wide", (_wide, _few), (own("wide", LATE_TICKS),), marked),
    Step([*(Given(_few, one) for one in MANY[:6]), Given(_wide, SWITCH)]),
    Step([Given(_wide, SWITCH), *(Given(_few, one) for one in MANY[6:12])]),
)

_wide, _few = own("waiting", KILL_SWITCHES), own("waiting", TICKS)
WAITING = _cases.add(
    Agent(
        "waiting",
        (_few, _wide),
        (own("waiting", LATE_TICKS),),
        marked,
        waits=lambda state: "" if state.get("switched", Heartbeat) else "no switch has come",
    ),
    Step([Given(_few, one) for one in MANY[:6]]),
    Step([*(Given(_few, one) for one in MANY[6:12]), Given(_wide, SWITCH)]),
)

STREAM = [
    *(tick(at, symbol=SYMBOLS[at % 3]) for at in range(10)),
    tick(13, symbol=SYMBOLS[0]),
    *(tick(at, symbol=SYMBOLS[at % 3], bid=float(at % 5) or NO_PRICE) for at in range(20, 32)),
    tick(13, symbol=SYMBOLS[1]),
    tick(40, symbol=SYMBOLS[1]),
]


def _summing(name: str, *cuts: int) -> Case:
    ticks = own(name, TICKS)
    given = each(ticks, *STREAM)
    borders = [0, *cuts, len(given)]
    steps = [Step(given[start:stop]) for start, stop in pairwise(borders)]
    return _cases.add(Agent(name, (ticks,), _sums(name), total), *steps)


WHOLE = _summing("whole")
CUT = _summing("cut", 3, 11, 12, 21)

_ticks = own("poison", TICKS)
POISON = _cases.add(
    Agent("poison", (_ticks,), _sums("poison"), total),
    Step(
        [
            Given(
                _ticks, tick(at, bid=NO_PRICE if at in {0, 3, 4, 9} else 1.0), timestamp=INGEST_MS + at, headers=HEADERS
            )
            for at in range(10)
        ]
    ),
)

GARBAGE: tuple[Event | bytes | None, ...] = (
    None,
    b"",
    b"\x00",
    b"garbage" * 90_000,
    b"\x00\x00\x00\xff\xffgarbage",
    CODEC.encode(tick(1))[:-3],
    CODEC.encode(tick(1)) + b"more",
    beat(1),
)


def _undecodable(name: str, *, columnar: bool) -> Case:
    ticks = own(name, TICKS, also=(), columnar=columnar)
    good = [tick(at) for at in range(len(GARBAGE) + 1)]
    mixed = [good[0], *(value for pair in zip(GARBAGE, good[1:], strict=True) for value in pair)]
    nobody = Given(ticks, b"garbage", key=None, headers=HEADERS, timestamp=INGEST_MS + 50)
    return _cases.add(Agent(name, (ticks,), _sums(name), total), Step([*each(ticks, *mixed), nobody, nobody]))


UNDECODABLE = (_undecodable("columns", columnar=True), _undecodable("rows", columnar=False))

_ticks, _bars = own("two", TICKS, also=()), own("two", BARS, also=(Tick,))
TWO = _cases.add(
    Agent("two", (_bars, _ticks), _sums("two"), total),
    Step(
        [*each(_ticks, *(tick(at) for at in range(20))), *each(_bars, *(tick(at, symbol="XAUUSD") for at in range(9)))]
    ),
    Step(each(_ticks, tick(13), first_ms=30)),
    Step(each(_bars, tick(5), first_ms=31)),
)

LOOKAHEAD_US = 10
_ticks, _decisions = own("held", TICKS, 1), own("held", DECISIONS, 1)
HELD_TICKS = [
    *(tick(at, ts_event=10 * at) for at in range(4)),
    tick(4, symbol="XAUUSD", ts_event=5),
    tick(5, ts_event=20),
    *(tick(at, ts_event=10 * at) for at in range(6, 9)),
]
HELD = _cases.add(
    Agent(
        "held",
        (_ticks, _decisions),
        (own("held", LATE_TICKS, 1), own("held", BARS, 1)),
        pass_on,
        hold=Hold(topic=_ticks, until=_decisions, lookahead_us=LOOKAHEAD_US),
    ),
    Step([*each(_ticks, *HELD_TICKS[:6], b"garbage", *HELD_TICKS[6:]), Given(_decisions, beat(1_000, "BTCUSD"))]),
    Step(each(_decisions, beat(10))),
    Step(each(_decisions, beat(35), beat(20))),
    Step(each(_decisions, beat(0, "XAUUSD"))),
    Step(each(_decisions, beat(50), first_ms=3)),
    Step([*each(_ticks, tick(9, ts_event=60)), *each(_decisions, beat(1_000))]),
)

_ticks, BARS_OUT = own("bars", TICKS), own("bars", BARS)
TIME = _cases.add(
    replace(market(SETTINGS), name="bars", inputs=(_ticks,), outputs=(BARS_OUT, own("bars", LATE_TICKS))),
    Step(each(_ticks, *(tick(at, ts_event=at * SECOND // 4, bid=1 + at / 16) for at in range(11)))),
    Step(each(_ticks, beat(5 * SECOND), first_ms=20)),
    Step(each(_ticks, tick(12, ts_event=2 * SECOND), beat(61 * SECOND), first_ms=30)),
)

_ticks = own("redriven", TICKS)
REDRIVEN = _cases.add(
    Agent("redriven", (_ticks,), (own("redriven", LATE_TICKS),), listed),
    Step(
        [
            *each(_ticks, *(tick(at, symbol=SYMBOLS[at % 2]) for at in range(4)), b"garbage"),
            Given(_ticks, tick(4), timestamp=INGEST_MS + 40, headers=HEADERS),
        ]
    ),
    Step(each(_ticks, beat(1), tick(5), first_ms=50)),
    Step(redrive=True),
    Step(each(_ticks, beat(1, "XAUUSD"), first_ms=60)),
    Step(redrive=True),
)

_ticks = own("latest", TICKS)
LATEST = _cases.add(
    Agent("latest", (_ticks,), _sums("latest"), total, first_start="latest"),
    Step(each(_ticks, *(tick(at, symbol=SYMBOLS[at % 3]) for at in range(6)))),
    Step(each(_ticks, *(tick(at, symbol=SYMBOLS[at % 3]) for at in range(20, 26)))),
)


def _crashing(name: str, processor: Any, *also: Topic) -> Case:
    ticks = own(name, TICKS)
    agent = Agent(name, (ticks,), (*_sums(name), *(own(name, topic) for topic in also)), processor)
    return _cases.add(
        agent,
        Step(each(ticks, *(tick(at) for at in range(5)))),
        Step(each(ticks, tick(5, bid=7), tick(6), first_ms=5), crashes=True),
        Step(repaired=replace(agent, processor=total)),
    )


BUG = _crashing("bug", broken)
_ticks = own("skipping", TICKS)
_stumbling = Agent("skipping", (_ticks,), _sums("skipping"), broken)
SKIPPED = _cases.add(
    _stumbling,
    Step(each(_ticks, *(tick(at) for at in range(5)))),
    Step(each(_ticks, tick(5), tick(6, bid=7), tick(7), first_ms=5), crashes=True),
    Step(skip="it has seven"),
    Step(each(_ticks, tick(8), first_ms=8)),
)
UNCARRIED = _crashing("uncarried", uncarried)

_ticks = own("values", TICKS)
VALUED = [tick(at, symbol=SYMBOLS[at % 3], bid=float(at - 38 if at in range(40, 48) else 1)) for at in range(60)]
VALUES = _cases.add(
    Agent("values", (_ticks,), (*_sums("values"), own("values", ALERTS)), valued),
    Step(each(_ticks, *VALUED[:50])),
    Step(each(_ticks, *VALUED[50:], tick(60, bid=2.0), tick(61, bid=6.0), tick(62), first_ms=50)),
)
