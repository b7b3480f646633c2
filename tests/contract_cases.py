"""Cases of the contract between an agent and what runs it: an agent, and what it is given step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from runtime_records import CODEC, INGEST_MS

from tradewind.connectors.settings import Settings
from tradewind.processors.batch import PoisonRecord, Segment, State, rows_of
from tradewind.processors.identity import derive_id
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.notifications import Alert
from tradewind.schemas.risk import KillSwitch
from tradewind.schemas.signals import Signal
from tradewind.streams.market import market
from tradewind.streams.portfolio import sizing
from tradewind.streams.runtime import Agent, Hold
from tradewind.topics import ALERTS, BARS, DECISIONS, KILL_SWITCHES, LATE_TICKS, ORDER_REQUESTS, SIGNALS, TICKS, Topic
from tradewind.topics.partitioner import partition_of

SECOND = 1_000_000
SETTINGS = Settings(_env_file=None)
SYMBOLS = ("EURUSD", "XAUUSD", "BTCUSD", "ETHUSD", "GBPUSD", "USDJPY")
HEADERS = (("source", b"test"), ("empty", None))
TOO_LARGE = "x" * 1_100_000


@dataclass(frozen=True, slots=True)
class Given:
    """A record that is published."""

    topic: Topic
    value: Event | bytes | None
    key: bytes | None = b"EURUSD.T"
    """Of what is no event."""
    timestamp: int = INGEST_MS
    headers: Sequence[tuple[str, bytes | None]] = ()

    def places(self) -> list[tuple[int, bytes | None, bytes | None]]:
        """Return (partition, key, value) of each record on the cluster."""
        if not isinstance(self.value, Event):
            return [(partition_of(self.key, self.topic.partitions) if self.key else 0, self.key, self.value)]
        key = self.topic.key(self.value).encode()
        every = range(self.topic.partitions) if self.topic.broadcast else (partition_of(key, self.topic.partitions),)
        return [(partition, key, CODEC.encode(self.value)) for partition in every]


@dataclass(frozen=True, slots=True)
class Step:
    """What is done next; afterwards the agent runs until it can go on no more."""

    given: Sequence[Given] = ()
    redrive: bool = False
    """Whether what `tradewind dlq redrive` would send goes back."""
    crashes: bool = False
    """Whether the agent stops with an error."""
    repaired: Agent | None = None
    """What is started in place of an agent that stopped."""


@dataclass(frozen=True, slots=True)
class Case:
    """An agent and its steps; what the first one gives is there before the agent starts."""

    agent: Agent
    steps: Sequence[Step]

    @property
    def crashes(self) -> bool:
        """Whether its agent stops on the way."""
        return any(step.crashes for step in self.steps)


@dataclass(frozen=True, slots=True)
class Sent:
    """A record that an agent sent."""

    partition: int
    key: bytes | None
    event: Event
    timestamp: int
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see once an agent has done a step: all that it sent so far."""

    sent: dict[str, list[Sent]]
    """By topic, partition after partition."""
    letters: list[Sent]
    """Dead letters by origin and attempt."""
    states: dict[int, dict[str, Event]]
    """By partition."""
    positions: dict[tuple[str, int], int]
    """Where the group goes on in the declared inputs: (topic, partition) -> offset. Offsets of the redrive topic, which
    is written in transactions, count their markers on Kafka."""
    crash: str | None = None
    """What stopped the agent in this step."""

    def by_key(self) -> Seen:
        """Return the same with records in the order that is promised: of each key, and of each input's events.

        Which task, or which of two inputs, comes first in a batch is not: it depends on what was fetched when.
        """
        return replace(self, sent={topic: sorted(sent, key=_lane) for topic, sent in self.sent.items()})


def _lane(sent: Sent) -> tuple[int, bytes, str]:
    return sent.partition, sent.key or b"", type(sent.event).__name__


def own(case: str, topic: Topic, partitions: int = 2, **changes: Any) -> Topic:
    """Return a topic that only one case uses."""
    return replace(topic, name=f"{case}.{topic.name}", partitions=partitions, **changes)


def tick(seq: int, *, symbol: str = "EURUSD", bid: float = 1.0, ts_event: int | None = None) -> Tick:
    """Return a quote."""
    at = seq if ts_event is None else ts_event
    return Tick(symbol=symbol, venue="T", seq=seq, ts_event=at, bid=bid, ask=bid + 0.25)


def beat(ts_event: int, symbol: str = "EURUSD") -> Heartbeat:
    """Return a heartbeat, whose own time of arrival is another than its record's."""
    return Heartbeat(symbol=symbol, venue="T", ts_event=ts_event, ts_ingest=(INGEST_MS + 5) * 1000)


def each(topic: Topic, *values: Event | bytes | None, first_ms: int = 0) -> list[Given]:
    """Return values as records 1 ms apart."""
    return [Given(topic, value, timestamp=INGEST_MS + first_ms + at) for at, value in enumerate(values)]


