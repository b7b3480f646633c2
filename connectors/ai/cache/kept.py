"""What is kept: whole answers, under the tenant, the request and the model that gave them. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Self

from tradewind.connectors.ai.answer import Answer, answer_of
from tradewind.processors.ai.json_answers import matches
from tradewind.processors.ai.recording import Recorded, UnreadableRecording, recorded_of
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiCall

WHOLE = frozenset({"STOP", "TOOL_CALLS"})
"""How a whole answer ends; one that `max_tokens` has cut is not kept."""
MOST_BYTES = 256 * 1024
"""Of one answer: larger ones are rare, and would push out hundreds of others."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that may be given again."""

    call_id: str
    """The call that the provider answered."""
    answer: Recorded
    size: int
    """Bytes that it takes as a line; in memory it takes about as many."""

    @classmethod
    def of(cls, call_id: str, answer: Recorded) -> Self:
        """Return it with its size."""
        return cls(call_id, answer, len(cls(call_id, answer, 0).line()))

    def line(self) -> bytes:
        """Return it for a store."""
        return json.dumps({"call_id": self.call_id, "answer": self.answer.line()}).encode()

    def again(self) -> Answer:
        """Return the answer; no tokens are used once more."""
        return replace(answer_of(self.answer), tokens=None)


def key_of(call: AiCall) -> str:
    """Return the key of a call: its tenant, then a digest of the whole request and of who is asked.

    The digest of the request holds the tenant, too.
    """
    return f"{call.tenant_id}/{derive_id('AiKept', call.digest, *asked_of(call))}"


def asked_of(call: AiCall) -> tuple[str, ...]:
    """Return who is asked, and for what kind of answer: a kept answer is of these alone."""
    return (call.kind, call.provider, call.adapter, call.base_url or "", call.model)


def kept_of(call: AiCall, answer: Answer) -> Kept | None:
    """Return what is kept of an answer; None where it is not whole, does not match its schema, or is too large."""
    if answer.outcome != "OK" or answer.finish not in WHOLE:
        return None
    if not answer.tool_calls and not matches(json.loads(call.body).get("json_schema"), answer.text):
        return None
    found = Recorded(
        digest=call.digest,
        provider=call.provider,
        model=answer.model or call.model,
        text=answer.text,
        finish=answer.finish,
        tool_calls=answer.tool_calls,
        embeddings=answer.embeddings,
        counted=False,
    )
    kept = Kept.of(call.call_id, found)
    return kept if kept.size <= MOST_BYTES else None


def read(line: bytes, call: AiCall) -> Kept | None:
    """Return what a store has kept for a call; None where that is another's, or nothing that we wrote."""
    try:
        said: Any = json.loads(line)
        found = Kept(str(said["call_id"]), recorded_of(said["answer"]), len(line))
    except (ValueError, KeyError, TypeError, RecursionError, UnreadableRecording):
        return None
    return found if found.answer.digest == call.digest else None
