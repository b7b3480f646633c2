"""A gateway whose views have seen what a test says, for pages with no row, one row, or hundreds of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from gateway.serving import Served, served

from tradewind.connectors.gateway.auth.store import User
from tradewind.connectors.gateway.commands.decided import Decided
from tradewind.connectors.gateway.picture import picture_of
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views.flow import FlowView
from tradewind.connectors.gateway.views.inventory import Inventory
from tradewind.connectors.gateway.views.jobs import Job
from tradewind.connectors.gateway.views.reads import Page as ReadPage
from tradewind.connectors.gateway.views.system import Ports, SystemSeen
from tradewind.connectors.gateway.wire import encoded, event_for_wire
from tradewind.connectors.health.flow import Lag
from tradewind.connectors.health.groups import GroupSeen, Member
from tradewind.connectors.health.watch import Glance, TopicFlow
from tradewind.connectors.settings import Settings
from tradewind.processors.balance.equation import Equation
from tradewind.processors.health.alerts import OVER, Complaint, Said, hear
from tradewind.processors.health.calls import Ended, Health
from tradewind.processors.health.chain import Step, chained
from tradewind.processors.health.transactions import Coordinated, OpenTransaction, Writing, joined
from tradewind.schemas.market import Tick
from tradewind.schemas.notifications import Alert
from tradewind.topics import DOMAIN_TOPICS, TICKS

LOOKS: Final = 90
PARTITIONS: Final = 4
MIB: Final = 1024 * 1024
PROCESSES: Final = ("market", "decisions", "execution", "usage", "caller", "sink-questdb", "sink-postgres", "gateway")
AGENTS: Final = ("execution", "signals", "risk", "ai", "portfolio")
SETTINGS = Settings(_env_file=None)
DECLARED: Final = tuple(topic.name for topic in DOMAIN_TOPICS)
Reader = tuple[str, str]
"""(group, topic)."""


@dataclass
class Found:
    """Stands for searches: each finds ticks in two steps, with deleted keys and bytes that are no event among them."""

    rows: int

    async def step(self, query: Any, who: Any, cursors: Any) -> dict[str, Any]:
        """Return half of what there is."""
        if query.where == "prise > 1":
            raise Problem(
                422,
                "BAD_FILTER",
                "no field is called 'prise'; did you mean price?",
                "see the docs",
                pointer="query: where",
            )
        begin, end = (0, self.rows // 2) if query.cursor is None else (self.rows // 2, self.rows)
        return {
            "topic": query.topic,
            "hits": [] if query.live else [_hit(at) for at in range(begin, min(end, begin + 60))],
            "next": "next" if query.cursor is None and self.rows > 1 else None,
            "head": "head",
            "searched": {"records": 41_000, "bytes": 3_400_000},
            "left": "120000" if query.cursor is None and self.rows > 1 else "0",
            "consume": f"./dev consume {query.topic}",
        }


def _hit(at: int) -> dict[str, Any]:
    found = {
        "partition": at % 4,
        "offset": str(10**12 - at),
        "timestamp": 1_767_000_000 - at * 0.37,
        "key": "EURUSD.OANDA",
        "bytes": 61,
    }
    if at % 9 == 4:
        return {**found, "deleted": True, "bytes": 0}
    if at % 9 == 7:
        return {**found, "hex": "00000000631f" * 12, "reason": "schema 99 is not one of ours"}
    return {**found, "model": "Tick", "event": event_for_wire(_tick(at))}


def _tick(at: int) -> Tick:
    return Tick(
        symbol="EURUSD", venue="OANDA", seq=2**60 + at, ts_event=1_767_000_000_000_000 - at, bid=1.17421, ask=1.17433
    )


@dataclass
class Buried:
    """Stands for dead letters: so many groups, of which every third is a sink's."""

    rows: int
    sent: int = 0

    async def groups(self) -> dict[str, Any]:
        """Return the groups."""
        return {"groups": [self._group(at) for at in range(self.rows)], "owners": [*AGENTS], "unreadable": 0}

    async def redrive(self, body: Any, who: Any) -> dict[str, Any]:
        """Count, or send."""
        self.sent += 12 if body.confirm else 0
        left = [{"count": 3, "why": "do not hold the whole record, which was too large"}]
        return {"agent": body.agent, "would_send": 12, "left_out": left, "sent": 12 if body.confirm else 0}

    def _group(self, at: int) -> dict[str, Any]:
        sink = at % 3 == 2
        return {
            "agent": "questdb" if sink else AGENTS[at % len(AGENTS)],
            "error": "POISON" if at % 2 else "UNDECODABLE",
            "topic": DECLARED[at % len(DECLARED)],
            "attempt": 1 + at % 2,
            "reason": ("bid of # is no price", "schema # is not one of ours", "quantity: # is off the step")[at % 3],
            "letters": 15 + at,
            "waiting": 0 if at % 4 == 3 else 15 + at,
            "redriven": 15 + at if at % 4 == 3 else 0,
            "oldest": "2026-11-29T09:00:00.000000Z",
            "newest": "2026-11-30T09:00:00.000000Z",
            "returns": not sink,
        }


