"""Compare an archive with itself and with Kafka: counts, digests, holes and overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from tradewind.connectors.archive.errors import ArchiveError, DamagedFile, OverlappingFiles
from tradewind.connectors.archive.files import Facts, facts_of, read
from tradewind.connectors.archive.names import ArchiveFile, Listing, arranged, found, strangers
from tradewind.connectors.archive.records import Digest, digest_of, frame_of
from tradewind.connectors.kafka.offsets import Bounds
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings


@dataclass(slots=True)
class Verified:
    """What was compared of one partition."""

    topic: str
    partition: int
    files: int = 0
    records: int = 0
    """In its files."""
    compared: int = 0
    """Those of them that were compared with Kafka."""
    waiting: int = 0
    """Offsets that Kafka has behind the newest file."""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify_topic(folder: Path, topic: str) -> Iterator[Verified]:
    """Compare the files of each partition of a topic with what was written; Kafka is not asked."""
    odd = strangers(folder, topic)
    files = list(found(folder, topic))
    for partition in sorted({file.partition for file in files}):
        result = Verified(topic, partition)
        if odd:
            more = f", and {len(odd) - 1} more" if odd[1:] else ""
            result.notes.append(f"{odd[0]} is no file of the archive{more}")
            odd = []
        _check(result, _arranged(result, [file for file in files if file.partition == partition]))
        yield result


def verify_with_kafka(settings: Settings, result: Verified, bounds: Bounds) -> None:
    """Compare what Kafka still has of a partition with the files, and add it to the result.

    `bounds` are the first offset that Kafka has and the last stable one. Raises `StreamError`.
    """
    listing = _arranged(Verified(result.topic, result.partition), _files(settings.archive_folder, result))
    low, high = bounds
    newest = listing.newest
    if newest is None:
        return
    try:
        position = facts_of(newest).next
    except DamagedFile:
        position = newest.last + 1  # its damage is a problem already
    result.waiting = max(0, high - position)
    if position > high:
        result.problems.append(
            f"{newest} ends at offset {position - 1}, and Kafka at {high - 1}: the topic was recreated or lost records"
        )
        return
    wanted = [file for file in listing.files if file.last >= low]
    if wanted:
        _compare(settings, result, wanted, low)


def _compare(settings: Settings, result: Verified, files: list[ArchiveFile], low: int) -> None:
    """Compare files with the records that Kafka has from `low` on, file by file."""
    first = max(low, files[0].first)
    digests = [Digest() for _ in files]
    beside: list[int] = []
    at = 0
    for batch in raw_records(settings, result.topic, (result.partition,), first):
        frame = frame_of([message for message in batch if message.offset() <= files[-1].last])
        while frame.height and at < len(files):
            file = files[at]
            outside = int(frame["offset"].search_sorted(file.first))
            beside += frame["offset"][:outside].to_list()[: max(0, 100 - len(beside))]
            inside = int(frame["offset"].search_sorted(file.last, side="right"))
            digests[at].add(frame[outside:inside])
            frame = frame[inside:]
            at += bool(frame.height)
        if batch[-1].offset() >= files[-1].last:
            break
    if beside:
        result.problems.append(f"{result.topic}/{result.partition}: Kafka has records at {_spans(beside)}, in no file")
    for file, digest in zip(files, digests, strict=True):
        try:
            ours = digest_of([read(file).filter(pl.col("offset") >= low)])
        except ArchiveError:  # which is a problem already
            continue
        result.compared += ours.count
        if (ours.count, ours.hex()) != (digest.count, digest.hex()):
            result.problems.append(
                f"{file} holds {ours.count:,} records of the offsets from {max(low, file.first)} on with digest "
                f"{ours.hex()}; Kafka has {digest.count:,} with {digest.hex()}"
            )


def _check(result: Verified, listing: Listing) -> None:
    """Read every file; note what is wrong with each, and the holes between them."""
    before: tuple[ArchiveFile, Facts] | None = None
    for file in listing.files:
        result.files += 1
        try:
            facts = facts_of(file)
            result.records += read(file).height
        except ArchiveError as error:
            result.problems.append(str(error))
            before = None
            continue
        if before is not None and facts.begin > before[1].next:
            result.problems.append(
                f"offsets {before[1].next} to {facts.begin - 1} are in no file: they are missing between {before[0]} "
                f"and {file}. Kafka's retention removed them before the sink read them, or a file was taken away"
            )
        before = (file, facts)
    for part, into in listing.within:
        try:
            inside = read(into).filter(pl.col("offset").is_between(part.first, part.last))
            same = digest_of([read(part)]).hex() == digest_of([inside]).hex()
        except ArchiveError as error:
            result.problems.append(str(error))
            continue
        if same:
            result.notes.append(f"{part} is also in {into}: ./dev archive compact removes it")
        else:
            result.problems.append(f"{part} and {into} hold other records of the same offsets: move one away")


def _arranged(result: Verified, files: list[ArchiveFile]) -> Listing:
    """Return files in order; those that overlap are problems, and left out."""
    while True:
        try:
            return arranged(files)
        except OverlappingFiles as error:
            result.problems.append(str(error))
            ordered = sorted(files, key=lambda one: (one.first, -one.last))
            clash = next(
                at
                for at in range(1, len(ordered))
                if any(one.last >= ordered[at].first and one.last < ordered[at].last for one in ordered[:at])
            )
            files = ordered[:clash] + ordered[clash + 1 :]


def _files(folder: Path, result: Verified) -> list[ArchiveFile]:
    return [file for file in found(folder, result.topic) if file.partition == result.partition]


def _spans(offsets: list[int]) -> str:
    """Return the first of some offsets in words."""
    shown = ", ".join(map(str, offsets[:5]))
    return f"offset {shown}" if len(offsets) <= 5 else f"offsets {shown} and more"
