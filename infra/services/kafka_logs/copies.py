"""Keeps copies of the logs that a broker reads again after a kill, until it is ready.

If anything fails while Kafka reads a log again (a disk that fills, too many open files, an error of the disk), Kafka
truncates the segment to 0 bytes, and goes on (docs/adr/0017-disk.md). If the log then ends before its first offset, or
before the last snapshot of the cluster's metadata, Kafka replaces all segments by an empty one at that offset. A copy
is put back where its log is empty or replaced; it is never put back over records. Only a log that begins with a sound
batch is copied: Kafka keeps that batch, unless something failed.

A start that never came to its end leaves copies, and its Kafka may have lived on for days. Three checks keep old copies
out: the partition is of the same topic still, the log is empty, and no record was written after it. Kafka deletes what
follows a segment that it empties; a segment that compaction has emptied always has the active one after it. Retention
replaces a log, too, but by a segment behind its last record.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from aiokafka.record.util import calc_crc32c

CLEAN = ".kafka_cleanshutdown"
"""Kafka leaves this file where it has stopped in order; it reads no log again then."""
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
"""A version, a count, and lines of topic, partition and offset: segments before the one of the offset are not read."""
METADATA = "__cluster_metadata-0"
"""Kafka reads this log again at each start, after a stop in order, too (`KafkaRaftLog.createLog`)."""
COPIES = "copies"
"""Folder beside the logs' folder."""
TOPIC = "partition.metadata"
"""Kafka's file in a partition's folder, with the id of the topic; the log of the cluster's metadata has none."""
DUE = ".due"
"""Ends the name of a copy that is being put back, so that a start that was killed meanwhile can be completed."""
INDEXES = (".index", ".timeindex", ".txnindex")
"""What Kafka makes of a segment. They are empty where it emptied the segment."""
BATCH_HEAD = struct.Struct(">qiiBI")
"""First offset, length of what follows the length, leader's epoch, magic, CRC-32C of what follows the CRC."""
AFTER_THE_CRC = struct.Struct(">hi")
"""Attributes, and how many offsets behind the first one the last one is."""
LENGTH_ENDS = 12
BLOCK = 512
"""What `st_blocks` counts in, on every system."""
MAGIC = 2


def keep(logs: Path, spare: Callable[[], int]) -> list[Path]:
    """Copy every segment that Kafka will read again, and return them; after a stop in order, those of the metadata.

    `logs` is a broker's folder of logs. What an earlier start has emptied is put back before. The metadata are
    copied first, then the smallest, and no more than `spare` bytes, which is asked once older copies are gone: those
    that are left out are the bulk of market data. Raises `OSError`.
    """
    restore(logs)
    if not logs.exists():
        return []
    try:
        return _copy_all(logs, spare())
    except OSError:
        forget(logs)  # no log was touched, and the room would be missing at the next start
        raise


def _copy_all(logs: Path, spare: int) -> list[Path]:
    kept = []
    unflushed = ((segment.parent.name != METADATA, segment.stat().st_size, segment) for segment in _unflushed(logs))
    for _, size, segment in sorted(unflushed):
        if size <= spare and _begins_soundly(segment):
            spare -= size
            copy = _copy_of(segment)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if (topic := _topic(segment.parent)) is not None:
                (copy.parent / TOPIC).write_bytes(topic)
            draft = copy.with_suffix(".draft")
            shutil.copyfile(segment, draft)
            draft.replace(copy)
            kept.append(segment)
    return kept


def emptied(kept: Iterable[Path]) -> list[Path]:
    """Return the logs that had records when they were copied, and that Kafka has emptied since.

    One that retention, compaction or a new topic has emptied or deleted is not Kafka's fault.
    """
    found = [segment for segment in kept if not segment.exists() or _is_empty(segment)]
    return [one for one in found if one in _due(_copy_of(one).parent, one.parent)]


def restore(logs: Path) -> list[Path]:
    """Put copies back whose logs are empty or replaced, and return these; the broker must not run. Raises `OSError`.

    Kafka deletes the segments after the one that it empties: they are put back, too. Copies are there only where the
    start that made them did not come to its end.

    Kafka has to read these logs again. After a stop in order it would not: it would take the indexes of the empty
    segments, and readers of committed records would get those of aborted transactions. Producers' snapshots need no
    care: Kafka drops those from behind a segment before it reads the segment again.
    """
    due = _to_restore(logs)
    if due:
        (logs / CLEAN).unlink(missing_ok=True)
    for segment in reversed(due):  # a start that is killed here is ended by the next one: all are marked, or computed
        if (copy := _copy_of(segment)).exists():
            copy.replace(copy.with_suffix(DUE))
    for partition in {segment.parent for segment in due}:
        for segment in _replacements(_copies_of(partition), partition):
            _remove_indexes(segment)
            segment.unlink()
    for segment in due:
        _remove_indexes(segment)
        _copy_of(segment).with_suffix(DUE).replace(segment)  # at once, and without room: half would look like records
    forget(logs)
    return due


