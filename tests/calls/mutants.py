"""Callers, and a broker, that are wrong in one way each: tests show that their histories find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from calls.in_memory import Broker, Caller
from tradewind.connectors.calls import book as book_module
from tradewind.connectors.calls.book import Book, Step, Window
from tradewind.connectors.calls.call import At, Call, Ending
from tradewind.connectors.calls.lease import Lease
from tradewind.connectors.calls.marks import Marks
from tradewind.connectors.kafka.offsets import Place


def resends(self: Book, call: Call) -> bool:
    """Take what is claimed without an attempt for what is not claimed."""
    window = self.windows[call.place]
    if not self.reached(call.place, call.offset) or call.offset >= window.marks.end:
        return False
    window.position = call.offset + 1
    if call.at not in self.flying and call.at not in self._ended and not window.marks.is_done(call.offset):
        marks = window.marks
        window.marks = Marks(marks.floor, marks.claimed & ~(1 << call.offset - marks.floor), marks.done)
        self.turns.add(call)
    return True


def past_a_gap(window: Window, place: Place, claims: Any, endings: Any) -> Marks:
    """Move the floor, and the committed offset with it, behind the highest attempt."""
    marks = AFTER(window, place, claims, endings)
    passed = marks.done.bit_length()
    return Marks(marks.floor + passed, marks.claimed >> passed, 0)


def forgetful(window: Window, place: Place, claims: Any, endings: Any) -> Marks:
    """Commit attempts alone: a claim is known to nobody before its attempt is."""
    return AFTER(window, place, (), endings)


def unfenced(self: Broker, caller: Caller, step: Step) -> bool:
    """Take a claim whatever its lease is."""
    return self.apply(step)


def in_haste(self: Caller, step: Step) -> None:
    """Send what may have been claimed."""
    self.send(self.book.committed(step))


def keeps_all(self: Book) -> None:
    """Keep endings that were found under the lease."""
    ended = dict(self._ended)
    CLOSE(self)
    self._ended = {at: Ending(ending.call, ending.how) for at, ending in ended.items()}


def trusts(self: Book, lease: Lease, marks: Mapping[Place, Marks]) -> None:
    """Take what was in doubt for unsent, although others had the partition since."""
    doubt = self._doubt
    OPEN(self, lease, marks)
    self._unsent = getattr(self, "unsent_", set()) | {call.at for call in (doubt.claims if doubt else ())}
    UNSENT[id(self)] = self._unsent


AFTER, CLOSE, OPEN = book_module._after, Book.close, Book.open
UNSENT: dict[int, set[At]] = {}
MUTANTS: Mapping[str, tuple[object, str, Callable[..., Any]]] = {
    "sends again": (Book, "read", resends),
    "skips the fence": (Broker, "write", unfenced),
    "commits past a gap": (book_module, "_after", past_a_gap),
    "forgets its claims": (book_module, "_after", forgetful),
    "sends what is in doubt": (Caller, "reopen", in_haste),
    "reports without the lease what it found under it": (Book, "close", keeps_all),
    "trusts its doubt under another lease": (Book, "open", trusts),
}
