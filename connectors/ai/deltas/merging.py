"""What a client is shown of an answer: deltas in order, a reset where an attempt broke, and the committed end. Pure.

Whatever is lost on the way, the text after the last reset is the response's, once `Done` has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from tradewind.connectors.ai.deltas.entries import Entry
from tradewind.schemas.ai import AiResponse


@dataclass(frozen=True, slots=True)
class Delta:
    """Further text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Reset:
    """All text so far is void: its attempt did not become the answer."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The committed response. Its `text_sha256` is that of the text since the last reset."""

    response: AiResponse


Shown = Delta | Reset | Done


class Merging:
    """Merges the entries of one request with its response."""

    def __init__(self) -> None:
        self._attempt, self._number = 0, 0
        self._whole = True
        """Whether no number of the attempt is missing."""
        self._digest = sha256()
        self._characters = 0

    def entry(self, entry: Entry) -> list[Shown]:
        """Take an entry, and return what to show."""
        shown: list[Shown] = []
        if entry.attempt < self._attempt:
            return shown
        if entry.attempt > self._attempt:
            shown += self._void("another attempt was made")
            self._attempt, self._number, self._whole = entry.attempt, 0, True
        if entry.number <= self._number:
            return shown
        self._whole &= entry.number == self._number + 1
        self._number = entry.number
        if entry.is_reset:
            self._whole = False
            return shown + self._void(entry.text)
        return shown + self._text(entry.text) if self._whole else shown

    def done(self, response: AiResponse) -> list[Shown]:
        """Take the response, and return what is left to show."""
        before = response.text[: self._characters]
        fits = sha256(before.encode()).digest() == self._digest.digest()
        shown = [] if fits else self._void(response.reason or "the answer is another one")
        return [*shown, *self._text(response.text[self._characters :]), Done(response)]

    def _void(self, reason: str) -> list[Shown]:
        if not self._characters:
            return []
        self._digest, self._characters = sha256(), 0
        return [Reset(reason)]

    def _text(self, text: str) -> list[Shown]:
        if not text:
            return []
        self._digest.update(text.encode())
        self._characters += len(text)
        return [Delta(text)]
