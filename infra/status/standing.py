"""Whether Kafka is the known cluster, and which tenants are halted: for `status` and `doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tradewind.connectors.cluster.comparison import compare
from tradewind.connectors.cluster.file import FileUnreadable
from tradewind.connectors.cluster.identity import ClusterDiffers, summary
from tradewind.connectors.cluster.kept import KeptAway
from tradewind.connectors.cluster.switch_store import find_switches
from tradewind.connectors.cluster.switches import Whose, halted, named, whose
from tradewind.connectors.cluster.timings import LookTimings
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import ServiceNotConfigured, Settings

ANSWER_S = 5.0
"""How long Kafka is waited for: whoever asks has found it well a moment ago."""


@dataclass(frozen=True, slots=True)
class Halt:
    """An engaged kill switch."""

    whom: str
    reason: str
    in_force: bool
    """False where only PostgreSQL still has it: nothing denies the orders until `prepare` publishes it again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found."""

    differences: str = ""
    """How Kafka differs from the known cluster, in words; empty where it does not."""
    remedy: str = ""
    """What to do about it."""
    unchecked: str = ""
    """Why part of it could not be looked at; empty where all was."""
    halts: tuple[Halt, ...] = ()

    @property
    def well(self) -> bool:
        """Whether Kafka is the known cluster and every halt is in force. What could not be looked at is not unwell."""
        return not self.differences and all(halt.in_force for halt in self.halts)

    @property
    def lost(self) -> tuple[str, ...]:
        """Whose halts are not in force."""
        return tuple(halt.whom for halt in self.halts if not halt.in_force)

    def to_json(self) -> Mapping[str, Any]:
        """Return what `status --json` prints of it."""
        return {
            "differences": self.differences or None,
            "unchecked": self.unchecked or None,
            "halts": [asdict(halt) for halt in self.halts],
        }


UNKNOWN = Standing()
"""Nobody has looked."""


def standing(settings: Settings) -> Standing:
    """Look; never raises for a service that is away."""
    differences, remedy, unchecked = _cluster(settings)
    try:
        found = find_switches(settings)
    except (KeptAway, StreamError, RegistryError, ServiceNotConfigured) as error:
        return Standing(differences, remedy, "; ".join(filter(None, (unchecked, f"kill switches: {error}"))))
    lost: set[Whose] = {whose(switch) for switch in found.lost}
    halts = (Halt(named(whose(one)), one.reason, whose(one) not in lost) for one in halted(found.held))
    return Standing(differences, remedy, unchecked, tuple(halts))


def _cluster(settings: Settings) -> tuple[str, str, str]:
    try:
        found = compare(settings, (), LookTimings(answer_s=ANSWER_S))
    except (StreamError, FileUnreadable, ServiceNotConfigured) as error:
        return "", "", f"the known cluster: {error}"
    if found.differences:
        return summary(found.differences), str(ClusterDiffers(found.differences, settings.bootstrap)), ""
    return "", "", "" if found.away is None else f"the known cluster: {found.away}"
