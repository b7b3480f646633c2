"""Records of a topic, as a person searches them: decoded, filtered, only what the person's tenant may see."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from confluent_kafka import Message
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tradewind.connectors.gateway.auth.roles import AUDITORS, Who
from tradewind.connectors.gateway.cursors import LONGEST, Cursors
from tradewind.connectors.gateway.problems import Problem, meant
from tradewind.connectors.gateway.wire import event_for_wire
from tradewind.connectors.health.messages import STEP_S, Searcher, Step
from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.kafka.errors import BrokerUnavailable, StreamError
from tradewind.connectors.kafka.json_events import fields_of
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.processors.health.filters import BadFilter, Kind, Match, filter_of
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import UNKNOWN, Event
from tradewind.schemas.runtime import DeadLetter, Redriven
from tradewind.topics import AUDIT, Topic
from tradewind.topics.partitioner import partition_of

AT_ONCE: Final = 4
"""Searches: each has a connection, and reads up to 32 MiB."""
WAIT_S: Final = 5.0
MOST_HITS: Final = 200
"""Of one step; the page goes on."""
MOST_HEX: Final = 2_048
"""Bytes of a value that are shown, where they are no event."""
PUBLIC: Final = "market"
"""The domain whose events belong to no tenant, and are everybody's."""
KEPT: Final[Mapping[str, type[Event]]] = {"dlq": DeadLetter, "redrive": DeadLetter, "redriven": Redriven}
"""How names of topics end that consumers keep for themselves -> the event on them."""
PLAIN: Final[Mapping[str, Kind]] = {
    "string": Kind("text"),
    "boolean": Kind("boolean"),
    "int": Kind("integer"),
    "long": Kind("integer"),
    "double": Kind("double"),
}


class Query(BaseModel):
    """What to search for."""

    model_config = ConfigDict(extra="forbid")

    topic: Annotated[str, Field(max_length=249, description="Without the namespace.")]
    key: Annotated[str | None, Field(max_length=256, description="Only this key: one partition is read.")] = None
    partition: Annotated[int | None, Field(ge=0, description="Only this partition.")] = None
    tenant: Annotated[str | None, Field(max_length=64, description="Only this tenant's events. For operators.")] = None
    where: Annotated[str | None, Field(max_length=600, description="Such as `side = BUY and price > 1.1`.")] = None
    since: Annotated[AwareDatetime | None, Field(description="Only what came in then or later.")] = None
    order: Annotated[Literal["newest", "oldest"], Field(description="Newest first, or from the oldest on.")] = "newest"
    limit: Annotated[int, Field(ge=1, le=MOST_HITS, description="Records of one step.")] = 50
    cursor: Annotated[str | None, Field(max_length=LONGEST, description="`next` of the step before.")] = None
    live: Annotated[
        str | None, Field(max_length=LONGEST, description="`head` of an earlier step: what came since.")
    ] = None

    @property
    def since_ms(self) -> int:
        """`since` in ms since 1970; 0 where it is not given."""
        return 0 if self.since is None else max(0, round(self.since.timestamp() * 1000))

    def named(self) -> str:
        """Return what a cursor is bound to: all but where it stands."""
        told = self.model_dump(mode="json", exclude={"cursor", "live", "limit"})
        return "messages " + hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Which records somebody may see and wants."""

    tenant: str | None
    """None for all tenants, which only operators may see."""
    shared: bool
    """Whether events that belong to no tenant are among them."""
    key: bytes | None
    by_key: bool
    """Whether the key alone says in which partition a record lies."""
    where: Match | None
    since_ms: int
    """What came in before is not wanted. Kafka looks times up among markers, too, so it may begin too early."""
    codec: Codec

    def takes(self, message: Message) -> bool:
        value = message.value()
        if (self.key is not None and message.key() != self.key) or message.timestamp()[1] < self.since_ms:
            return False
        if value is None:
            return self.where is None and (self.tenant is None or self.shared)
        try:
            event = self.codec.decode(value)
        except ValueError:
            return self.where is None and self.tenant is None
        owner = getattr(event, "tenant_id", None)
        if self.tenant is not None and owner != self.tenant and not (owner is None and self.shared):
            return False
        return self.where is None or self.where(event.to_dict())


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Where a search stands, as a text that is good for this search and tenant alone."""

    cursors: Cursors
    named: str
    tenant: str | None

    def made(self, reached: Mapping[int, int], *, live: bool = False) -> str:
        return self.cursors.token(self._of(live=live), self.tenant, {str(number): at for number, at in reached.items()})

    def opened(self, text: str, *, live: bool = False) -> Mapping[str, int]:
        found: Mapping[str, int] = self.cursors.opened(self._of(live=live), self.tenant, text)
        return found

    def _of(self, *, live: bool) -> str:
        return self.named + " live" if live else self.named