@dataclass
class Kept:
    """Stands for PostgreSQL: so many totals of usage, and so many commands, of which every third was refused."""

    rows: int
    states: dict[str, str] = field(default_factory=dict)
    """Order -> its state, where a page asks for this order alone."""

    async def orders(
        self,
        tenant_id: str | None,
        account: str | None,
        order_id: str | None,
        after: Any,
        limit: int,
        *,
        but: Collection[str] = (),
    ) -> ReadPage:
        """Return orders, of which two in five are open; or one that a test has given a state, denied by default."""
        if order_id is not None:
            found = self._order(0 if self.states.get(order_id, "DENIED") == "DENIED" else 1)
            return ReadPage([{**found, "order_id": order_id, "status": self.states.get(order_id, "DENIED")}], None)
        rows = [self._order(at) for at in range(self.rows)]
        rows = [one for one in rows if one["status"] not in but]
        return ReadPage(rows[:limit], ("2026-11-30", "e") if len(rows) > limit else None)  # type: ignore[arg-type]

    async def fills(
        self, tenant_id: str | None, account: str | None, order_id: str | None, after: Any, limit: int
    ) -> ReadPage:
        """Return fills."""
        rows = [
            {
                **_whose(at),
                "side": ("BUY", "SELL")[at % 2],
                "quantity": str(1_000 * (1 + at)),
                "price": ("1.17433", "91234.5")[at % 2],
                "liquidity": ("TAKER", "MAKER")[at % 2],
            }
            for at in range(self.rows)
        ]
        return ReadPage(rows[:limit], None)

    def _order(self, at: int) -> dict[str, Any]:
        status = ("DENIED", "ACCEPTED", "FILLED", "REQUESTED", "CANCELED")[at % 5]
        undecided = status == "REQUESTED"
        return {
            **_whose(at),
            "mode": ("ADD", "TARGET")[at % 2],
            "units": str(-1_000 * at),
            "side": None if undecided else ("BUY", "SELL")[at % 2],
            "quantity": None if undecided else str(1_000 * (1 + at)),
            "order_type": ("MARKET", "LIMIT")[at % 2],
            "limit_price": None if undecided or at % 2 == 0 else "1.17402",
            "status": status,
            "filled_quantity": str(1_000 * (1 + at)) if status == "FILLED" else "0",
            "reason": {
                "DENIED": "the position would be worth 1250000.00, above 1000000.00",
                "CANCELED": "changed my mind",
                "FILLED": "filled",
            }.get(status, ""),
            "codes": ["MAX_POSITION"] if status == "DENIED" else [],
        }

    async def calls(self, tenant_id: str | None, hours: int) -> list[Health]:
        """Return how calls of the models ended; a model that was not called has none."""
        times = {"p50_ms": 412.0, "p95_ms": 2_310.4}
        failed = datetime.now(UTC) - timedelta(minutes=7)
        trouble = {"failed": 5, "last_failure": "TIMED_OUT", "last_failed": failed}
        first = Health("paper", "paper-1", "paper", 1_204, **times)
        found = (first, Health("paper", "paper-2", "paper", 40, **times, **trouble))
        return list(found[: self.rows])

    async def ended(self) -> list[Ended]:
        """Return five failures in a row of a model."""
        now_us = round(time.time() * 1_000_000)
        return [
            Ended(f"c{at}", "paper", "paper-2", "paper", "TIMED_OUT", now_us - 1_000_000 * at, 900)
            for at in range(min(5, self.rows))
        ]

    async def costs(self, tenant_id: str | None, since: datetime) -> list[dict[str, Any]]:
        """Return what models have cost."""
        return [
            {
                "tenant_id": tenant_id or ("alpha", "beta")[at % 2],
                "provider": "" if at % 6 == 5 else "anthropic",
                "model": "" if at % 6 == 5 else f"a-model-with-a-long-name-{at}",
                "currency": "USD",
                "requests": str(1 + 17 * at),
                "unanswered": str(17 * at if at % 6 == 5 else 0),
                "cost": "0" if at % 6 == 5 else f"{1 + at}.000021",
                "suspense": "0.25" if at % 4 == 3 else "0",
            }
            for at in range(self.rows)
        ]

    async def usage(self, tenant_id: str | None, month: Any) -> list[dict[str, Any]]:
        """Return totals."""
        return [
            {
                "tenant_id": tenant_id or ("alpha", "beta")[at % 2],
                "meter": ("api.calls", "ai.tokens.out", "market.ticks")[at % 3],
                "dimension": f"anthropic|a-model-with-a-long-name-{at}|chat" if at % 3 == 1 else f"orders/{at}",
                "quantity": str(2**60 + at) if at == 0 else str(at * 1_000),
                "billable_quantity": str(at * 1_000),
                "records": str(at),
                "ts_event": "2026-11-30T09:00:00.000000Z",
            }
            for at in range(self.rows)
        ]

    async def audit(self, tenant_id: str | None, after: Any, limit: int) -> ReadPage:
        """Return commands."""
        return ReadPage([self._command(at) for at in range(min(self.rows, limit))], None)

    def _command(self, at: int) -> dict[str, Any]:
        refused = at % 3 == 2
        return {
            "event_id": f"e{at}",
            "tenant_id": None if at % 5 == 0 else "alpha",
            "ts_event": f"2026-11-30T09:00:{at % 60:02d}.000000Z",
            "user_id": "9f86d081884c7d65",
            "user_name": None if at % 4 == 3 else "ada",
            "role": "trader",
            "address": "127.0.0.1",
            "action": "POST system/emergency-stop",
            "request_key": f"00000000-0000-4000-8000-{at:012d}",
            "outcome": "REFUSED" if refused else "CHANGED",
            "code": "UNKNOWN_ACCOUNT" if refused else "",
            "detail": "#/account: alpha has no account mian" if refused else "stopped: quotes of the venue are wrong",
            "subject": "" if refused else "alpha/main",
            "before": None,
            "after": None if refused else {"tenant": "alpha", "account": "main", "stopped": True},
        }


