"""Send chosen dead letters back to their agent: each with its mark in one transaction, so that it is sent once.

Opening the producer ends what a killed command of the same agent left open, and shuts out one that still runs. The
marks are read after that, so that they tell all that was ever sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from tradewind.connectors.clock.wall import clock_ms, clock_us
from tradewind.connectors.dead_letters.owner import Owner
from tradewind.connectors.dead_letters.reading import letters, marks
from tradewind.connectors.dead_letters.spool import Spool
from tradewind.connectors.dead_letters.survey import Plan
from tradewind.connectors.kafka.consumption import Undecodable
from tradewind.connectors.kafka.producer import Run, Transactions
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import US_PER_MS
from tradewind.schemas.runtime import DeadLetter, Redriven

TRANSACTION_LETTERS = 500  # some 20 ms: a command that is killed loses little of its work
TRANSACTION_BYTES = 4 * 1024 * 1024  # of large letters: sent well within the time that a transaction has


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the chosen letters."""

    sent: int
    meanwhile: int
    """Sent by another command since they were chosen."""
    gone: int
    """Removed by the topic's retention since they were chosen."""


def send(settings: Settings, owner: Owner, codec: Codec, chosen: Plan) -> Sent:
    """Send the chosen letters of an agent; raises `StreamError`, and then the same command goes on where this ended.

    They go in the order of their origin. Dead letters lie in another: an agent's partitions share all of its topic.
    """
    assert owner.returns is not None  # a sink has no plan
    with Transactions(settings, settings.physical(f"tradewind.{owner.name}.redrive")) as transactions, Spool() as spool:
        known = marks(settings, owner, codec)
        due = {at for at, times in chosen.times.items() if times == (known[at].times if at in known else 0)}
        filed = _fill(spool, due, settings, owner, codec)
        expired = set() if filed is None else known.keys() - filed
        in_order = sorted((at for at in due if at in spool), key=lambda at: chosen.send[at].origin)
        batch: list[Run] = []
        size = 0
        for event_id in in_order:
            letter = cast("DeadLetter", codec.decode(spool.read(event_id)))
            now_us = clock_us()
            batch += sent_back(settings, owner, codec, letter, chosen.times[event_id], now_us=now_us)
            size += len(letter.value or b"")
            if len(batch) >= 2 * TRANSACTION_LETTERS or size >= TRANSACTION_BYTES:
                transactions.write(batch)
                batch, size = [], 0
        batch += _forget(settings, owner, expired)
        if batch:
            transactions.write(batch)
    return Sent(sent=len(in_order), meanwhile=len(chosen.send) - len(due), gone=len(due) - len(in_order))


def _fill(spool: Spool, due: set[str], settings: Settings, owner: Owner, codec: Codec) -> set[str] | None:
    """Put the letters that are due into the spool, each once; return the ids of all that there are.

    None where one of them cannot be read: a mark without a letter may be its.
    """
    filed: set[str] = set()
    unreadable: list[Undecodable] = []
    for _, letter in letters(settings, owner, codec, unreadable.append):
        if letter.event_id in due and letter.event_id not in filed:
            spool.add(letter.event_id, codec.encode(letter))
        filed.add(letter.event_id)
    return None if unreadable else filed


def sent_back(
    settings: Settings, owner: Owner, codec: Codec, letter: DeadLetter, times: int, *, now_us: int
) -> tuple[Run, Run]:
    """Return the letter, which was sent some `times` before, for the redrive topic, and its mark.

    A letter that was sent before counts those attempts too: if both fail, they are two letters and not one.
    """
    assert owner.returns is not None
    redrive, redriven = owner.returns.redrive, owner.returns.redriven
    tried = replace(letter, attempt=letter.attempt + times)
    mark = Redriven(event_id=letter.event_id, agent=owner.name, times=times + 1, ts_redriven=now_us)
    stamp_ms = letter.ts_ingest // US_PER_MS
    return (
        Run(settings.physical(redrive), letter.partition, redrive.key(tried).encode(), [codec.encode(tried)], stamp_ms),
        Run(settings.physical(redriven), 0, redriven.key(mark).encode(), [codec.encode(mark)], stamp_ms),
    )


def _forget(settings: Settings, owner: Owner, ids: set[str]) -> list[Run]:
    """Return what deletes the marks of letters that are gone themselves: the marks are as many as the letters."""
    assert owner.returns is not None
    now_ms = clock_ms()
    return [Run(settings.physical(owner.returns.redriven), 0, one.encode(), [None], now_ms) for one in sorted(ids)]
