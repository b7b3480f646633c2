"""Apache Kafka in KRaft mode: one broker for every day, or three for tests of what a lost broker does."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tradewind.connectors.cluster.file import noted
from tradewind.connectors.settings import Settings
from tradewind.infra.services.declaration import ASK_S, Service
from tradewind.infra.services.disk import MB, limits, room
from tradewind.infra.services.java import artifacts
from tradewind.infra.services.java.runtime import WARM
from tradewind.infra.services.kafka_logs import fencing
from tradewind.infra.services.kafka_logs.copies import emptied, forget, keep
from tradewind.infra.services.kafka_logs.files import refuse_lost
from tradewind.infra.services.passwords import write_private
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import connect
from tradewind.infra.services.process import Command, Server, run_to_end
from tradewind.infra.services.service import LOOPBACK, DiskFull, Running, ServiceError, ServiceFailed

MAX_BROKERS = 3
BROKERS = range(2, 2 + MAX_BROKERS)
"""Offsets of the ports that clients connect to; with the default base the first port is 19092."""
CONTROLLERS = range(5, 5 + MAX_BROKERS)
"""Offsets of the ports where controllers talk to one another."""
HEAP = "-Xmx512m"
FORMAT_TIMEOUT_S = 60
PROBE_TIMEOUT_S = 2.0
COPIES_MARGIN = 64 * MB
"""Room beside the guard's limit that copies of logs leave: services write some 16 MB each while they start."""
LEAST_COPIES = 8 * MB
"""Room for copies below that margin. It is enough for the cluster's metadata, kill switches and offsets, without which
no record can be read, and half of what the smallest guard's limit is."""
SESSION_MS = 3_000
"""Of a broker among several: others take its partitions soon after it was killed."""
LONE_SESSION_MS = 9_000
"""Of a broker alone, which is Kafka's default. Nobody could take its partitions, and one that is slow must keep them.
A start after a kill does not wait for it (ADR 30)."""
PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
# Below the working folder: a whole path would be read as Latin-1, cut at its commas, and lose spaces at its ends.
log.dirs=data

# Topics are created by the code that owns them, never by a misspelt name.
auto.create.topics.enable=false
num.partitions=1
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
# The defaults of 50 each are 150 folders to open at each start.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=1
# A starting broker reads both whole before it serves a group or a transaction, and only full segments are compacted.
# With the default of 100 MB each, a million offsets would be read after each start.
offsets.topic.segment.bytes=16777216
transaction.state.log.segment.bytes=16777216

broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms=500
# A transaction that nobody ends blocks read_committed consumers: end it soon after its own time-out.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
# The first record of a transaction in each partition is not asked about at the coordinator: that costs a request and a
# retry each, a third of what a small transaction takes. It is for records that come in late, after the end of their
# transaction (docs/adr/0013): no connection to this machine itself holds one back for so long.
transaction.partition.verification.enable=false
# A group's first member need not wait for others; tests need not wait 6 s for a dead one.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000