def _whose(at: int) -> dict[str, Any]:
    """Return what orders and fills have in common."""
    return {
        "tenant_id": ("alpha", "beta")[at % 2],
        "order_id": f"o{at}",
        "event_id": f"e{at}",
        "account_id": ("main", "an-account-with-a-long-name")[at % 2],
        "symbol": ("EURUSD", "BTCUSDT")[at % 2],
        "venue": ("OANDA", "BINANCE")[at % 2],
        "deployment": ("@manual", "ema-crossover-of-eurusd")[at % 2],
        "ts_event": f"2026-11-30T09:00:{at % 60:02d}.000000Z",
    }


class Ways:
    """Stands for traces: each id is an order's that was filled."""

    async def trace(self, tenant_id: str | None, event_id: str) -> dict[str, Any]:
        """Return a way of four steps."""
        at = {"ts_event": "2026-11-30T09:00:00.000250Z"}
        steps = [
            Step("quote", "", 0, 0, {**at, "symbol": "EURUSD", "venue": "OANDA", "bid": 1.17421, "ask": 1.17433}),
            Step(
                "decision", "d1", 250, 0, {**at, "outcome": "DENIED", "codes": ["MAX_POSITION"], "reason": "too large"}
            ),
            Step("fill", "f1", 61_000_000, 0, {**at, "side": "BUY", "quantity": "1000", "price": "1.17433"}),
            Step("position", "p1", 61_000_000, 0, {**at, "quantity": "1000", "average_price": "1.17433"}),
        ]
        return {"id": event_id, "orders": [{"order_id": event_id, "steps": chained(steps)}], "trouble": None}