class Messages:
    """Searches of one process. For one event loop."""

    def __init__(
        self,
        settings: Settings,
        codec: Codec,
        known: Iterable[str],
        declared: Iterable[Topic],
        step_s: float = STEP_S,
    ) -> None:
        """Take the names on the cluster of all topics that may be searched, and the declared ones among them."""
        self._settings, self._codec, self._step_s = settings, codec, step_s
        self._known = {name.removeprefix(settings.namespace) for name in known}
        self._declared = {topic.name: topic for topic in declared}
        self._free = asyncio.Semaphore(AT_ONCE)

    async def step(self, query: Query, who: Who, cursors: Cursors) -> dict[str, Any]:
        """Return one step of a search; raises `Problem`."""
        scope = self._scope(query, who)
        try:
            async with asyncio.timeout(WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise Problem(
                503,
                "BUSY",
                f"{AT_ONCE} searches run already",
                "try again in some seconds",
                headers={"Retry-After": "3"},
            ) from None
        try:
            return await asyncio.to_thread(self._searched, query, scope, cursors, who.tenant_id)
        except (BrokerUnavailable, RegistryError) as error:
            raise Problem(
                503, "KAFKA_AWAY", str(error), "try again in some seconds", headers={"Retry-After": "3"}
            ) from error
        except StreamError as error:
            raise Problem(422, "INVALID", str(error), "correct the search") from error
        finally:
            self._free.release()

    def _scope(self, query: Query, who: Who) -> _Scope:
        if query.topic not in self._known:
            hint = meant(query.topic, self._known, "GET /api/v1/streams/topics lists the topics")
            raise Problem(404, "UNKNOWN_TOPIC", f"there is no topic {query.topic}", hint, pointer="query: topic")
        declared = self._declared.get(query.topic)
        models = declared.models if declared is not None else tuple(_kept(query.topic))
        shared = declared is not None and declared.owner == PUBLIC
        if query.topic == AUDIT.name and who.role not in AUDITORS:
            raise Problem(
                403,
                "FORBIDDEN",
                f"the role {who.role} may not read {query.topic}; it takes {' or '.join(sorted(AUDITORS))}",
                "ask an owner of your tenant",
                pointer="query: topic",
            )
        if who.tenant_id is not None:
            if query.tenant not in (None, who.tenant_id):
                raise Problem(
                    403,
                    "FORBIDDEN",
                    "a tenant's users see their own events",
                    "leave `tenant` out",
                    pointer="query: tenant",
                )
            if not shared and (declared is None or not any("tenant_id" in fields_of(model) for model in models)):
                raise Problem(
                    403,
                    "FORBIDDEN",
                    f"{query.topic} belongs to the platform, and only operators may read it",
                    "ask an operator",
                    pointer="query: topic",
                )
        return _Scope(
            who.tenant_id or query.tenant,
            shared,
            None if query.key is None else query.key.encode(),
            declared is not None and declared.partition_key is None and not (declared.broadcast or declared.spread),
            None if not query.where else _matching(query.where, models),
            query.since_ms,
            self._codec,
        )

    def _searched(self, query: Query, scope: _Scope, cursors: Cursors, tenant_id: str | None) -> dict[str, Any]:
        """Read one step; in a thread."""
        tokens = _Tokens(cursors, query.named(), tenant_id)
        physical = self._settings.physical(query.topic)
        count = partition_counts(self._settings).get(physical)
        if count is None:
            raise Problem(404, "UNKNOWN_TOPIC", f"the cluster has no topic {query.topic}", "run ./dev prepare")
        searcher = Searcher(self._settings, physical, self._step_s)
        try:
            step, head = _stepped(searcher, query, scope, tokens, count)
        finally:
            searcher.close()
        return {
            "topic": query.topic,
            "hits": [self._shown(message) for message in step.hits],
            "next": None if step.left == 0 or query.live else tokens.made(step.reached),
            "head": tokens.made(head, live=True),
            "searched": {"records": step.records, "bytes": step.bytes},
            "left": str(step.left),
            "consume": _consume(query, scope),
        }

    def _shown(self, message: Message) -> dict[str, Any]:
        value, key = message.value(), message.key()
        found: dict[str, Any] = {
            "partition": message.partition(),
            "offset": str(message.offset()),
            "timestamp": message.timestamp()[1] / 1000,
            "key": None if key is None else key.decode("utf-8", "backslashreplace"),
            "bytes": 0 if value is None else len(value),
        }
        if value is None:
            return {**found, "deleted": True}
        try:
            event = self._codec.decode(value)
        except ValueError as error:
            return {**found, "hex": value[:MOST_HEX].hex(), "reason": str(error)}
        return {**found, "model": type(event).__name__, "event": event_for_wire(event)}


def _stepped(
    searcher: Searcher, query: Query, scope: _Scope, tokens: _Tokens, count: int
) -> tuple[Step, dict[int, int]]:
    """Return a step, and the ends that it looked up to."""
    if query.partition is not None and query.partition >= count:
        raise Problem(
            422,
            "INVALID",
            f"{query.topic} has no partition {query.partition}",
            f"its partitions are 0 to {count - 1}",
            pointer="query: partition",
        )
    partitions = _partitions(query, scope, count)
    bounds = searcher.bounds(partitions)
    head = {number: end for number, (_, end) in bounds.items()}
    if query.since is not None:
        begins = searcher.at_time(partitions, query.since_ms, bounds)
        bounds = {number: (max(first, begins[number]), end) for number, (first, end) in bounds.items()}
    if query.live is not None:
        step = searcher.forwards(
            _within(tokens.opened(query.live, live=True), bounds), bounds, scope.takes, query.limit
        )
        step.hits.reverse()
        return step, step.reached
    begin = None if query.cursor is None else _within(tokens.opened(query.cursor), bounds)
    if query.order == "oldest":
        first = {number: at for number, (at, _) in bounds.items()}
        return searcher.forwards(first if begin is None else begin, bounds, scope.takes, query.limit), head
    return searcher.backwards(head if begin is None else begin, bounds, scope.takes, query.limit), head


def _partitions(query: Query, scope: _Scope, count: int) -> list[int]:
    if query.partition is not None:
        return [query.partition]
    if scope.key is not None and scope.by_key:
        return [partition_of(scope.key, count)]
    return list(range(count))


def _within(offsets: Mapping[str, int], bounds: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """Return where a cursor stands; what retention has removed meanwhile is passed over."""
    return {
        int(number): min(max(at, bounds[int(number)][0]), bounds[int(number)][1])
        for number, at in offsets.items()
        if int(number) in bounds
    }


def _consume(query: Query, scope: _Scope) -> str:
    """Return the command that prints the same topic."""
    parts = ["./dev", "consume", query.topic]
    if scope.tenant is not None:
        parts += ["--tenant", scope.tenant]
    if query.since is not None:
        parts += ["--from", query.since.isoformat().replace("+00:00", "Z")]
    return shlex.join(parts)


def _matching(where: str, models: Iterable[type[Event]]) -> Match:
    kinds: dict[str, Kind] = {}
    for model in models:
        for name, field in fields_of(model).items():
            kind = kind_of(field["type"])
            if kind is not None:
                kinds.setdefault(name, kind)
    try:
        return filter_of(where, kinds)
    except BadFilter as error:
        raise Problem(
            422, "BAD_FILTER", str(error), "docs/dashboards.md, Messages, says what a filter is", pointer="query: where"
        ) from error


def kind_of(schema: Any) -> Kind | None:
    """Return what a filter compares a field with; None for lists, records and bytes, which have no order."""
    match schema:
        case ["null", other]:
            return kind_of(other)
        case {"logicalType": "decimal"}:
            return Kind("decimal")
        case {"logicalType": "timestamp-micros"}:
            return Kind("time")
        case {"type": "enum", "symbols": symbols}:
            return Kind("text", tuple(symbol for symbol in symbols if symbol != UNKNOWN))
        case {"type": str(kind)}:
            return PLAIN.get(kind)
        case str(kind):
            return PLAIN.get(kind)
    return None


def _kept(topic: str) -> Iterable[type[Event]]:
    model = KEPT.get(topic.rpartition(".")[2])
    return () if model is None else (model,)