# Topics say how long they keep; the default for the rest is a week. Small segments make that exact on a small disk.
log.retention.hours=168
log.segment.bytes=134217728
log.retention.check.interval.ms=60000
log.cleaner.dedupe.buffer.size=33554432
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
"""


class Kafka(Service):
    """A cluster of one to three nodes, each broker and controller, on loopback and without authentication."""

    name = "kafka"
    part = "kafka"
    address = "bootstrap"
    offsets = (*BROKERS, *CONTROLLERS)

    def __init__(self, place: Place) -> None:
        """Prepare as many nodes as the place asks for; raises `ValueError` where these are too many."""
        super().__init__(place)
        self.nodes = place.brokers
        if not 1 <= self.nodes <= MAX_BROKERS:
            raise ValueError(f"{self.nodes} Kafka nodes: choose 1 to {MAX_BROKERS}")
        self._accept = place.accept_cluster
        self._starting = threading.Lock()
        self._nodes: dict[int, Server] = {}
        self._kept: dict[int, list[Path]] = {}
        """Copies of logs, until the node has read them again."""

    @property
    def bootstrap(self) -> str:
        """`host:port,...` of all nodes."""
        return ",".join(f"{LOOPBACK}:{self._broker(node)}" for node in self._numbers)

    @property
    def replication(self) -> int:
        """How many copies a partition has by default: one on every node."""
        return self.nodes

    @property
    def listens(self) -> Sequence[int]:
        """The ports that it needs."""
        return [port for node in self._numbers for port in (self._broker(node), self._controller(node))]

    def endpoint(self) -> dict[str, Any]:
        """Return where clients connect, and how many copies topics are to have."""
        return {"bootstrap": self.bootstrap, "replication_factor": self.replication}

    @classmethod
    def ask(cls, settings: Settings) -> str:
        """Return the version of an embedded one, or how many brokers an external one has."""
        cluster = AdminClient({**settings.librdkafka(), "log_level": 0}).list_topics("__absent", timeout=ASK_S)
        if cluster.controller_id < 0:
            raise ConnectionError("the cluster has no controller")
        embedded = artifacts.locked()["kafka"].version  # the protocol does not tell
        return embedded if str(settings.kafka.bootstrap).startswith(LOOPBACK) else f"{len(cluster.brokers)} brokers"

    @property
    def _numbers(self) -> range:
        return range(1, self.nodes + 1)

    def _broker(self, node: int) -> int:
        return self.port(node - 1)

    def _controller(self, node: int) -> int:
        return self.port(MAX_BROKERS + node - 1)

    def start(self) -> Running:
        """Start all nodes at once and return when each has joined."""
        with self._starting:
            return self._start()

    def _start(self) -> Running:
        begun = time.monotonic()
        for node in self._numbers:
            self._prepare(node)
        jars = artifacts.ensure(["kafka"])["kafka"]
        if ended := [node for node in self._numbers if fencing.crashed(self._logs(node))]:
            self._fence(ended, jars)
        with ThreadPoolExecutor(self.nodes) as pool:
            pids = list(pool.map(lambda node: self._launch(node, jars), self._numbers))
        first = self._nodes[1]
        version = self.wait_ready()
        self._accept = False  # it was for what was found now: a loss while it runs is another one
        return Running(self.name, self.bootstrap, pids[0], version, time.monotonic() - begun, first.command.log)

    def start_node(self, node: int) -> int:
        """Start one node, from 1, without waiting for it, and return its pid.

        Raises `KafkaFilesLost` where its files are not those of the cluster that the data folder knew.
        """
        self._prepare(node)
        return self._launch(node, artifacts.ensure(["kafka"])["kafka"])

    def _prepare(self, node: int) -> None:
        """See to a node's files before anything reads them. Raises as `start_node` does."""
        logs = self._logs(node)
        logs.parent.mkdir(mode=0o700, exist_ok=True)
        self._kept[node] = self._keep(logs)
        if not self._accept:
            refuse_lost(logs, noted(self.place.data), every_partition=self.nodes == 1)

    def _launch(self, node: int, jars: Sequence[Path]) -> int:
        logs, config = self._logs(node), self._logs(node).with_name("server.properties")
        config.write_text(self._properties(node))
        if not (logs / "meta.properties").exists():
            self._format(WARM.command(logs.parent, jars, *_options(jars)), config, logs.parent)
        self._nodes[node] = server = self._server(node, self._name(node), config, jars)
        self.servers = [self._nodes[number] for number in sorted(self._nodes)]
        return server.start()

    def _fence(self, ended: Sequence[int], jars: Sequence[Path]) -> None:
        """Have controllers record that brokers have ended, so that no broker reads that it leads its partitions."""
        controllers = []
        for node in self._numbers:
            config = self._logs(node).with_name("controller.properties")
            config.write_text(fencing.controller_only(self._properties(node)))
            server = self._server(node, f"{self._name(node)}-fencing", config, jars, fencing.LOGGING)
            server.command.log.unlink(missing_ok=True)
            controllers.append(server)
        try:
            for server in controllers:
                server.start()
            logs = [server.command.log for server in controllers]
            controllers[0].wait_ready(fencing.probe(ended, logs, [self._logs(node) for node in self._numbers]))
        finally:
            with ThreadPoolExecutor(self.nodes) as pool:
                list(pool.map(Server.stop, controllers))

    def _server(self, node: int, name: str, config: Path, jars: Sequence[Path], *more: str) -> Server:
        folder = self._logs(node).parent
        argv = (*self.place.java.command(folder, jars, *_options(jars), *more), "kafka.Kafka", config.name)
        return Server(Command(name, argv, folder, self.place.log(name)), self.place.run, self.place.closing)

    def _name(self, node: int) -> str:
        return self.name if self.nodes == 1 else f"{self.name}-{node}"

    def _logs(self, node: int) -> Path:
        return self.place.folder(self.name) / str(node) / "data"

    def wait_ready(self) -> str:
        """Wait until every node has joined (after `start_node`), and return Kafka's version."""
        version = self.servers[0].wait_ready(self._probe)
        self._refuse_emptied()
        self._forget()
        return version

    def tend(self) -> None:
        """Remove the copies once Kafka is ready, where its start gave up before, and keep its logs within bounds.

        Where Kafka has emptied a log, it is killed: whoever watches it starts it again, and the log is put back.
        """
        super().tend()
        if self._kept and self._starting.acquire(blocking=False):
            try:
                self._probe()
                self._refuse_emptied()
                self._forget()
            except (ServiceError, OSError):
                return  # not ready yet, or ended: the next look, or the next start, comes to it
            finally:
                self._starting.release()

    def _forget(self) -> None:
        for node in self._kept:
            forget(self._logs(node))
        self._kept.clear()

    def _keep(self, logs: Path) -> list[Path]:
        """Copy what a node reads again, after putting back what an earlier start has emptied."""
        try:
            return keep(logs, lambda: self._spare(logs))
        except OSError as error:
            raise DiskFull(
                f"kafka: its logs cannot be copied before they are read again ({error}), and were not touched: see to "
                f"the disk of {logs}, then ./dev up"
            ) from error

    def _spare(self, logs: Path) -> int:
        """Return how many bytes a node's copies may take: below the guard's limit everything would be stopped."""
        found = room(logs)
        above = found.bytes_free - limits(found, self.place.disk).stop_bytes
        least = min(LEAST_COPIES, above // 2)
        return max(0, least, min(found.bytes_free // 2, above - COPIES_MARGIN)) // self.nodes

    def _refuse_emptied(self) -> None:
        """Raise `DiskFull`, with every node killed, where one has emptied a log: the next start puts it back."""
        if found := [log for kept in self._kept.values() for log in emptied(kept)]:
            for server in self.servers:
                server.kill()
            raise DiskFull(
                f"kafka: reading {found[0]} again failed, and Kafka has emptied {len(found)} logs. Kafka was stopped; "
                f"its next start puts them back from their copies. See to the disk, then ./dev up"
            )

    def _properties(self, node: int) -> str:
        voters = (f"{n}@{LOOPBACK}:{self._controller(n)}" for n in self._numbers)
        return PROPERTIES.format(
            node=node,
            voters=",".join(voters),
            host=LOOPBACK,
            broker=self._broker(node),
            controller=self._controller(node),
            replicas=self.replication,
            in_sync=max(1, self.nodes - 1),
            session_ms=LONE_SESSION_MS if self.nodes == 1 else SESSION_MS,
        )

    def _format(self, command: tuple[str, ...], config: Path, folder: Path) -> None:
        """Give the storage its cluster's id; `--ignore-formatted` also completes one that was interrupted."""
        argv = (
            *command,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={self._cluster_id()}",  # as one word: an id may begin with a dash
            "-c",
            config.name,
            "--ignore-formatted",
        )
        done = run_to_end(self.name, argv, folder, FORMAT_TIMEOUT_S, closing=self.place.closing)
        if done.returncode != 0:
            raise ServiceFailed(f"kafka: formatting {folder} failed:\n{done.stdout}")

    def _cluster_id(self) -> str:
        path = self.place.folder(self.name) / "cluster.id"
        with _CLUSTER_ID_GUARD:
            if not path.exists():
                write_private(path, base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
            return path.read_text()

    def _probe(self) -> str:
        """Return Kafka's version once all nodes are in the cluster, as a client sees it."""
        self._refuse_emptied()
        for server in self.servers:
            if not server.alive:
                raise ServiceFailed(f"{server.command.name} ended; its log says:\n{server.tail()}")
        for node in self._numbers:
            connect(self._broker(node))
        try:
            admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            found = admin.list_topics("__absent", timeout=PROBE_TIMEOUT_S)
        except KafkaException as error:
            raise ConnectionError(str(error)) from error
        if len(found.brokers) < self.nodes or found.controller_id < 0:
            raise ConnectionError(f"{len(found.brokers)} of {self.nodes} brokers have joined")
        return artifacts.locked()["kafka"].version


_CLUSTER_ID_GUARD = threading.Lock()
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    # Two lines for each partition of offsets at each start: when its coordinator's loading begins and ends.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.coordinator.common.runtime.CoordinatorRuntime=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)


def _options(jars: Sequence[Path]) -> tuple[str, ...]:
    """Return the options for Java."""
    return HEAP, "-Xms128m", "-cp", ":".join(map(str, jars)), *_LOGGING
