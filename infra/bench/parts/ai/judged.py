"""Reads all topics after faults, has `replay --verify` and `usage` run, and says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, TypeVar

from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.ai.asked import TENANTS, Asked
from tradewind.infra.bench.parts.ai.evidence import Evidence, Total
from tradewind.infra.bench.parts.ai.provider import Provider
from tradewind.schemas.ai import AiAttempt, AiCall, AiPrice
from tradewind.schemas.billing import Usage
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.topics import AI_ATTEMPTS, AI_CALLS, USAGE, Topic

E = TypeVar("E", bound=Event)
WRITTEN_S = 120.0  # for rating, and for the sink, to have all
VERIFIED_S = 600.0
VERIFIED = ("ai", "rating")


def records(settings: Settings, codec: Codec, topic: Topic, model: type[E]) -> Iterator[E]:
    """Yield all events of a model on a topic."""
    for batch in raw_records(settings, settings.physical(topic), range(topic.partitions), "earliest"):
        for message in batch:
            event = codec.decode(message.value() or b"")
            if isinstance(event, model):
                yield event


class Judged:
    """Everything, read once."""

    def __init__(
        self, settings: Settings, codec: Codec, provider: Provider, asked: Asked, *, price: AiPrice, claimed: set[str]
    ) -> None:
        self._environment = {**os.environ, "TRADEWIND_DATA": str(settings.data)}
        self.evidence = Evidence(
            asked.requests,
            asked.responses,
            list(records(settings, codec, AI_CALLS, AiCall)),
            list(records(settings, codec, AI_ATTEMPTS, AiAttempt)),
            list(records(settings, codec, USAGE, Usage)),
            provider.log,
            claimed,
            price,
        )

    def wrong(self) -> dict[str, int]:
        """Return what is wrong, by name."""
        return {
            **self.evidence.wrong(),
            "totals_that_differ": self._totals_that_differ(),
            **{f"replays_of_{name}_that_differ": self._differs(name) for name in VERIFIED},
        }

    def _totals_that_differ(self) -> int:
        """Return how many totals of `tradewind usage` are not the sums over the raw records."""
        deadline = time.monotonic() + WRITTEN_S
        while True:
            pairs = [(self.evidence.totals(name), self._told(name)) for name in TENANTS]
            differ = sum(len(dict(sums.items() ^ told.items())) for sums, told in pairs)
            if not differ or time.monotonic() > deadline:
                return differ
            time.sleep(1.0)

    def _told(self, tenant: str) -> dict[Total, int]:
        totals: list[dict[str, Any]] = json.loads(self._run("usage", tenant, "--json").stdout)["totals"]
        return {(one["meter"], one["dimension"]): one["quantity"] for one in totals}

    def _differs(self, agent: str) -> int:
        return int(self._run("replay", "--verify", agent, check=False).returncode != 0)

    def _run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "tradewind.infra.cli", *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=VERIFIED_S, check=check
        )
