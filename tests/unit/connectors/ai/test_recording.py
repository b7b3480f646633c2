"""Recordings answer by the digest of a request, and nothing else: a miss is an error."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import NOW, Asking, attempt
from calls.calling import call

from tradewind.connectors.ai import recording as module
from tradewind.connectors.ai.answer import attempt_of
from tradewind.connectors.ai.recording import FromRecording, read, write
from tradewind.connectors.ai.settings_files.templates import template
from tradewind.connectors.ai.settings_files.text import document_of
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.settings import Settings
from tradewind.processors.ai.recording import (
    NotRecorded,
    Recorded,
    UnreadableRecording,
    first_of,
    lines_of,
    recorded,
    recording_of,
)
from tradewind.processors.ai.settings_file import file
from tradewind.schemas.ai import AiAttempt, AiCall, AiResponse
from tradewind.testing import MemoryBroker
from tradewind.topics import AI_ATTEMPTS, AI_CALLS

CALL = call(1)
FULL = replace(
    attempt(CALL, text="zwei\nZeilen \u2028", cache_read_tokens=3, total_us=1_500),
    tool_calls=({"id": "1", "name": "quote", "arguments": "{}"},),
    embeddings=(b"\0\1\2\3",),
)


def of(asked: AiCall, ended: AiAttempt) -> Recorded:
    """Return what an attempt adds to a recording."""
    found = recorded(asked.digest, ended)
    assert found is not None
    return found


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    """Every field, in the order of the log; the file is whole or not there."""
    whole = first_of([of(CALL, FULL), of(call(2, body={"seed": 1}), attempt(call(2)))])
    write(whole, tmp_path / "answers.jsonl")
    assert read(tmp_path / "answers.jsonl") == whole
    assert [path.name for path in tmp_path.iterdir()] == ["answers.jsonl"]


def test_of_equal_requests_the_first_answer_counts() -> None:
    """And what is no whole answer is left out."""
    other = of(CALL, attempt(CALL, text="later"))
    assert first_of([of(CALL, FULL), other]).answers == {CALL.digest: of(CALL, FULL)}
    assert recorded(CALL.digest, attempt(CALL, "LOST")) is None
    assert recorded(CALL.digest, attempt(CALL, finish=None)) is None


LINES = list(lines_of(first_of([of(CALL, FULL)])))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "it is empty"),
        (LINES[:1], "0 answers of 1: it was cut"),
        ([*LINES, LINES[1]], "line 3: the digest .* is there twice"),
        (LINES[1:], "line 1 does not begin a recording"),
        ([LINES[0], LINES[1][:50]], "line 2 is no JSON"),
        ([LINES[0], "[]"], "line 2 is no JSON object"),
        ([LINES[0], LINES[1].replace('"STOP"', '"SOON"')], "line 2: finish"),
        ([LINES[0], LINES[1].replace('"total_us": 1500', '"total_us": -1')], "line 2: total_us"),
        ([LINES[0], LINES[1].replace('"AAECAw=="', '"%"')], "line 2: tool_calls or embeddings"),
    ],
)
def test_a_file_that_is_no_recording_says_where(lines: list[str], said: str) -> None:
    """Nothing of it is used."""
    with pytest.raises(UnreadableRecording, match=said):
        recording_of(lines)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, of other bytes, or too large."""
    path = tmp_path / "answers.jsonl"
    with pytest.raises(UnreadableRecording, match=r"answers\.jsonl cannot be read"):
        read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UnreadableRecording, match=r"answers\.jsonl cannot be read"):
        read(path)
    with pytest.raises(UnreadableRecording, match="2 bytes, above 1"):
        read(path, most_bytes=1)


async def test_the_adapter_gives_the_recorded_answer_and_misses_all_others(tmp_path: Path) -> None:
    """A request of another digest is not sent anywhere."""
    write(first_of([of(CALL, FULL)]), tmp_path / "answers.jsonl")
    adapter, sending = FromRecording(tmp_path / "answers.jsonl"), Sending()
    await adapter.open()
    found = await adapter.ask(replace(CALL, model="another"), None, sending)
    assert (found.outcome, found.text, found.embeddings, sending.sent) == ("OK", FULL.text, FULL.embeddings, True)
    assert found.tokens is not None
    assert (found.tokens.input, found.tokens.cache_read, found.tokens.output) == (10, 3, 5)
    other = Sending()
    missed = await adapter.ask(call(3, body={"seed": 2}), None, other)
    assert (missed.outcome, other.sent) == ("MISSED", False)
    assert "is not recorded: none of 1 answers has the digest" in (missed.error or "")


def test_the_log_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls have the digests, attempts the answers."""
    broker = MemoryBroker()
    broker.publish(AI_CALLS, CALL, call(4))
    broker.publish(AI_ATTEMPTS, FULL, attempt(call(4), "BUSY"), attempt(call(5)))

    def consume(topic: Any, **_: Any) -> Any:
        return [type("Record", (), {"event": event}) for event in broker.events(topic)]

    monkeypatch.setattr(module, "consume", consume)
    assert module.from_log(Settings(_env_file=None), broker.codec).answers == {CALL.digest: of(CALL, FULL)}
    with pytest.raises(NotRecorded, match="record it with the same prompts"):
        first_of([]).answer(CALL.digest, "it")
    assert json.loads(LINES[0])["answers"] == 1


async def test_the_template_leads_every_request_to_the_recording(tmp_path: Path) -> None:
    """And a miss is its end: nobody else is asked."""
    settings = file.read(document_of(template("recording")))
    asking = Asking(settings)  # type: ignore[arg-type]
    asked = asking.call(cache="OFF")
    write(first_of([of(asked, attempt(asked, text="as then"))]), tmp_path / "answers.jsonl")
    adapter = FromRecording(tmp_path / "answers.jsonl")
    await adapter.open()

    async def ended(number: int, **other: Any) -> Any:
        made = asking.call(number, **other)
        answer = await adapter.ask(made, None, Sending())
        (last,) = (one for one in asking.give(attempt_of(made, answer, NOW + 1, 1)) if isinstance(one, AiResponse))
        return last

    found, missed = await ended(2), await ended(3, text="Is it calm now?")
    assert (found.status, found.text, found.cost) == ("ANSWERED", "as then", 0)
    assert (missed.status, missed.code) == ("FAILED", "EXHAUSTED")
    assert "is not recorded" in missed.reason
