"""The archive sink: gathers records of each partition, and writes them as a file that appears whole.

A file appears by a rename after the disk has its bytes, so its name is the position: whatever was gathered is read from
Kafka again after a kill. Under the lock of the topic, the sink compares the newest name with the one that it knows. So
of two processes that both take a partition for theirs, one gives it up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from tradewind.connectors.archive.errors import ArchiveError
from tradewind.connectors.archive.files import (
    Facts,
    encoded,
    facts_of,
    locked,
    publish,
    remove_drafts,
    write_draft,
)
from tradewind.connectors.archive.names import ArchiveFile, newest
from tradewind.connectors.archive.pruning import prune_to
from tradewind.connectors.archive.records import frame_of
from tradewind.connectors.kafka.topic_ids import as_printed, topic_ids
from tradewind.connectors.registry import RegistryError, SchemaRegistry, UnknownSchema
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.archive.gathered import DAY_MS, Gathered, digest
from tradewind.connectors.sinks.sink import Batch, Claim, Form, Origin, OwnerFenced, Sink, StoreUnavailable
from tradewind.topics import DOMAIN_TOPICS, Topic

log = logging.getLogger(__name__)

ARCHIVED: tuple[Topic, ...] = tuple(topic for topic in DOMAIN_TOPICS if topic.cleanup == "delete")
"""Compacted topics are left out: Kafka keeps the newest record of each key itself."""
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cuts:
    """When what is gathered becomes a file."""

    file_bytes: int = 32 * MIB
    """Of keys and values, encoded. Larger files are no smaller a record."""
    memory_bytes: int = 64 * MIB
    """Of all partitions together. Beyond it, the largest becomes a file."""


class ArchiveSink(Sink):
    """Writes every record of the archived topics. Its files keep its positions."""

    name = "archive"
    form: ClassVar[Form] = "bytes"

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[Topic] = ARCHIVED,
        cuts: Cuts = Cuts(),
        schema: Callable[[int], str] | None = None,
    ) -> None:
        """Prepare; `schema` returns the schema of an id, as the registry does unless it is given."""
        self.topics = tuple(topics)
        self._settings = settings
        self._cuts = cuts
        self._folder = settings.archive_folder.absolute()
        self._file_s = settings.archive.file_s
        self._gathered: dict[Origin, Gathered] = {}
        self._fenced: set[Origin] = set()
        self._ids: dict[str, str | None] = {}
        self._claims = 0
        self._grew = True
        self._schema = schema or self._registered
        self._schemas: dict[int, str | None] = {}

    async def open(self) -> None:
        """Make the folder of the archive."""
        self._folder.mkdir(parents=True, exist_ok=True)

    async def claim(self, origins: Sequence[Origin]) -> Mapping[Origin, Claim]:
        """Return where the files of partitions end; what was gathered of them is read again.

        Raises `StoreUnavailable` for a newest file that is damaged, or of a topic that was recreated since.
        """
        ids = topic_ids(self._settings, {topic for topic, _ in origins})
        self._ids.update({topic: as_printed(ids.get(topic)) for topic, _ in origins})
        self._claims += 1
        return {origin: self._claimed(origin) for origin in origins}

    def _claimed(self, origin: Origin) -> Claim:
        topic, partition = origin
        name = self._settings.physical(topic)
        with locked(self._folder, name):
            remove_drafts(self._folder, name, partition)
            file = newest(self._folder, name, partition)
        self._gathered.pop(origin, None)
        self._fenced.discard(origin)
        if file is None:
            self._gathered[origin] = Gathered(-1, 0, 0)
            return Claim(None, self._claims)
        try:
            facts = facts_of(file)
        except ArchiveError as error:
            raise StoreUnavailable(str(error)) from error
        if None not in {facts.topic_id, self._ids[topic]} and facts.topic_id != self._ids[topic]:
            raise StoreUnavailable(
                f"{file} is of an earlier topic {name}, which was deleted and created again: its offsets mean other "
                f"records. Move the folder {self._folder / name} elsewhere, and the sink begins another"
            )
        self._gathered[origin] = Gathered(file.last, facts.next, facts.next)
        return Claim(facts.next, self._claims)

    async def write(self, batch: Batch) -> None:
        """Gather the records of a batch, and write files that are due."""
        origin = (batch.topic.name, batch.partition)
        if origin in self._fenced:
            raise OwnerFenced(f"{origin[0]}/{origin[1]} is archived by another process")
        at = self._gathered[origin]
        if not at and at.next < batch.begin:
            self._gathered[origin] = Gathered(at.last, batch.begin, batch.begin)  # what lies between is gone
        now_s = time.monotonic()
        if batch.records:
            rest = frame_of(batch.records)
            while not (rest := self._gathered[origin].add(rest, now_s)).is_empty():
                self._flush(origin)
        gathered = self._gathered[origin]
        gathered.next = max(gathered.next, batch.next_offset)
        if gathered and (gathered.size >= self._cuts.file_bytes or now_s - gathered.since_s >= self._file_s):
            self._flush(origin)
        while sum(one.size for one in self._gathered.values()) > self._cuts.memory_bytes:
            largest = max(self._gathered, key=lambda one: self._gathered[one].size)
            with suppress(OwnerFenced) if largest != origin else nullcontext():  # the next batch of it is told so
                self._flush(largest)

    async def tend(self) -> None:
        """Write what has waited long enough, and remove the oldest files beyond `retention_bytes`."""
        now_s = time.monotonic()
        for origin, gathered in list(self._gathered.items()):
            if gathered and now_s - gathered.since_s >= self._file_s:
                with suppress(OwnerFenced):  # its next batch is told so
                    self._flush(origin)
        self._prune()

    def _prune(self) -> None:
        """Remove the oldest files, if a file was added since the last time."""
        if not self._grew:
            return
        self._grew = False
        try:
            removed = prune_to(self._folder, self._settings.archive.retention_bytes)
        except ArchiveError as error:
            log.error("nothing is removed from the archive: %s", error)  # noqa: TRY400
            return
        if removed:
            log.warning(
                "the archive exceeds %d bytes: removed %d files, the last of them %s",
                *(self._settings.archive.retention_bytes, len(removed), removed[-1]),
            )

    async def close(self) -> None:
        """Write what was gathered; what cannot be written is read from Kafka at the next start."""
        for origin, gathered in list(self._gathered.items()):
            if gathered:
                try:
                    self._flush(origin)
                except (OwnerFenced, OSError, RegistryError) as error:
                    log.error("%s/%d: not written at the end, so read again: %s", *origin, error)  # noqa: TRY400

    def _flush(self, origin: Origin) -> None:
        """Write what was gathered of a partition as a file. Raises `OSError` and `OwnerFenced`."""
        topic, partition = origin
        gathered = self._gathered[origin]
        frame = gathered.whole()
        day = datetime.fromtimestamp(gathered.day * DAY_MS // 1000, UTC).date().isoformat()
        first, last = int(frame["offset"][0]), int(frame["offset"][-1])
        file = ArchiveFile(self._folder, self._settings.physical(topic), day, partition, first, last)
        count, digested = digest(frame)
        facts = Facts(
            topic=file.topic,
            partition=partition,
            begin=gathered.begin,
            next=gathered.next,
            count=count,
            digest=digested,
            bytes=gathered.size,
            topic_id=self._ids.get(topic),
            schemas=self._texts(frame["schema_id"].drop_nulls().unique().sort().to_list()),
        )
        draft = file.draft
        write_draft(draft, encoded(frame, facts))
        with locked(self._folder, file.topic):
            before = newest(self._folder, file.topic, partition)
            if (-1 if before is None else before.last) != gathered.last or not draft.exists():
                draft.unlink(missing_ok=True)
                self._gathered[origin] = Gathered(gathered.last, gathered.next, gathered.next)
                self._fenced.add(origin)
                raise OwnerFenced(f"{topic}/{partition}: another process has written {before or 'nothing'} since")
            publish(draft, file)
        self._gathered[origin] = gathered.after()
        self._grew = True

    def _texts(self, schema_ids: Sequence[int]) -> dict[str, str]:
        """Return the schemas of ids, as far as the registry has them. Raises `RegistryUnavailable`."""
        for number in schema_ids:
            if number not in self._schemas:
                try:
                    self._schemas[number] = self._schema(number)
                except UnknownSchema:  # bytes that only look like a frame
                    self._schemas[number] = None
        found = ((number, self._schemas[number]) for number in schema_ids)
        return {str(number): text for number, text in found if text is not None}

    def _registered(self, schema_id: int) -> str:
        with SchemaRegistry(self._settings) as registry:
            return registry.schema(schema_id)
