"""What Kafka empties while it reads its logs again is put back, and nothing that it keeps is touched."""

from __future__ import annotations

import contextlib
import shutil
import struct
from pathlib import Path

import pytest
from aiokafka.record.util import calc_crc32c

from tradewind.infra.services.kafka_logs.copies import (
    BATCH_HEAD,
    CLEAN,
    COPIES,
    DUE,
    INDEXES,
    LENGTH_ENDS,
    MAGIC,
    METADATA,
    TOPIC,
    disposable,
    emptied,
    forget,
    keep,
    restore,
)

OF_THE_BODY = struct.Struct(">hiqqqhii")
FIRST, SECOND, THIRD = "00000000000000000000", "00000000000000000100", "00000000000000000200"


def plenty() -> int:
    """Return room for all copies."""
    return 1 << 30


def batch(of: int, size: int) -> bytes:
    """Return a batch as a log holds it, from an offset, of some size in all."""
    body = OF_THE_BODY.pack(0, 0, 0, 0, -1, -1, -1, 1)
    body += bytes(size - BATCH_HEAD.size - len(body))
    return BATCH_HEAD.pack(of, size - LENGTH_ENDS, 0, MAGIC, calc_crc32c(body)) + body


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Give the logs of a broker that was killed: the metadata's, and a partition with two segments to be read again."""
    found = tmp_path / "1" / "data"
    for partition, segment, size in (
        (METADATA, FIRST, 90),
        ("ticks-0", FIRST, 500),
        ("ticks-0", SECOND, 400),
        ("ticks-0", THIRD, 200),
        ("empty-0", FIRST, 0),
    ):
        (found / partition).mkdir(parents=True, exist_ok=True)
        (found / partition / f"{segment}.log").write_bytes(batch(int(segment), size) if size else b"")
    (found / "recovery-point-offset-checkpoint").write_text("0\n1\nticks 0 150\n")
    return found


def names(logs: Path) -> set[str]:
    """Return which logs have a copy."""
    return {f"{path.parent.name}/{path.stem[-3:]}" for path in (logs.parent / COPIES).glob("*/*")}


def test_what_kafka_reads_again_is_copied(logs: Path) -> None:
    """The segment of the recovery point and those after it; what was flushed before it is left alone."""
    kept = keep(logs, plenty)
    assert names(logs) == {"__cluster_metadata-0/000", "ticks-0/100", "ticks-0/200"}
    assert emptied(kept) == []


def test_a_log_that_was_emptied_is_put_back(logs: Path) -> None:
    """By the next start; so is a later segment, which Kafka deletes then."""
    metadata, second = logs / METADATA / f"{FIRST}.log", logs / "ticks-0" / f"{SECOND}.log"
    third = second.with_name(f"{THIRD}.log")
    held = [path.read_bytes() for path in (metadata, second, third)]
    kept = keep(logs, plenty)
    metadata.write_bytes(b"")
    second.write_bytes(b"")
    third.unlink()
    assert set(emptied(kept)) == {metadata, second, third}
    assert set(restore(logs)) == {metadata, second, third}
    assert [path.read_bytes() for path in (metadata, second, third)] == held
    assert names(logs) == set()