# What agents do


def pass_on(state: State, segment: Segment) -> list[Event]:
    """Send what comes, in the order in which it comes."""
    return list(rows_of(segment).events)


def total(state: State, segment: Segment) -> list[Event]:
    """Pass on each tick, then, as a heartbeat's time, the sum of its symbol's sequences so far.

    Sequence 13 forgets the symbol, and tells all sums that are known. A tick without a price is poison, after it was
    added up.
    """
    sent: list[Event] = []
    for at, event in enumerate(rows_of(segment).events):
        if not isinstance(event, Tick):
            continue
        sent.append(event)
        if event.seq == 13:
            state.delete(f"sum/{event.symbol}")
            sent += [known for key in state.keys("sum/") if (known := state.get(key, Heartbeat)) is not None]
            continue
        known = state.get(f"sum/{event.symbol}", Heartbeat)
        before = 0 if known is None else known.ts_event
        now = replace(beat(before + event.seq, event.symbol), ts_ingest=(INGEST_MS + event.seq) * 1000)
        state.put(f"sum/{event.symbol}", now)
        sent.append(now)
        if event.bid == 0:
            raise PoisonRecord(at, f"no price in {event.seq}")
    return sent


def listed(state: State, segment: Segment) -> list[Event]:
    """Pass on ticks of symbols that a heartbeat has named before; others are poison."""
    sent: list[Event] = []
    for at, event in enumerate(rows_of(segment).events):
        if isinstance(event, Heartbeat):
            state.put(event.symbol, event)
        elif isinstance(event, Tick):
            if state.get(event.symbol, Heartbeat) is None:
                raise PoisonRecord(at, f"{event.symbol} is not listed")
            sent.append(event)
    return sent


def broken(state: State, segment: Segment) -> list[Event]:
    """Add up, but for a bid of 7, which is a bug."""
    sent = total(state, segment)
    if any(isinstance(event, Tick) and event.bid == 7 for event in rows_of(segment).events):
        raise ZeroDivisionError("a bid of 7")
    return sent


def uncarried(state: State, segment: Segment) -> list[Event]:
    """Add up, and send a kill switch for a bid of 7, which no output carries."""
    found = total(state, segment)
    return [SWITCH if isinstance(event, Tick) and event.bid == 7 else event for event in found]


def shout(state: State, segment: Segment) -> list[Event]:
    """Add up, and send for a bid of 7 an alert that no broker takes."""
    found = total(state, segment)
    return [_alert(TOO_LARGE) if isinstance(event, Tick) and event.bid == 7 else event for event in found]


def _alert(message: str) -> Alert:
    return Alert(
        event_id=derive_id("alert"),
        ts_event=1,
        ts_ingest=INGEST_MS * 1000,
        correlation_id=derive_id("alert"),
        causation_id=derive_id("alert"),
        severity="INFO",
        source="test",
        code="TEST",
        message=message,
    )


def reserved(state: State, segment: Segment) -> list[Event]:
    """Keep a tick under the runtime's own key, for a bid of 7."""
    for event in rows_of(segment).events:
        if isinstance(event, Tick) and event.bid == 7:
            state.put("@position", event)
    return total(state, segment)


# Cases


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
    volatility=0.0001,
    quote_bid=1.1,
    quote_ask=1.2,
    quote_ts=7 * SECOND,
    reason="a test",
)
CHAIN = _cases.add(
    replace(sizing(SETTINGS), name="chain", inputs=(_signals,), outputs=(own("chain", ORDER_REQUESTS),)),
    Step([Given(_signals, SIGNAL, timestamp=INGEST_MS + 9, headers=HEADERS), Given(_signals, beat(8 * SECOND))]),
)

_switches = own("broadcast", KILL_SWITCHES, 3)
SWITCH = KillSwitch(
    event_id=derive_id("switch"),
    tenant_id="alpha",
    ts_event=1,
    ts_ingest=INGEST_MS * 1000,
    correlation_id=derive_id("switch"),
    causation_id=derive_id("switch"),
    engaged=True,
    reason="a test",
)
BROADCAST = _cases.add(
    Agent("broadcast", (_switches,), (own("broadcast.out", KILL_SWITCHES, 3),), pass_on),
    Step([Given(_switches, SWITCH)]),
)

STREAM = [
    *(tick(at, symbol=SYMBOLS[at % 3]) for at in range(10)),
    tick(13, symbol=SYMBOLS[0]),
    *(tick(at, symbol=SYMBOLS[at % 3], bid=float(at % 5)) for at in range(20, 32)),
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
            Given(_ticks, tick(at, bid=float(at not in {0, 3, 4, 9})), timestamp=INGEST_MS + at, headers=HEADERS)
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
UNCARRIED = _crashing("uncarried", uncarried)
LARGE = _crashing("large", shout, ALERTS)
RESERVED = _crashing("reserved", reserved)