class Compared:
    """Has compared what flowed, and checked some journals; with trouble, some equations and one journal differ."""

    def __init__(self, rows: int, *, troubled: bool) -> None:
        self._rows = rows
        self._troubled = troubled

    def of(self, name: str) -> tuple[Job | None, Job | None]:
        """Return a job of each kind: one runs, one has failed, some have ended."""
        now = time.time()
        if name == "balance":
            result = {"balanced": not self._troubled, "equations": self._equations(), "cash": [], "ends": []}
            return None, (Job(name, "DONE", now - 9, now - 5, result) if self._rows else None)
        if name == "verify ai":
            return Job(name, "RUNNING", now - 12), None
        if name == "verify market":
            return None, Job(name, "FAILED", now - 12, now - 2, None, "no schema registry is known")
        differs = self._troubled and name == "verify risk"
        task = {"records": 12_048, "difference": {"kind": "output"} if differs else None}
        return None, Job(name, "DONE", now - 12, now - 2, {"equal": not differs, "tasks": [task]})

    def begin(self, name: str, _arguments: object, success: object = ()) -> Job:
        """Begin nothing."""
        return Job(name, "RUNNING", time.time())

    async def close(self) -> None:
        """Do nothing."""

    def _equations(self) -> list[dict[str, Any]]:
        equations = [Equation(f"equation {number} = its other side", 3_954, 3_954) for number in range(self._rows)]
        if self._troubled:
            for equation in equations[::7]:
                equation.breaks(f"{TICKS.name}/2@12048", "order 0123456789abcdef0123456789abcdef has no decision")
            equations[-1].note = "retention has removed records of execution.fills: nothing can be summed"
        return [{**asdict(equation), "named": [asdict(each) for each in equation.named]} for equation in equations]


@contextmanager
def staged(rows: int, *, troubled: bool = True) -> Iterator[Served]:
    """Serve a gateway with so many topics and groups (those that are declared first), and some transactions.

    With `troubled`, one reader is stopped, one falls behind, one catches up, one is unknown, and a transaction hangs.
    """
    with served() as gateway:
        given = gateway.gateway
        quiet = given.flow, given.inventory, given.system, given.alerts
        given.messages = cast("Any", Found(rows))
        reads, given.reads = given.reads, cast("Any", Kept(rows))
        given.decided = Decided(given.reads)
        if rows:
            gateway.put(("ticks", "EURUSD.OANDA"), encoded(event_for_wire(_tick(0))))
        given.traces = cast("Any", Ways())
        gateway.people.rows = rows
        given.jobs = cast("Any", Compared(rows, troubled=troubled))
        given.letters = cast("Any", Buried(rows if troubled else 0))
        names = [*DECLARED, *(f"own.topic_with_a_long_name_{number}" for number in range(rows))][:rows]
        inputs = _inputs(given.declared.known.inputs, names)
        known = replace(given.declared.known, inputs=inputs)
        given.declared = replace(given.declared, known=known, ports=Ports(tuple, tuple, lambda: PROCESSES, _log))
        given.picture.update(picture_of(DOMAIN_TOPICS, given.declared.order, given.declared.left_out))
        flow = FlowView(SETTINGS, known, lambda seen: gateway.put(("flow", ""), encoded(seen.to_json())))
        now = time.time()
        for look in range(LOOKS):
            flow.take(_glance(names, inputs, look, troubled=troubled), now - LOOKS + look + 1)
        given.flow = flow
        given.inventory.last = _inventory(names, inputs, now, rows if troubled else 0)
        given.alerts.last = _alerts(rows if troubled else 0, now)
        given.system.last = _system(rows if troubled else 1, now)
        try:
            yield gateway
        finally:
            given.flow, given.inventory, given.system, given.alerts = quiet
            given.reads = reads


