"""Whether a Kafka's own files still hold the cluster that the data folder knew, looked at before Kafka is started.

A Kafka that starts on what a full disk or a careless hand has left makes itself a new, empty cluster: it formats
storage that has no `meta.properties`, and renames partitions that its metadata does not name to "stray" ones.
"""

from __future__ import annotations

from pathlib import Path

from tradewind.connectors.cluster.file import Noted
from tradewind.connectors.cluster.identity import ACCEPT, SHOWN
from tradewind.infra.services.service import ServiceError

PROPERTIES = "meta.properties"
METADATA = "__cluster_metadata-0"
FIRST_SNAPSHOT = "00000000000000000000-0000000000.checkpoint"
"""What formatting writes: it names no topic."""
STRAY = "-stray"


class KafkaFilesLost(ServiceError):
    """Kafka's storage lacks what the data folder knew; the message says what, what it means and what to do."""


def missing(data: Path, noted: Noted, *, every_partition: bool) -> list[str]:
    """Return what Kafka's storage `data` lacks of the known cluster, in words; nothing where it is whole.

    Nothing is known before the first `prepare`: then nothing can be missing. With `every_partition` each partition of
    each known topic must have its folder: where one node has all.
    """
    if noted.cluster_id is None:
        return []
    found = _of_storage(data, noted.cluster_id)
    if found or not every_partition:
        return found
    folders = {path.name for path in data.iterdir() if path.is_dir()}
    wanted = (f"{name}-{at}" for name, topic in sorted(noted.topics.items()) for at in range(topic.partitions))
    lost = [name for name in wanted if name not in folders]
    if not lost:
        return []
    stray = sum(name.endswith(STRAY) for name in folders)
    beside = f"; Kafka has renamed {stray} folders to stray ones" if stray else ""
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    return [f"the folders of {len(lost)} partitions are missing: {', '.join(lost[:SHOWN])}{more}{beside}"]


def _of_storage(data: Path, cluster_id: str) -> list[str]:
    properties = data / PROPERTIES
    if not properties.exists():
        return [f"{properties} is missing: Kafka would format the storage as a new cluster"]
    lines = dict(line.split("=", 1) for line in properties.read_text().splitlines() if "=" in line)
    if (now := lines.get("cluster.id", "")) != cluster_id:
        return [f"{properties} is of cluster {now or '(none)'}, known is {cluster_id}"]
    metadata = data / METADATA
    logs = sum(path.stat().st_size for path in metadata.glob("*.log"))
    snapshots = [path for path in metadata.glob("*.checkpoint") if path.name != FIRST_SNAPSHOT and path.stat().st_size]
    if not logs and not snapshots:
        return [f"{metadata} holds no metadata (0 bytes): Kafka would not know its topics"]
    return []


def refuse_lost(data: Path, noted: Noted, *, every_partition: bool) -> None:
    """Raise `KafkaFilesLost` where Kafka's storage lacks what was known."""
    found = missing(data, noted, every_partition=every_partition)
    if found:
        raise KafkaFilesLost(
            f"kafka: its storage {data} is not the one that this data folder knew: {'; '.join(found)}. Records, state, "
            "consumer offsets and kill switches that were there are gone. Kafka was not started, and nothing was "
            "changed. If the data folder is wrong, name the right one (--data). If you have a copy of Kafka's folder, "
            f"put it back. To go on without what is lost, run `./dev up {ACCEPT}`: kill switches that PostgreSQL "
            "kept are engaged again. `./dev reset` begins from nothing."
        )
