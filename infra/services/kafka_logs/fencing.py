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
METADATA = "__cluster_metadata-0"
IDLE_MS = 100
"""How often a controller writes a record that says nothing, so that its files show how far it has written."""
GROWTHS = 2
"""How often all files must have grown since a controller said that it fences. The first growth may be of a record that
came before; records are written in order, so that the second is of the fencing, or of what came after."""
WRITTEN_S = 30.0
"""From activation on. Where nothing is written by then, the start of the broker says why."""


def crashed(logs: Path) -> bool:
    """Whether a broker with these logs has run, and did not end in order."""
    return (logs / METADATA).exists() and not (logs / CLEAN).exists()


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
    properties = re.sub(r"^advertised\.listeners=.*\n", "", properties, flags=re.MULTILINE)
    return f"{properties}metadata.max.idle.interval.ms={IDLE_MS}\n"


def probe(nodes: Collection[int], logs: Collection[Path], folders: Collection[Path]) -> Callable[[], str]:
    """Return a probe that raises `ConnectionError` until the fencing of all nodes is in the controllers' files.

    `logs` are what the controllers say, `folders` hold what they write. A controller says that it fences a broker
    before it writes the record, which Kafka keeps back for up to 25 ms. Stopped in between, it had fenced nobody.
    """
    since: list[float] = []
    written: list[dict[Path, tuple[str, int]]] = []

    def fenced() -> str:
        said = "".join(log.read_text(errors="replace") for log in logs)
        if ACTIVE not in said:
            raise ConnectionError("no controller is active")
        if not since:
            since.append(time.monotonic())
        left = [node for node in nodes if f"Fencing broker {node} " not in said]
        if left and time.monotonic() - since[0] < FENCED_S:
            raise ConnectionError(f"brokers {left} are not fenced")
        now = {folder: _newest(folder) for folder in folders}
        if not written or all(now[folder] != written[-1][folder] for folder in folders):
            written.append(now)
        if len(written) <= GROWTHS and time.monotonic() - since[0] < WRITTEN_S:
            raise ConnectionError("what fences the brokers is not written yet")
        return ""

    return fenced


def _newest(folder: Path) -> tuple[str, int]:
    """Return the newest segment of a controller's records, with its size."""
    segments = sorted((folder / METADATA).glob("*.log"))
    return (segments[-1].name, segments[-1].stat().st_size) if segments else ("", 0)
