"""Controllers alone, which record that brokers have ended before these start again.

The metadata of a broker that was killed still name it as the leader of its partitions. It would read them when it
starts again, load its group coordinators, lose the partitions as it registers, and load the coordinators once more. In
Kafka 4.3 and 4.4 the end of the first loading makes a coordinator serve whose second one still goes on: it answers with
old offsets or none, and offsets of transactions stay pending until the next start. So a controller runs first, until
it has taken the partitions from the broker. Then each coordinator is loaded once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

CLEAN = ".kafka_cleanshutdown"
"""The file that a broker leaves among its logs when it ends in order, and removes when it starts."""
SESSION_MS = 500
"""A controller that becomes active gives each broker this long to report. None runs, so each session runs out."""
FENCED_S = 5.0
"""From activation on. A broker that is not fenced by then is fenced already, by a start that was ended in between."""
LOGGING = "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.controller.ReplicationControlManager=info"
"""The controller's log then says which broker it fences."""
ACTIVE = "Performing controller activation"


def crashed(logs: Path) -> bool:
    """Whether a broker with these logs has run, and did not end in order."""
    return (logs / "__cluster_metadata-0").exists() and not (logs / CLEAN).exists()


def controller_only(properties: str) -> str:
    """Return the properties of a node that is broker and controller for one that is only controller."""
    controller = re.search(r"^listeners=.*(CONTROLLER://\S+)$", properties, re.MULTILINE)
    assert controller is not None, "the properties name no controller's listener"
    for name, value in (
        ("process.roles", "controller"),
        ("listeners", controller[1]),
        ("broker.session.timeout.ms", str(SESSION_MS)),
        ("broker.heartbeat.interval.ms", str(SESSION_MS // 2)),
    ):
        properties = re.sub(rf"^{re.escape(name)}=.*$", f"{name}={value}", properties, flags=re.MULTILINE)
    return re.sub(r"^advertised\.listeners=.*\n", "", properties, flags=re.MULTILINE)


def probe(nodes: Collection[int], logs: Collection[Path]) -> Callable[[], str]:
    """Return a probe that raises `ConnectionError` until the controllers with these logs have fenced all nodes."""
    since: list[float] = []

    def fenced() -> str:
        said = "".join(log.read_text(errors="replace") for log in logs)
        if ACTIVE not in said:
            raise ConnectionError("no controller is active")
        if not since:
            since.append(time.monotonic())
        left = [node for node in nodes if f"Fencing broker {node} " not in said]
        if left and time.monotonic() - since[0] < FENCED_S:
            raise ConnectionError(f"brokers {left} are not fenced")
        return ""

    return fenced
