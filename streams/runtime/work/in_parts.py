"""Run a segment in parts where it cannot be run whole, until the record that is to blame stands alone.

A processor gives the same for a segment as for its parts one after the other. So a segment that fails is forgotten,
cut in two and run again; what fails alone is poison, or a bug.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from polars.exceptions import ComputeError, InvalidOperationError, PanicException

from tradewind.processors.batch import Columns, PoisonRecord, Segment, UnknownSymbol, part, rows_of
from tradewind.streams.runtime.commit.outbox import Patience
from tradewind.streams.runtime.errors import AgentCrashed, RuntimeStopped
from tradewind.streams.runtime.read.records import Record, Records
from tradewind.streams.runtime.sizes import AS_USUAL

T = TypeVar("T")
OF_VALUES: Final = (ArithmeticError, ValueError, struct.error, ComputeError, InvalidOperationError)
"""What arithmetic and encoding raise for a value that they cannot take: zero divisors, NaN, too many digits, half a
character. `ValueError` has the codec's errors among it, polars' two are the same of a column. All else (`TypeError`,
`LookupError`, `AttributeError`, `AssertionError`, ...) is a bug: the state might depend on it."""


UNKNOWN: Final = -1
_Part = tuple[Segment, Records, int]
"""A part, its records, and how many runs had failed when one failed that the part is the second half of: where no more
have failed when its turn comes, it is this half that does. `UNKNOWN` for others."""


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that cannot be processed, and why."""

    record: Record
    reason: str
    unknown: str | None = None
    """The field whose symbol is not known, where that is why."""


class Bug(Exception):
    """A processor's bug, raised from what the processor raised."""

    def __init__(self, records: Records, what: str) -> None:
        super().__init__(what)
        self.records = records
        """The record that raises it: alone where its parts tell, else all of the segment."""


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """How a segment is run, kept and forgotten."""

    run: Callable[[Segment], T]
    keep: Callable[[], None]
    """Keep what the last run wrote to the state."""
    forget: Callable[[], None]
    """Have the state as it was before the last run."""


def in_parts(attempt: Attempt[T], segment: Segment, records: Records, patience: Patience) -> Iterator[T | Poison]:
    """Yield what a segment's parts give, in order, and the records that are poison; raises `Bug`, and `Impatient`.

    One record of n that raises an error of values costs some log2 n runs of 2 n records in all, n such records cost
    2 n runs. What comes before a record that the processor itself calls poison is one part, what comes after the next.
    """
    waiting: list[_Part] = [(segment, records, UNKNOWN)]
    failures = 0
    while waiting:
        now, of, before = waiting.pop()
        if before == failures and len(of) > 1:  # the whole failed, and its first half has not
            waiting.extend(_halves(now, of, failures))
            continue
        if len(of) < len(records):
            patience.check()
        try:
            made = attempt.run(now)
        except PoisonRecord as poison:
            attempt.forget()
            failures += 1
            yield _name_record(poison, of)
            waiting.extend(_around(poison.index, now, of))
        except OF_VALUES as error:
            attempt.forget()
            failures += 1
            if len(of) == 1:
                yield Poison(of[0], said(error))
            else:
                waiting.extend(_halves(now, of, failures))
        except (Exception, PanicException) as error:
            if isinstance(error, RuntimeStopped) and not isinstance(error, AgentCrashed):
                raise
            raise Bug(_culprit(attempt, now, of, type(error)), said(error)) from error
        else:
            attempt.keep()
            yield made


def said(error: BaseException) -> str:
    """Return what an exception says, with its type; an exception of a processor's own may fail at saying it."""
    try:
        what = str(error)
    except Exception as unsaid:  # noqa: BLE001 - whatever it is, the record is to be named
        what = f"(its text cannot be had: {type(unsaid).__name__})"
    return what if isinstance(error, AgentCrashed) else f"{type(error).__name__}: {what}"


def _name_record(poison: PoisonRecord, of: Records) -> Poison:
    """Return the record that a processor calls poison."""
    at = poison.index
    if not 0 <= at < len(of):
        raise Bug(of, f"poison at {at} of {len(of)} records") from poison
    return Poison(of[at], poison.reason, poison.field if isinstance(poison, UnknownSymbol) else None)


def _around(at: int, segment: Segment, of: Records) -> list[_Part]:
    """Return what comes after a record, and then what comes before it: the last is run first."""
    parts: tuple[_Part, ...] = (
        (part(segment, at + 1, len(of)), of[at + 1 :], UNKNOWN),
        (part(segment, 0, at), of[:at], UNKNOWN),
    )
    return [found for found in parts if found[1]]


def _halves(segment: Segment, of: Records, failures: int) -> list[_Part]:
    """Return the second half of a segment, and then the first; few records go on as rows, whose runs cost less."""
    middle = len(of) // 2
    if isinstance(segment, Columns) and len(of) <= AS_USUAL.row_records:
        segment = rows_of(segment)
    return [
        (part(segment, middle, len(of)), of[middle:], failures),
        (part(segment, 0, middle), of[:middle], UNKNOWN),
    ]


def _culprit(attempt: Attempt[T], segment: Segment, records: Records, kind: type[BaseException]) -> Records:
    """Return the one record that raises a bug again, or all of them where no part does.

    All of the segment is run once more at most. What is kept meanwhile does not matter: nothing of it is committed.
    """
    attempt.forget()
    of = records
    while len(of) > 1:
        middle = len(of) // 2
        first = part(segment, 0, middle)
        if (raised := _try(attempt, first)) is None:
            attempt.keep()
            segment, of = part(segment, middle, len(of)), of[middle:]
        elif isinstance(raised, kind):
            segment, of = first, of[:middle]
        else:
            return records
    return of if isinstance(_try(attempt, segment), kind) else records


def _try(attempt: Attempt[T], segment: Segment) -> BaseException | None:
    """Run a segment, and return what it raised; where it raised nothing, what it wrote is there to be kept."""
    try:
        attempt.run(segment)
    except (Exception, PanicException) as raised:  # noqa: BLE001 - it is looked at
        attempt.forget()
        return raised
    return None
