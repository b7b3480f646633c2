"""A file of the archive: written whole or not at all, and read with its digest compared."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final, TypeVar

import polars as pl

from tradewind.connectors.archive.errors import DamagedFile
from tradewind.connectors.archive.names import HIDDEN, ArchiveFile
from tradewind.connectors.archive.records import SCHEMA, digest_of

T = TypeVar("T")
FORMAT: Final = 1
"""Of files. It rises only where a version cannot read what the one before wrote."""
LEVEL: Final = 3
"""Of zstd: level 9 saves 8 % of a day of ticks, and takes four times as long."""
ROW_GROUP: Final = 65_536
FACTS: Final = "tradewind"
LOCK: Final = f"{HIDDEN}lock"
REMEDY: Final = "restore it from a copy, or move it out of the archive, and run ./dev archive verify"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the footer of a file says of it."""

    topic: str
    partition: int
    begin: int
    """The sink read every committed record from this offset on."""
    next: int
    """Position after the last record, and after the markers of transactions behind it that the sink has seen."""
    count: int
    digest: str
    bytes: int
    """Of keys and values."""
    topic_id: str | None = None
    """Kafka's id of the topic: a recreated topic has another."""
    schemas: Mapping[str, str] = field(default_factory=dict)
    """Schema id -> the schema, as JSON."""
    format: int = FORMAT


def encoded(frame: pl.DataFrame, facts: Facts) -> bytes:
    """Return the bytes of a file."""
    into = BytesIO()
    frame.write_parquet(
        into,
        compression="zstd",
        compression_level=LEVEL,
        row_group_size=ROW_GROUP,
        metadata={FACTS: json.dumps(asdict(facts))},
    )
    return into.getvalue()


def write_draft(draft: Path, data: bytes) -> None:
    """Write a file beside its place, and have the disk keep it. Raises `OSError`, and leaves nothing then."""
    try:
        with draft.open("wb") as into:
            into.write(data)
            into.flush()
            os.fsync(into.fileno())
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def publish(draft: Path, file: ArchiveFile) -> None:
    """Give a draft its name; to be called under the topic's lock. Raises `OSError`."""
    folder = file.path.parent
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        sync(folder.parent)
    draft.rename(file.path)
    sync(folder)


def sync(folder: Path) -> None:
    """Have the disk keep the names in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path, topic: str) -> Iterator[None]:
    """Keep other processes from giving or taking names of a topic. Makes the topic's folder."""
    place = folder / topic
    if not place.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        sync(folder)
    with (place / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove_drafts(folder: Path, topic: str, partition: int) -> None:
    """Remove what writers that were killed have left of a partition; to be called under the topic's lock."""
    for draft in (folder / topic).glob(f"{HIDDEN}{partition}-*"):
        draft.unlink(missing_ok=True)


def facts_of(file: ArchiveFile) -> Facts:
    """Return what a file's footer says; raises `DamagedFile` if it does not fit the name."""
    said = _read(file, lambda: pl.read_parquet_metadata(file.path)).get(FACTS)
    if said is None:
        raise DamagedFile(f"{file} was not written by Tradewind: it lacks {FACTS!r} in its footer; {REMEDY}")
    try:
        given = json.loads(said)
        version = given.get("format")
        if version != FORMAT:
            raise DamagedFile(f"{file} has format {version}; this version of Tradewind reads {FORMAT} only")
        facts = Facts(**given)
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedFile(f"{file} has a footer that cannot be read ({error}); {REMEDY}") from error
    if (facts.topic, facts.partition) != (file.topic, file.partition):
        raise DamagedFile(f"{file} holds {facts.topic}/{facts.partition}: it was moved or renamed; {REMEDY}")
    if not facts.begin <= file.first <= file.last < facts.next:
        raise DamagedFile(f"{file} was read from {facts.begin} up to {facts.next}, which its name denies; {REMEDY}")
    return facts


def read(file: ArchiveFile) -> pl.DataFrame:
    """Return the records of a file; raises `DamagedFile` if they are not those that were written."""
    facts = facts_of(file)
    frame = _read(file, lambda: pl.read_parquet(file.path))
    if frame.schema != pl.Schema(SCHEMA):
        raise DamagedFile(f"{file} has the columns {dict(frame.schema)}; {REMEDY}")
    found = digest_of([frame])
    if (found.count, found.hex()) != (facts.count, facts.digest):
        raise DamagedFile(
            f"{file} holds {found.count:,} records with digest {found.hex()}; {facts.count:,} with {facts.digest} were "
            f"written; {REMEDY}"
        )
    if (frame["offset"][0], frame["offset"][-1]) != (file.first, file.last):
        raise DamagedFile(f"{file} holds the offsets {frame['offset'][0]} to {frame['offset'][-1]}; {REMEDY}")
    return frame


def _read(file: ArchiveFile, reading: Callable[[], T]) -> T:
    try:
        return reading()
    except FileNotFoundError:
        raise
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DamagedFile(f"{file} cannot be read ({str(error).splitlines()[0][:200]}); {REMEDY}") from error
