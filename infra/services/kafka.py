"""Apache Kafka in KRaft mode: one broker for every day, or three for tests of what a lost broker does."""

from __future__ import annotations

import base64
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tradewind.infra.services import artifacts
from tradewind.infra.services.java import WARM
from tradewind.infra.services.passwords import write_private
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import MAX_BROKERS, connect
from tradewind.infra.services.process import Command, Server
from tradewind.infra.services.service import LOOPBACK, Running, ServiceFailed

HEAP = "-Xmx512m"
FORMAT_TIMEOUT_S = 60
PROBE_TIMEOUT_S = 2.0
PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}

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

# A broker that was killed may register again when its old session has ended: 12.7 s with the default of 9 s,
# 5 s with this.
broker.session.timeout.ms=3000
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


class Kafka:
    """A cluster of one to three nodes, each broker and controller, on loopback and without authentication."""

    name = "kafka"

    def __init__(self, place: Place, nodes: int = 1) -> None:
        if not 1 <= nodes <= MAX_BROKERS:
            raise ValueError(f"{nodes} Kafka nodes: choose 1 to {MAX_BROKERS}")
        self._place, self._ports, self.nodes = place, place.ports, nodes
        self._nodes: dict[int, Server] = {}

    @property
    def bootstrap(self) -> str:
        """`host:port,...` of all nodes."""
        return ",".join(f"{LOOPBACK}:{port}" for port in self._ports.brokers[: self.nodes])

    @property
    def servers(self) -> list[Server]:
        """Its nodes, in the order of their numbers."""
        return [self._nodes[node] for node in sorted(self._nodes)]

    @property
    def replication(self) -> int:
        """How many copies a partition has by default: one on every node."""
        return self.nodes

    @property
    def listens(self) -> Sequence[int]:
        """The ports that it needs."""
        return (*self._ports.brokers[: self.nodes], *self._ports.controllers[: self.nodes])

    def start(self) -> Running:
        """Start all nodes at once and return when each has joined."""
        begun = time.monotonic()
        with ThreadPoolExecutor(self.nodes) as pool:
            pids = list(pool.map(self.start_node, range(1, self.nodes + 1)))
        first = self._nodes[1]
        version = first.wait_ready(self._probe)
        return Running(self.name, self.bootstrap, pids[0], version, time.monotonic() - begun, first.command.log)

    def start_node(self, node: int) -> int:
        """Start one node, from 1, without waiting for it, and return its pid."""
        folder = self._place.folder(self.name) / str(node)
        folder.mkdir(mode=0o700, exist_ok=True)
        jars = artifacts.ensure(["kafka"])["kafka"]
        config = folder / "server.properties"
        config.write_text(self._properties(node, folder / "data"))
        options = (HEAP, "-Xms128m", "-cp", ":".join(map(str, jars)), *_LOGGING)
        if not (folder / "data" / "meta.properties").exists():
            self._format(WARM.command(folder, jars, *options), config, folder)
        argv = (*self._place.java.command(folder, jars, *options), "kafka.Kafka", str(config))
        name = self.name if self.nodes == 1 else f"{self.name}-{node}"
        log = self._place.log(name)
        self._nodes[node] = Server(Command(name, argv, folder, log), self._place.run, self._place.closing)
        return self._nodes[node].start()

    def wait_ready(self) -> str:
        """Wait until every node has joined (after `start_node`), and return Kafka's version."""
        return self.servers[0].wait_ready(self._probe)

    def _properties(self, node: int, data: Path) -> str:
        voters = (f"{n}@{LOOPBACK}:{self._ports.controllers[n - 1]}" for n in range(1, self.nodes + 1))
        return PROPERTIES.format(
            node=node,
            voters=",".join(voters),
            host=LOOPBACK,
            broker=self._ports.brokers[node - 1],
            controller=self._ports.controllers[node - 1],
            data=data,
            replicas=self.replication,
            in_sync=max(1, self.nodes - 1),
        )

    def _format(self, command: tuple[str, ...], config: Path, folder: Path) -> None:
        """Give the storage its cluster's id; `--ignore-formatted` also completes one that was interrupted."""
        done = subprocess.run(
            (
                *command,
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={self._cluster_id()}",  # as one word: an id may begin with a dash
                "-c",
                str(config),
                "--ignore-formatted",
            ),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceFailed(f"kafka: formatting {folder} failed:\n{done.stdout}{done.stderr}")

    def _cluster_id(self) -> str:
        path = self._place.folder(self.name) / "cluster.id"
        with _CLUSTER_ID_GUARD:
            if not path.exists():
                write_private(path, base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
            return path.read_text()

    def _probe(self) -> str:
        """Return Kafka's version once all nodes are in the cluster, as a client sees it."""
        for server in self.servers:
            if not server.alive:
                raise ServiceFailed(f"{server.command.name} ended; its log says:\n{server.tail()}")
        for port in self._ports.brokers[: self.nodes]:
            connect(port)
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
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)
