"""Consumer groups: which exist, how far they have read, and who their members are. Asked by aiokafka.

`up` and the gateway outlive brokers. librdkafka's Admin API may abort a process whose broker ends while it owes an
answer about a group (docs/adr/0002).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import confluent_kafka
from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import BrokerResponseError, KafkaError, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest, ListGroupsRequest
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest

from tradewind.connectors.cluster.look import connection
from tradewind.connectors.health.ledger import Partition
from tradewind.connectors.settings import Settings

GROUP = 0
"""What Kafka's FindCoordinator calls the key of a group."""
STATES = {"PreparingRebalance": "PREPARING_REBALANCING", "CompletingRebalance": "COMPLETING_REBALANCING"}
"""Kafka's words for states that its own tools write otherwise."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """A consumer of a group."""

    client_id: str
    host: str
    partitions: frozenset[Partition]


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """A consumer group as its coordinator knows it."""

    state: str
    """As Kafka's tools write it: STABLE, EMPTY, PREPARING_REBALANCING and so on."""
    members: tuple[Member, ...]


class Coordinators:
    """Asks the coordinators of groups; for one event loop.

    Methods raise `KafkaError` of aiokafka. Then connect anew: the coordinator may be another broker by now.
    """

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client
        self._known: dict[str, int] = {}
        """Group -> the broker that coordinates it, as last heard."""

    async def listed(self) -> set[str]:
        """Return the groups that exist."""
        nodes = [broker.nodeId for broker in self._client.cluster.brokers()]
        answers = await asyncio.gather(*(self._client.send(node, ListGroupsRequest()) for node in nodes))
        for answer in answers:
            _refuse(answer.error_code, "the list of groups")
        return {group for answer in answers for group, _ in answer.groups}

    async def committed(self, groups: Iterable[str]) -> dict[tuple[str, Partition], int]:
        """Return the offsets that groups have committed: (group, partition) -> offset."""

        async def of(group: str) -> dict[tuple[str, Partition], int]:
            answer = await self._ask(group, OffsetFetchRequest(group, None))
            _refuse(answer.error_code, group)
            found = {}
            for topic, partitions in answer.topics:
                for number, offset, _, error in partitions:
                    _refuse(error, f"{group} on {topic}/{number}")
                    if offset >= 0:
                        found[group, (topic, number)] = offset
            return found

        return {key: offset for found in await self._each(groups, of) for key, offset in found.items()}

    async def described(self, groups: Iterable[str]) -> dict[str, GroupSeen]:
        """Return the groups that exist, with their members."""

        async def of(group: str) -> tuple[str, GroupSeen]:
            # One group a request: aiokafka reads the third version's answer without the field at the end of a group.
            answer = await self._ask(group, DescribeGroupsRequest([group]))
            error, _, state, kind, _, members = answer.groups[0]
            _refuse(error, group)
            seen = (_member(client, host, held, kind) for _, client, host, _, held in members)
            return group, GroupSeen(STATES.get(state, state.upper()), tuple(seen))

        found = await self._each(groups, of)
        return {group: seen for group, seen in found if seen.state != "DEAD"}  # DEAD: there is no such group

    async def _each(self, groups: Iterable[str], ask: Callable[[str], Awaitable[T]]) -> list[T]:
        return list(await asyncio.gather(*(ask(group) for group in groups)))

    async def _ask(self, group: str, request: Any) -> Any:
        if group not in self._known:
            anybody = self._client.get_random_node()
            found = await self._client.send(anybody, FindCoordinatorRequest(group, GROUP))
            _refuse(found.error_code, group)
            self._known[group] = found.coordinator_id
        return await self._client.send(self._known[group], request)


class Groups:
    """Asks from code that has no event loop, by a thread of its own, which connects when it is first asked.

    Methods raise `KafkaException`, and connect anew after it.
    """

    def __init__(self, settings: Settings, answer_s: float) -> None:
        """Each answer may take `answer_s` seconds."""
        self._settings, self._answer_s = settings, answer_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="groups", daemon=True)
        self._client: AIOKafkaClient | None = None
        self._coordinators: Coordinators | None = None

    def close(self) -> None:
        """Let the connection go."""
        if self._thread.is_alive():
            with suppress(KafkaError, OSError):
                self._run(self._left())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def listed(self) -> set[str]:
        """Return the groups that exist."""
        return self._asked(Coordinators.listed)

    def committed(self, groups: Iterable[str]) -> dict[tuple[str, Partition], int]:
        """Return the offsets that groups have committed: (group, partition) -> offset."""
        wanted = tuple(groups)
        return self._asked(lambda coordinators: coordinators.committed(wanted))

    def _asked(self, question: Callable[[Coordinators], Awaitable[T]]) -> T:
        async def answer() -> T:
            try:
                async with asyncio.timeout(self._answer_s):
                    return await question(await self._connected())
            except (KafkaError, OSError):
                await self._left()
                raise

        if not self._thread.is_alive():
            self._thread.start()
        try:
            return self._run(answer())
        except BrokerResponseError as error:
            raise _said(error.errno, error) from error
        except TimeoutError as error:
            raise _said(confluent_kafka.KafkaError._TIMED_OUT, error) from error
        except (KafkaError, OSError) as error:
            raise _said(confluent_kafka.KafkaError._TRANSPORT, error) from error

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(2 * self._answer_s)

    async def _connected(self) -> Coordinators:
        if self._coordinators is None:
            self._client = AIOKafkaClient(**connection(self._settings))
            await self._client.bootstrap()
            self._coordinators = Coordinators(self._client)
        return self._coordinators

    async def _left(self) -> None:
        client, self._client, self._coordinators = self._client, None, None
        if client is not None:
            await client.close()


def _refuse(error: int, what: str) -> None:
    if error:
        raise for_code(error)(what)


def _member(client_id: str, host: str, held: bytes, kind: str) -> Member:
    assigned = ConsumerProtocolMemberAssignment.decode(held).partitions() if held and kind == "consumer" else ()
    return Member(client_id, host.removeprefix("/"), frozenset((of.topic, of.partition) for of in assigned))


def _said(code: int, error: BaseException) -> confluent_kafka.KafkaException:
    return confluent_kafka.KafkaException(confluent_kafka.KafkaError(code, f"{type(error).__name__}: {error}"))