def _system(rows: int, now: float) -> SystemSeen:
    """Return the services and processes of one stack; with many rows, some are in trouble."""
    services = [{"name": "kafka", "healthy": True, "version": "4.3.1", "detail": ""}]
    if rows > 1:
        services += [
            {"name": "postgres", "healthy": True, "version": "18.1", "detail": ""},
            {"name": "questdb", "healthy": False, "version": "", "detail": "http://127.0.0.1:19093 does not answer"},
        ]
    held = {
        "group": "execution",
        "topic": TICKS.name,
        "partition": 2,
        "instrument": "EURUSD.OANDA",
        "until": "execution.decisions",
        "seconds": 41.0,
        "records": 12_048,
    }
    fresh = {"phase": "running", "down": False, "stands_still": False, "ready": True, "reasons": [], "deaths": 0}
    states: tuple[dict[str, Any], ...] = (
        {},
        {"ready": False, "reasons": ["risk restores partition 3 of its state"], "restoring": ["risk"]},
        {"held": [held]},
        {"phase": "failed", "down": True, "ready": None, "deaths": 5, "age_s": None},
        {"phase": "waiting", "ready": None, "deaths": 2, "age_s": None},
        {"stands_still": True, "ready": False, "reasons": ["QuestDB does not answer; no row was written for 64 s"]},
    )
    processes = [
        {
            "name": name,
            **fresh,
            "age_s": 4_000.0 + at,
            "held": [],
            "restoring": [],
            **(states[at % 6] if rows > 1 else {}),
        }
        for at, name in enumerate(PROCESSES[:rows])
    ]
    return SystemSeen(now, tuple(services), tuple(processes))


def _log(name: str, lines: int) -> dict[str, Any]:
    """Return the end of a log."""
    found = [f"2026-11-30 09:{at // 60:02}:{at % 60:02} INFO {name}: took {at * 311} records" for at in range(lines)]
    return {"lines": found, "bytes": 4_211_000, "whole": False}


def _alerts(rows: int, now: float) -> tuple[Said, ...]:
    """Return so many alerts: some hold, some came once, some are over, one is of a process that has ended."""
    book: dict[Complaint, Said] = {}
    for at in range(rows):
        repeated, ended = at % 3 == 0, at % 5 == 4
        since = round((now - 60 * (at + 1)) * 1_000_000)
        told = Alert(
            event_id=f"{at:032x}",
            tenant_id=None if repeated else ("alpha", "beta")[at % 2],
            ts_event=since,
            ts_ingest=since if at % 7 == 6 else round((now - 1) * 1_000_000),
            correlation_id="c",
            causation_id="c",
            severity=("CRITICAL", "WARNING", "INFO")[at % 3],
            source=f"{AGENTS[at % len(AGENTS)]}-{at}",
            code="WATCHDOG_POSITION" if repeated else "AI_BUDGET_80",
            message=f"{TICKS.name}/{at % 4}: 4,211 records to read, and the position 99,1{at:02} has not moved for 64 s"
            if repeated
            else "80 % of the month's 5,000.00 are spent or reserved; requests are refused at 100 %",
            group=AGENTS[at % len(AGENTS)] if repeated else None,
            topic=TICKS.name if repeated else None,
            partition=at % 4 if repeated else None,
            since=since if repeated else None,
        )
        hear(book, told)
        if ended:
            hear(book, replace(told, code=f"{told.code}{OVER}", ts_ingest=round((now - 0.5) * 1_000_000)))
    return tuple(book.values())


def linked(gateway: Served, role: str = "operator") -> str:
    """Return the address that signs a user of a role in."""
    code = f"{role}-{time.monotonic_ns():040}"
    tenant = None if role == "operator" else "alpha"
    gateway.users.links[code] = User(role, role, role, tenant)  # type: ignore[arg-type] # a role's name
    return f"/login#{code}"