def test_putting_back_needs_no_room(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk may be full still."""
    metadata = logs / METADATA / f"{FIRST}.log"
    keep(logs, plenty)
    metadata.write_bytes(b"")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        keep(logs, plenty)
    assert metadata.stat().st_size == 90


def test_a_copy_is_never_put_back_over_records(logs: Path) -> None:
    """Kafka may have cut a torn end off, or have taken new records: what it has is newer than the copy."""
    keep(logs, plenty)
    metadata = logs / METADATA / f"{FIRST}.log"
    metadata.write_bytes(b"shorter")
    assert restore(logs) == []
    assert metadata.read_bytes() == b"shorter"


def test_a_topic_that_was_deleted_meanwhile_stays_deleted(logs: Path) -> None:
    """Its folder is gone."""
    keep(logs, plenty)
    (logs / METADATA / f"{FIRST}.log").unlink()
    (logs / "__cluster_metadata-0").rmdir()
    assert restore(logs) == []


def test_a_segment_that_retention_deleted_stays_deleted(logs: Path) -> None:
    """It is not empty but gone, and no segment before it is empty."""
    kept = keep(logs, plenty)
    (logs / "ticks-0" / f"{SECOND}.log").unlink()
    assert emptied(kept) == []
    assert restore(logs) == []


@pytest.mark.parametrize("garbage", [bytes(400), b"x" * 400, batch(0, 400)[:300], batch(0, 400)[:-1] + b"x", b"short"])
def test_a_log_without_a_sound_batch_is_not_copied(logs: Path, garbage: bytes) -> None:
    """Kafka is right to empty it: putting it back would keep Kafka down for ever."""
    metadata = logs / METADATA / f"{FIRST}.log"
    metadata.write_bytes(garbage)
    assert metadata not in keep(logs, plenty)


def test_the_next_start_puts_back_before_it_copies(logs: Path) -> None:
    """A start that was killed leaves copies, and the logs that it had emptied."""
    keep(logs, plenty)
    metadata = logs / METADATA / f"{FIRST}.log"
    metadata.write_bytes(b"")
    keep(logs, plenty)
    assert metadata.stat().st_size == 90
    assert "__cluster_metadata-0/000" in names(logs)


def test_nothing_is_copied_before_the_first_start(tmp_path: Path) -> None:
    """There is no log."""
    assert keep(tmp_path / "2" / "data", plenty) == []


def test_the_metadata_alone_are_copied_after_a_stop_in_order(logs: Path) -> None:
    """Kafka reads that log again at each start, whatever the last stop was."""
    (logs / CLEAN).touch()
    metadata = logs / METADATA / f"{FIRST}.log"
    held = metadata.read_bytes()
    assert keep(logs, plenty) == [metadata]
    metadata.write_bytes(b"")
    assert emptied([metadata]) == restore(logs) == [metadata]
    assert metadata.read_bytes() == held


@pytest.mark.parametrize("left", ["replaced", "killed before it removed the emptied one"])
def test_a_log_that_was_replaced_is_put_back(logs: Path, left: str) -> None:
    """The metadata have a snapshot at 42, and the log of another topic begins at 150: it would end before that."""
    metadata, second = logs / METADATA / f"{FIRST}.log", logs / "ticks-0" / f"{SECOND}.log"
    (logs / "ticks-0" / f"{FIRST}.log").unlink()
    third = second.with_name(f"{THIRD}.log")
    metadata.write_bytes(batch(0, 90) + batch(42, 90))
    held = [path.read_bytes() for path in (metadata, second, third)]
    kept = keep(logs, plenty)
    for replaced, at in ((metadata, 42), (second, 150)):
        replaced.write_bytes(b"")
        if left == "replaced":
            replaced.unlink()
        new = replaced.with_name(f"{at:020}.log")
        for made in (new, new.with_suffix(".index")):
            made.touch()
    third.unlink()
    assert set(emptied(kept)) == {metadata, second, third}
    assert set(restore(logs)) == {metadata, second, third}
    assert [path.read_bytes() for path in (metadata, second, third)] == held
    assert sorted(path.name for path in metadata.parent.iterdir()) == [metadata.name]
    assert sorted(path.name for path in second.parent.iterdir()) == [second.name, third.name]


def test_a_log_that_retention_replaced_stays_so(logs: Path) -> None:
    """All its records were too old: the new segment is behind the last one."""
    kept = keep(logs, plenty)
    for segment in (logs / "ticks-0").glob("*.log"):
        segment.unlink()
    (logs / "ticks-0" / f"{201:020}.log").touch()
    assert emptied(kept) == []
    assert restore(logs) == []


def test_the_smallest_are_copied_where_not_all_fit(logs: Path) -> None:
    """Metadata, switches and offsets are small; market data is large."""
    keep(logs, lambda: 300)
    assert names(logs) == {"__cluster_metadata-0/000", "ticks-0/200"}
    forget(logs)
    assert names(logs) == set()


def test_the_metadata_come_first_and_a_large_log_does_not_keep_others_out(logs: Path) -> None:
    """Without the metadata Kafka knows no topic, so no other copy would be of use."""
    metadata = logs / METADATA / f"{FIRST}.log"
    metadata.write_bytes(batch(0, 250))
    keep(logs, lambda: 300)
    assert names(logs) == {"__cluster_metadata-0/000"}
    metadata.write_bytes(batch(0, 450))
    keep(logs, lambda: 430)
    assert names(logs) == {"ticks-0/200"}


def test_kafka_reads_again_what_was_put_back_also_after_a_stop_in_order(logs: Path) -> None:
    """It may have emptied a log, and was then asked to stop before that was seen: its indexes are those of nothing."""
    keep(logs, plenty)
    third, second = logs / "ticks-0" / f"{THIRD}.log", logs / "ticks-0" / f"{SECOND}.log"
    second.write_bytes(b"")
    third.unlink()
    indexes = [segment.with_suffix(index) for segment in (second, third) for index in INDEXES]
    for index in (*indexes, logs / "ticks-0" / f"{FIRST}.index"):
        index.touch()
    (logs / CLEAN).touch()
    assert set(keep(logs, plenty)) == {logs / METADATA / f"{FIRST}.log", second, third}
    assert not (logs / CLEAN).exists()
    assert not any(index.exists() for index in indexes)
    assert (logs / "ticks-0" / f"{FIRST}.index").exists(), "that segment was not touched"


def test_a_stop_in_order_stays_one_where_nothing_was_emptied(logs: Path) -> None:
    """Kafka need not read its logs again for copies of a start that gave up."""
    keep(logs, plenty)
    (logs / CLEAN).touch()
    assert keep(logs, plenty) == [logs / METADATA / f"{FIRST}.log"]
    assert (logs / CLEAN).exists()
    assert names(logs) == {"__cluster_metadata-0/000"}


@pytest.mark.parametrize("moves", range(5))
def test_a_start_that_is_killed_while_it_puts_back_is_completed_by_the_next(
    logs: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """At whichever file."""
    second, third = logs / "ticks-0" / f"{SECOND}.log", logs / "ticks-0" / f"{THIRD}.log"
    held = [second.read_bytes(), third.read_bytes()]
    keep(logs, plenty)
    second.write_bytes(b"")
    third.unlink()
    real, left = Path.replace, [moves]

    def killed(self: Path, to: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(self, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with contextlib.suppress(KeyboardInterrupt):
            restore(logs)
    restore(logs)
    assert [second.read_bytes(), third.read_bytes()] == held
    assert names(logs) == set()


def test_a_topic_that_was_made_again_keeps_its_own_records(logs: Path) -> None:
    """It has none yet, and its first segment has the name of the old topic's."""
    ticks, metadata = logs / "ticks-0" / TOPIC, logs / METADATA / f"{FIRST}.log"
    (logs / "ticks-0" / f"{FIRST}.log").unlink()
    ticks.write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA")
    kept = keep(logs, plenty)
    ticks.write_text("version: 0\ntopic_id: BBBBBBBBBBBBBBBBBBBBBB")
    (logs / "ticks-0" / f"{SECOND}.log").write_bytes(b"")
    (logs / "ticks-0" / f"{THIRD}.log").unlink()
    metadata.write_bytes(b"")
    assert emptied(kept) == [metadata]
    assert restore(logs) == [metadata]


def test_a_segment_that_compaction_emptied_stays_empty(logs: Path) -> None:
    """Kafka has lived on after a start that gave up: it has newer records, which may have deleted the copied ones."""
    kept = keep(logs, plenty)
    (logs / "ticks-0" / f"{SECOND}.log").write_bytes(b"")
    (logs / "ticks-0" / f"{THIRD}.log").write_bytes(batch(200, 300))
    assert emptied(kept) == []
    assert restore(logs) == []


def test_a_kafka_that_was_killed_as_it_emptied_a_log_gets_it_back(logs: Path) -> None:
    """It had not deleted the segments after it yet: they are what they were."""
    second = logs / "ticks-0" / f"{SECOND}.log"
    keep(logs, plenty)
    second.write_bytes(b"")
    assert second in restore(logs)
    assert second.stat().st_size == 400


def test_copies_that_do_not_fit_are_not_left_behind(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be missing room at the next start; no log was touched."""

    def full(_: Path, to: Path) -> None:
        to.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        keep(logs, plenty)
    assert names(logs) == set()


def test_copies_are_room_unless_they_are_put_back(logs: Path) -> None:
    """The next start removes the others."""
    keep(logs, plenty)
    copies = {copy.stem: copy.stat().st_blocks * 512 for copy in (logs.parent / COPIES / "ticks-0").glob("*.log")}
    metadata = next((logs.parent / COPIES / "__cluster_metadata-0").glob("*.log")).stat().st_blocks * 512
    assert disposable(logs) == sum(copies.values()) + metadata > 0
    (logs / METADATA / f"{FIRST}.log").write_bytes(b"")
    assert disposable(logs) == sum(copies.values())
    assert not list((logs.parent / COPIES).glob(f"*/*{DUE}"))
