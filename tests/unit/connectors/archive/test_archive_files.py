"""Files of the archive: byte for byte what was on the topic, whole or not at all, and damage is named."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st
from sinks.archiving import MONDAY, TOPIC, archived, expected, message, messages, offsets, write

from tradewind.connectors.archive import ArchiveFile, DamagedFile, OverlappingFiles, listed
from tradewind.connectors.archive.files import facts_of, read, write_draft
from tradewind.connectors.archive.names import arranged
from tradewind.connectors.archive.records import digest_of, frame_of, headers_of

RECORDS = st.lists(
    st.builds(
        lambda at, key, value, headers: Message(
            topic=TOPIC, partition=0, offset=at, key=key, value=value, timestamp=(1, at), headers=headers
        ),
        st.just(0),
        st.none() | st.binary(max_size=4),
        st.none() | st.binary(max_size=9),
        st.none() | st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=3),
    ),
    max_size=12,
)


def numbered(records: list[Message]) -> list[Message]:
    """Return records at offsets of their own."""
    return [
        Message(
            topic=TOPIC,
            partition=0,
            offset=at,
            key=one.key(),
            value=one.value(),
            timestamp=(1, at),
            headers=one.headers(),
        )
        for at, one in enumerate(records)
    ]


def test_a_file_has_every_record_byte_for_byte(tmp_path: Path) -> None:
    """Keys, values, tombstones, headers with and without a value, times; and the schemas of the values."""
    records = [*messages(0, 20), message(21, value=b"no frame"), message(22, value=b"")]
    file = write(tmp_path, records)
    rows = read(file)
    assert [(row["offset"], row["key"], row["value"], headers_of(row["headers"])) for row in rows.to_dicts()] == [
        (one.offset(), one.key(), one.value(), one.headers() or []) for one in records
    ]
    assert rows["time"].to_physical().to_list() == [one.timestamp()[1] for one in records]
    assert rows["schema_id"].to_list()[:5] == [7, 7, 7, 7, None]
    assert facts_of(file).schemas == {"7": '"string"'}
    assert file.name == f"{TOPIC}/{MONDAY}/0-0-22.parquet"


@given(RECORDS, st.integers(0, 12))
def test_a_digest_does_not_depend_on_how_records_are_cut(records: list[Message], cut: int) -> None:
    """So that a file, its parts and a topic can be compared."""
    rows = frame_of(numbered(records))
    assert digest_of([rows]).hex() == digest_of([rows[:cut], rows[cut:]]).hex()


@given(RECORDS, RECORDS)
def test_a_digest_tells_records_apart(one: list[Message], other: list[Message]) -> None:
    """Whatever differs: bytes that move from a key to a value, None and nothing, a header's name."""
    first, second = frame_of(numbered(one)), frame_of(numbered(other))
    assert (digest_of([first]).hex() == digest_of([second]).hex()) == first.equals(second, null_equal=True)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    """Whatever was done to it, nothing of it is read."""
    file = write(tmp_path, messages(0, 500))
    data = bytearray(file.path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    file.path.write_bytes({"cut": bytes(data[: len(data) // 2]), "flipped": bytes(data), "empty": b""}[damage])
    with pytest.raises(DamagedFile, match=r"0-0-500\.parquet"):
        read(file)


def test_a_file_under_a_wrong_name_is_damaged(tmp_path: Path) -> None:
    """Its name would be a wrong position."""
    file = write(tmp_path, messages(0, 9))
    file.path.rename(file.path.with_name("0-0-19.parquet"))
    with pytest.raises(DamagedFile, match="0-0-19"):
        read(ArchiveFile(tmp_path, TOPIC, MONDAY, 0, 0, 19))
    file.path.with_name("0-0-19.parquet").rename(file.path.with_name("1-0-9.parquet"))
    with pytest.raises(DamagedFile, match="moved or renamed"):
        read(ArchiveFile(tmp_path, TOPIC, MONDAY, 1, 0, 9))


def test_files_that_overlap_are_named_and_one_within_another_is_left_out(tmp_path: Path) -> None:
    """The latter is what a killed compaction leaves."""
    for first, last in ((0, 9), (10, 19), (0, 19)):
        write(tmp_path, messages(first, last))
    listing = listed(tmp_path, TOPIC)[0]
    assert [(file.first, file.last) for file in listing.files] == [(0, 19)]
    assert [(file.first, file.last) for file, _ in listing.within] == [(0, 9), (10, 19)]
    assert archived(tmp_path).hex() == expected(messages(0, 19)).hex()
    write(tmp_path, messages(15, 30))
    with pytest.raises(OverlappingFiles, match=r"0-0-19.parquet and .*0-15-30.parquet both hold the offsets 15 to 19"):
        offsets(tmp_path)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=6))
def test_an_arrangement_has_every_offset_once_or_is_refused(spans: list[tuple[int, int]]) -> None:
    """Whatever files there are."""
    files = [ArchiveFile(Path(), TOPIC, MONDAY, 0, first, first + more) for first, more in dict.fromkeys(spans)]
    try:
        found = arranged(files)
    except OverlappingFiles:
        return
    held = [offset for file in found.files for offset in range(file.first, file.last + 1)]
    assert held == sorted(set(held))
    assert set(held) == {offset for file in files for offset in range(file.first, file.last + 1)}
    assert len(found.files) + len(found.within) == len(files)


def test_a_draft_that_a_full_disk_cut_short_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take room that others need."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_draft(tmp_path / "draft", b"x")
    assert list(tmp_path.iterdir()) == []
