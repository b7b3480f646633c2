"""Recordings: answers by the digest of their request, as lines of JSON. A miss is an error, and never another answer.

The digest is of the tenant and all that decides the answer, but the model. So a recording answers the same questions of
the same tenant, whichever provider and model gave the answers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tradewind.schemas.ai import AiAttempt

FORMAT: Final = 1
HEAD: Final = "tradewind_ai_recording"
"""Field of the first line, with the number of the format."""
TEXTS: Final = ("digest", "provider", "model", "text")
COUNTS: Final = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "total_us")
LISTS: Final = ("tool_calls", "embeddings")
TOOL_CALL: Final = ("id", "name", "arguments")
FINISHES: Final = frozenset({"STOP", "LENGTH", "TOOL_CALLS", "FILTER"})


class UnreadableRecording(ValueError):
    """A file that is no recording; the message says which line, and what is wrong with it."""


class NotRecorded(LookupError):
    """A recording has no answer to a request; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An answer."""

    digest: str
    """Of its request."""
    provider: str
    model: str
    text: str
    finish: str
    tool_calls: tuple[Mapping[str, str], ...] = ()
    embeddings: tuple[bytes, ...] = ()
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    counted: bool = True
    """Whether the provider told the tokens."""
    total_us: int = 0
    """How long the provider took."""

    def line(self) -> str:
        """Return it as a line of a recording."""
        fields = (*TEXTS, "finish", *COUNTS, "counted")
        said: dict[str, Any] = {name: getattr(self, name) for name in fields}
        said["tool_calls"] = [{name: call[name] for name in TOOL_CALL} for call in self.tool_calls]
        said["embeddings"] = [base64.b64encode(vector).decode() for vector in self.embeddings]
        return json.dumps(said, sort_keys=True, ensure_ascii=False)


def recorded(digest: str, attempt: AiAttempt) -> Recorded | None:
    """Return what an attempt adds to a recording; None where it is no whole answer."""
    if attempt.outcome != "OK" or attempt.finish is None or attempt.finish not in FINISHES:
        return None
    return Recorded(
        digest=digest,
        provider=attempt.provider,
        model=attempt.model,
        text=attempt.text,
        finish=attempt.finish,
        tool_calls=tuple({name: str(call[name]) for name in TOOL_CALL} for call in attempt.tool_calls),
        embeddings=attempt.embeddings,
        counted=attempt.counted,
        **{name: getattr(attempt, name) for name in COUNTS},
    )


@dataclass(frozen=True, slots=True)
class Recording:
    """Answers by digest."""

    answers: Mapping[str, Recorded]

    def answer(self, digest: str, what: str) -> Recorded:
        """Return the answer to a request; raises `NotRecorded`, which names `what` was asked."""
        found = self.answers.get(digest)
        if found is None:
            raise NotRecorded(
                f"{what} is not recorded: none of {len(self.answers):,} answers has the digest {digest}. A request "
                "that differs in one byte has another digest: record it with the same prompts, values and tenant"
            )
        return found


def first_of(answers: Iterable[Recorded]) -> Recording:
    """Return a recording with the first answer of each digest."""
    found: dict[str, Recorded] = {}
    for one in answers:
        found.setdefault(one.digest, one)
    return Recording(found)


def lines_of(recording: Recording) -> Iterator[str]:
    """Yield a recording as lines."""
    yield json.dumps({HEAD: FORMAT, "answers": len(recording.answers)})
    yield from (one.line() for one in recording.answers.values())


def recording_of(lines: Iterable[str]) -> Recording:
    """Return the recording of lines; raises `UnreadableRecording`."""
    found: dict[str, Recorded] = {}
    wanted: int | None = None
    for number, text in enumerate(lines, 1):
        parsed = _object(text, number)
        if wanted is None:
            wanted = _answers(parsed)
            continue
        one = _recorded(parsed, number)
        if one.digest in found:
            raise UnreadableRecording(f"line {number}: the digest {one.digest} is there twice")
        found[one.digest] = one
    if wanted != len(found):
        told = "it is empty" if wanted is None else f"it has {len(found):,} answers of {wanted:,}: it was cut"
        raise UnreadableRecording(f"{told}; write it again by ./dev ai record")
    return Recording(found)


def recorded_of(line: str) -> Recorded:
    """Return the answer of a line by itself; raises `UnreadableRecording`."""
    return _recorded(_object(line, 1), 1)


def _object(text: str, number: int) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecording(f"line {number} is no JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise UnreadableRecording(f"line {number} is no JSON object")
    return parsed


def _answers(head: Mapping[str, Any]) -> int:
    answers = head.get("answers")
    if head.get(HEAD) != FORMAT or not isinstance(answers, int):
        raise UnreadableRecording(f"line 1 does not begin a recording of format {FORMAT}: {str(dict(head))[:80]}")
    return answers


def _recorded(parsed: Mapping[str, Any], number: int) -> Recorded:
    kinds: dict[str, type] = {
        **dict.fromkeys((*TEXTS, "finish"), str),
        **dict.fromkeys(COUNTS, int),
        **dict.fromkeys(LISTS, list),
        "counted": bool,
    }
    for name, kind in kinds.items():
        value = parsed.get(name)
        if type(value) is not kind or (isinstance(value, int) and value < 0):
            raise UnreadableRecording(f"line {number}: {name} is {str(value)[:40]!r}, and should be of {kind.__name__}")
    if parsed["finish"] not in FINISHES:
        raise UnreadableRecording(f"line {number}: finish is {parsed['finish']!r}, none of {sorted(FINISHES)}")
    try:
        vectors = tuple(base64.b64decode(vector, validate=True) for vector in parsed["embeddings"])
        calls = tuple({name: str(call[name]) for name in TOOL_CALL} for call in parsed["tool_calls"])
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableRecording(f"line {number}: tool_calls or embeddings are of another form: {error}") from None
    plain = {name: parsed[name] for name in kinds if name not in LISTS}
    return Recorded(**plain, tool_calls=calls, embeddings=vectors)
