"""Everything that `tradewind status` tells, and its form as JSON."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from tradewind.connectors.health.sizes import sizes
from tradewind.connectors.health.watch import Glance, Watch, last_totals
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.infra.services.disk import Level, Verdict, look
from tradewind.infra.services.service import ServiceHealth
from tradewind.infra.services.stack import check
from tradewind.infra.status.names import known
from tradewind.infra.status.readiness import held_by, with_readiness
from tradewind.infra.status.standing import UNKNOWN, Standing, standing
from tradewind.infra.status.stored import Stored, stored
from tradewind.infra.up.holder import holder, killed
from tradewind.infra.up.state import Held, WorkerState, read_state

COUNT_S = 60.0
"""How long `status` counts what nobody has counted yet: some 20 million records."""
SAMPLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """What is up and what flows."""

    services: tuple[ServiceHealth, ...]
    workers: tuple[WorkerState, ...]
    glance: Glance | None
    """None where Kafka or the registry do not answer."""
    totals: Mapping[str, int]
    bytes: Mapping[str, int]
    """Topic -> bytes on disk."""
    trouble: str | None = None
    """Why there is no glance; None where there is one."""
    standing: Standing = UNKNOWN
    """Whether Kafka is the known cluster, and who is halted."""
    disk: Verdict | None = None
    """How much room the data folder's disks have."""
    stored: Stored | None = None
    """What lies in the time-series store; None where none is known."""
    killed: str | None = None
    """Says that `up` was killed, where it was: nothing that ends is started again then."""
    running: bool = False
    """Whether an `up` runs the data folder."""

    @property
    def healthy(self) -> bool:
        """Whether all services answer, no worker is down or stands still, Kafka is known, and its flow was counted.

        A disk with little room, or an `up` that was killed, is not healthy either.
        """
        if self.glance is None or self.stands_still or not self.standing.well or self.killed is not None:
            return False
        if self.disk is not None and self.disk.level is not Level.ROOM:
            return False
        return all(service.healthy for service in self.services) and all(not worker.down for worker in self.workers)

    @property
    def stands_still(self) -> tuple[str, ...]:
        """What stands still, in words: the reasons of workers that are not ready, and have had time to start."""
        return tuple(
            f"{worker.name}: {reason}" for worker in self.workers if worker.stands_still for reason in worker.reasons
        )

    @property
    def held(self) -> tuple[Held, ...]:
        """Which partitions are held, and have been for longer than a live feed's are."""
        return held_by(self.workers)

    def to_json(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        glance = self.glance
        return {
            "services": [
                {"name": one.name, "url": one.url, "healthy": one.healthy, "version": one.version}
                for one in self.services
            ],
            "workers": [asdict(worker) for worker in self.workers],
            "topics": [
                {**asdict(topic), "rate_per_s": round(topic.rate_per_s, 1), "bytes": self.bytes.get(topic.name)}
                for topic in (glance.topics if glance is not None else ())
            ],
            "groups": [asdict(lag) for lag in (glance.lags if glance is not None else ())],
            "held": [asdict(held) for held in self.held],
            "stands_still": list(self.stands_still),
            "totals": dict(self.totals),
            "stored": None if self.stored is None else self.stored.to_json(),
            "uncounted": 0 if glance is None else glance.uncounted,
            "trouble": self.trouble,
            "cluster": self.standing.to_json(),
            "up": "killed" if self.killed is not None else "running" if self.running else "stopped",
            "disk": None if self.disk is None else _disk(self.disk),
        }


def _disk(verdict: Verdict) -> dict[str, Any]:
    return {
        "level": verdict.level.value,
        "folder": str(verdict.folder),
        "free_bytes": verdict.bytes_free,
        "warning_bytes": verdict.limits.warning_bytes,
        "stop_bytes": verdict.limits.stop_bytes,
        "message": verdict.message,
    }


def report(settings: Settings, data: Path) -> Report:
    """Ask the services, and count up to the present end of the topics."""
    return replace(
        _counted(settings, data),
        disk=look(data, settings.disk),
        stored=stored(settings),
        killed=killed(data),
        running=holder(data) is not None,
    )


def _counted(settings: Settings, data: Path) -> Report:
    services = tuple(check(data, settings))
    workers = with_readiness(read_state(data))
    if not any(service.name == "kafka" and service.healthy for service in services):
        return Report(services, workers, None, last_totals(data), {}, "Kafka does not answer")
    known = standing(settings)
    try:
        glance = _look(settings, data)
    except (KafkaException, RegistryError, sqlite3.Error) as error:
        return Report(services, workers, None, last_totals(data), {}, f"nothing could be counted: {error}", known)
    return Report(services, workers, glance, glance.totals, _sizes(settings, glance), standing=known)


def _look(settings: Settings, data: Path) -> Glance:
    watch = Watch(settings, data, known(settings))
    try:
        fresh = not watch.sampled
        glance = watch.look(COUNT_S)
        if fresh:  # nobody has been sampling: look twice, to tell rates
            time.sleep(SAMPLE_S)
            glance = watch.look(COUNT_S)
    finally:
        watch.close()
    return glance


def _sizes(settings: Settings, glance: Glance) -> dict[str, int]:
    """Return the topics' sizes; none where the cluster does not let us know, as some managed ones do not."""
    try:
        return asyncio.run(sizes(settings, (topic.name for topic in glance.topics)))
    except (KafkaError, TimeoutError):
        return {}
