"""Everything that `tradewind status` tells, and its form as JSON."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.infra.services.service import ServiceHealth
from tradewind.infra.services.stack import check
from tradewind.infra.status.readiness import with_readiness
from tradewind.infra.status.sizes import sizes
from tradewind.infra.status.watch import Glance, Watch, last_totals
from tradewind.infra.up.state import WorkerState, read_state

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

    @property
    def healthy(self) -> bool:
        """Whether every service answers, no worker is down, and what flows could be counted."""
        if self.glance is None:
            return False
        return all(service.healthy for service in self.services) and all(not worker.down for worker in self.workers)

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
            "totals": dict(self.totals),
            "uncounted": 0 if glance is None else glance.uncounted,
            "trouble": self.trouble,
        }


def report(settings: Settings, data: Path) -> Report:
    """Ask the services, and count up to the present end of the topics."""
    services = tuple(check(data, settings))
    workers = with_readiness(read_state(data))
    if not any(service.name == "kafka" and service.healthy for service in services):
        return Report(services, workers, None, last_totals(data), {}, "Kafka does not answer")
    try:
        glance = _look(settings, data)
    except (KafkaException, RegistryError) as error:
        return Report(services, workers, None, last_totals(data), {}, f"nothing could be counted: {error}")
    return Report(services, workers, glance, glance.totals, _sizes(settings, glance))


def _look(settings: Settings, data: Path) -> Glance:
    watch = Watch(settings, data)
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