def _inputs(declared: Mapping[str, frozenset[str]], names: list[str]) -> dict[str, frozenset[str]]:
    """Return what groups read: the declared ones, and one more for each topic of ours that has none."""
    wanted = set(names)
    found = {group: topics & wanted for group, topics in sorted(declared.items()) if topics & wanted}
    found |= {f"tradewind.own-{number}": frozenset({name}) for number, name in enumerate(names) if name not in DECLARED}
    return dict(list(found.items())[: len(names)])


def _glance(names: list[str], inputs: Mapping[str, frozenset[str]], look: int, *, troubled: bool) -> Glance:
    """Return a look: each topic grows by a rate of its own, and each reader keeps up but for those in trouble."""
    rates = {name: _rate(at) for at, name in enumerate(names)}
    flows = tuple(TopicFlow(name, 10_000_000 + rate * look, float(rate)) for name, rate in rates.items())
    lags: list[Lag] = []
    for at, (group, topics) in enumerate(inputs.items()):
        trouble = at % 8 if troubled else 0
        if trouble == 5:
            continue  # Kafka says nothing of it
        for topic in sorted(topics):
            lags += [_lag(group, topic, number, rates[topic] + 1, look, trouble) for number in range(PARTITIONS)]
    return Glance({}, {}, flows, tuple(lags), 0)


def _lag(group: str, topic: str, partition: int, rate: int, look: int, trouble: int) -> Lag:
    end = 1_000_000 + rate * look
    behind = {
        1: rate * max(0, look - LOOKS + 40),  # stopped for 40 s
        2: rate * (20 + look // 2),  # reads half of what comes
        3: rate * (200 - 2 * look),  # catches up
    }.get(trouble, 0 if look % 3 else rate // 2)
    return Lag(group, topic, partition, behind, round(behind / rate, 2), end - behind, end)


def _rate(at: int) -> int:
    """Return the records per second of a topic: a quarter of them carry nothing."""
    return 0 if at % 4 == 3 else 7 * (1 + at % 5) * 10 ** (at % 3)


def _inventory(names: list[str], inputs: Mapping[str, frozenset[str]], now: float, transactions: int) -> Inventory:
    places = {(name, number): (at, _rate(at)) for at, name in enumerate(names) for number in range(PARTITIONS)}
    compacted = {topic.name for topic in DOMAIN_TOPICS if topic.cleanup == "compact"}
    members = {
        group: GroupSeen(
            "STABLE" if at % 6 else "EMPTY",
            (Member(f"{group}-0", "127.0.0.1", frozenset(of for of in places if of[0] in topics)),) if at % 6 else (),
        )
        for at, (group, topics) in enumerate(inputs.items())
        if at % 8 != 5
    }
    return Inventory(
        at_s=now,
        sizes={
            of: tuple((now - 60 + 4 * s, (at * 7 % 66) * MIB + (s * rate * 31)) for s in range(16))
            for of, (at, rate) in places.items()
        },
        bounds={of: (1_000 * at, 1_000_000 + at) for of, (at, _) in places.items()},
        ends={of: 1_000_000 + at + (120 if of == (TICKS.name, 3) else 0) for of, (at, _) in places.items()},
        last_writes={
            of: now - (0.3 if rate else at**3)
            for of, (at, rate) in places.items()
            if of[0] not in inputs or at % 11 != 10
        },
        configs={
            name: {"cleanup.policy": "compact" if name in compacted else "delete", "retention.bytes": str(64 * MIB)}
            for name in names
        },
        groups=members,
        transactions=_transactions(names, now, transactions),
    )


def _transactions(names: list[str], now: float, count: int) -> tuple[OpenTransaction, ...]:
    """Return a hanging, a long and a fresh transaction, and then more fresh ones."""
    if not count:
        return ()
    first = TICKS.name if TICKS.name in names else names[0]
    writing = [Writing((first, 3), 4_012, 7, 0, 999_870, now - 3_900)]
    coordinated = [
        Coordinated(
            f"tradewind.{AGENTS[at % len(AGENTS)]}-{at}",
            5_000 + at,
            1,
            "Ongoing",
            now - (9 if at == 0 else 0.2),
            10.0,
            ((names[-1 - at % len(names)], at % PARTITIONS),),
        )
        for at in range(count - 1)
    ]
    return joined(coordinated, writing, now)
