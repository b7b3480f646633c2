"""The adapter `recording`, which answers from a file, and how such a file is made from the log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast
from uuid import uuid4

from tradewind.connectors.ai.answer import Answer, answer_of
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.kafka.consumption import consume
from tradewind.connectors.settings import PREFIX, Settings
from tradewind.processors.ai.recording import (
    NotRecorded,
    Recorded,
    Recording,
    UnreadableRecording,
    first_of,
    lines_of,
    recorded,
    recording_of,
)
from tradewind.schemas.ai import AiAttempt, AiCall
from tradewind.schemas.codec import Codec
from tradewind.topics import AI_ATTEMPTS, AI_CALLS

MOST_BYTES = 256 * 1024 * 1024
"""Of a file, which is read whole: half a million ordinary answers."""
VARIABLE = f"{PREFIX}AI__RECORDING_FILE"


def read(path: Path, most_bytes: int = MOST_BYTES) -> Recording:
    """Return the recording of a file; raises `UnreadableRecording`."""
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise UnreadableRecording(f"{path} has {size:,} bytes, above {most_bytes:,}: record less of the log")
        with path.open(encoding="utf-8") as file:
            return recording_of(file)
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableRecording(f"{path} cannot be read: {error}") from None
    except UnreadableRecording as error:
        raise UnreadableRecording(f"{path}: {error}") from None


def write(recording: Recording, path: Path) -> None:
    """Write a recording: whole or not at all."""
    draft = path.with_name(f"{path.name}.{uuid4().hex}.draft")
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines_of(recording))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def from_log(settings: Settings, codec: Codec, tenant: str | None = None) -> Recording:
    """Return the answers on the log, of one tenant or of all: the first one of each digest."""
    return first_of(_answers(settings, codec, tenant))


def _answers(settings: Settings, codec: Codec, tenant: str | None) -> Iterator[Recorded]:
    digests: dict[str, str] = {}
    for record in consume(AI_CALLS, settings=settings, codec=codec, tenant=tenant):
        call = cast("AiCall", record.event)
        digests[call.call_id] = call.digest
    for record in consume(AI_ATTEMPTS, settings=settings, codec=codec, tenant=tenant):
        attempt = cast("AiAttempt", record.event)
        digest = digests.get(attempt.call_id)
        if digest is not None and (found := recorded(digest, attempt)) is not None:
            yield found


class FromRecording:
    """An adapter that answers from the file of `TRADEWIND_AI__RECORDING_FILE`, or another one. It asks nobody."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._recording: Recording | None = None

    async def open(self) -> None:
        """Read the file; raises `UnreadableRecording`."""
        path = self._path or Settings().ai.recording_file
        if path is None:
            raise UnreadableRecording(f"there is no recording: set {VARIABLE} to a file of ./dev ai record")
        self._recording = read(path)

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:  # noqa: ARG002 - nothing is sent
        """Return the recorded answer, or `MISSED`: another answer would not be what happened."""
        assert self._recording is not None  # it was opened
        try:
            found = self._recording.answer(call.digest, f"request {call.request_id}")
        except NotRecorded as error:
            return Answer("MISSED", str(error))
        sending.sent = True
        return answer_of(found)

    async def close(self) -> None:
        """Have nothing to close."""