def forget(logs: Path) -> None:
    """Remove the copies: the broker is ready, and has its records."""
    shutil.rmtree(logs.parent / COPIES, ignore_errors=True)


def disposable(logs: Path) -> int:
    """Return how many bytes the next start gives back: those of copies that it does not put back. Raises `OSError`."""
    needed = {_copy_of(segment).with_suffix("") for segment in _to_restore(logs)}
    copies = [copy for copy in (logs.parent / COPIES).glob("*/*") if copy.with_suffix("") not in needed]
    return sum(copy.stat().st_blocks * BLOCK for copy in copies)


def _to_restore(logs: Path) -> list[Path]:
    """Return the logs to put back, each partition's in ascending order."""
    folders = sorted((logs.parent / COPIES).glob("*"))
    return [segment for folder in folders for segment in _due(folder, logs / folder.name)]


def _due(copies: Path, partition: Path) -> list[Path]:
    """Return a partition's segments to put back: the last one where Kafka emptied it, and the copied ones after it.

    Those are all that were copied where Kafka replaced the log.
    """
    if not partition.is_dir() or _topic(copies) != _topic(partition):
        return []
    due, copied = {copy.stem for copy in copies.glob(f"*{DUE}")}, _copied(copies)
    replacements = _replacements(copies, partition)
    present = sorted(set(partition.glob("*.log")).difference(replacements))
    while present and _is_untouched(present[-1], copies):  # Kafka was killed before it deleted this one, too
        present.pop()
    if present and present[-1].stem in copied and _is_empty(present[-1]):
        due |= {stem for stem in copied if stem >= present[-1].stem}
    elif not present and replacements:
        due |= copied
    return [partition / f"{stem}.log" for stem in sorted(due)]


def _copied(copies: Path) -> set[str]:
    return {copy.stem for copy in copies.iterdir() if copy.suffix in {".log", DUE}} if copies.is_dir() else set()


def _replacements(copies: Path, partition: Path) -> list[Path]:
    """Return the empty segments at offsets whose records were copied under the name of an earlier segment."""
    copied = _copied(copies)
    empty = [segment for segment in partition.glob("*.log") if segment.stem not in copied and _is_empty(segment)]
    if not copied or not empty:
        return []
    last = copies / f"{max(copied)}.log"
    end = _end(last if last.exists() else last.with_suffix(DUE))
    return [segment for segment in empty if min(copied) < segment.stem and int(segment.stem) < end]


def _is_untouched(segment: Path, copies: Path) -> bool:
    copy, size = copies / segment.name, segment.stat().st_size
    return size > 0 and copy.exists() and copy.stat().st_size == size


def _topic(folder: Path) -> bytes | None:
    try:
        return (folder / TOPIC).read_bytes()
    except FileNotFoundError:
        return None


def _unflushed(logs: Path) -> Iterator[Path]:
    if (logs / CLEAN).exists():
        yield from (logs / METADATA).glob("*.log")
        return
    points = _recovery_points(logs)
    for partition in logs.iterdir():
        segments = sorted(partition.glob("*.log")) if partition.is_dir() else []
        point = points.get(partition.name, 0)
        before = sum(int(segment.stem) <= point for segment in segments)
        yield from segments[max(0, before - 1) :]


def _recovery_points(logs: Path) -> dict[str, int]:
    """Return partition's folder -> offset; nothing where Kafka has not written them yet, and then all is read again."""
    try:
        lines = [line.rsplit(" ", 2) for line in (logs / RECOVERY_POINTS).read_text().splitlines()[2:]]
        return {f"{topic}-{partition}": int(offset) for topic, partition, offset in lines}
    except (FileNotFoundError, ValueError):
        return {}


def _copy_of(segment: Path) -> Path:
    return _copies_of(segment.parent) / segment.name


def _copies_of(partition: Path) -> Path:
    return partition.parent.parent / COPIES / partition.name


def _remove_indexes(segment: Path) -> None:
    for index in INDEXES:
        segment.with_suffix(index).unlink(missing_ok=True)


def _is_empty(segment: Path) -> bool:
    return segment.exists() and segment.stat().st_size == 0


def _begins_soundly(segment: Path) -> bool:
    """Return whether the first batch is whole: after a loss of power a log may have its size and none of its bytes."""
    return next(_ends(segment), None) is not None


def _end(segment: Path) -> int:
    """Return the offset behind a segment's last whole batch; 0 where it has none."""
    return max(_ends(segment), default=0)


def _ends(segment: Path) -> Iterator[int]:
    """Yield the offset behind each batch, up to the first one that is not whole: Kafka cuts the log there."""
    with segment.open("rb") as log:
        while len(head := log.read(BATCH_HEAD.size)) == BATCH_HEAD.size:
            first, length, _, magic, crc = BATCH_HEAD.unpack(head)
            size = LENGTH_ENDS + length - BATCH_HEAD.size
            rest = log.read(max(0, size))
            if magic != MAGIC or len(rest) != size or size < AFTER_THE_CRC.size or calc_crc32c(rest) != crc:
                return
            yield first + AFTER_THE_CRC.unpack_from(rest)[1] + 1
