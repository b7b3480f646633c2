"""What bars lead to: calls of the deployments that look at them, and promises."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

from tradewind.processors.market.bar_rows import Read
from tradewind.processors.signals.called import (
    Asked,
    called,
    cause_of,
    failure_of,
    has_failed,
    on_failed,
    on_time,
    quarantined,
    sound,
    viewed,
)
from tradewind.processors.signals.calling import Failed, call, call_ahead
from tradewind.processors.signals.deployed import Deployed, place
from tradewind.processors.signals.memories import Memory
from tradewind.processors.signals.tracked import Moves, Tracked
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.signals import Deployment

ALL: Final = range(2**63 - 1)
"""Every place of a segment."""
Key = tuple[str, str, int]
"""Symbol, venue, and length of bars."""


class _Followed(NamedTuple):
    """The bars of an instrument and a length, while a segment is processed."""

    on: Tracked
    moves: Moves | None
    """None if nobody looks at bars of this length."""
    broken: list[tuple[Deployment, str]]
    called: list[tuple[Deployed, Memory]]
    """Those that look at these bars; some may have failed."""
    places: Container[int]
    """Places of the bars at which something may have to be done for them."""


def on_bars(of: Asked, values: Iterable[Read], stamps: Sequence[int]) -> list[Event]:
    """Return what bars lead to. Of most bars nothing does, so few values of them are looked at here."""
    sent: list[Event] = []
    followed = _Follows(of)
    if any(one.many for one in of.deployments.all[0]):
        values = [*values]
        _look_ahead(of, values, followed)
    for index, (symbol, venue, interval_s, ts_event, reached, mid_close) in enumerate(values):
        bars = followed[symbol, venue, interval_s]
        on, moves = bars.on, bars.moves
        on.newest = index
        if ts_event > on.reached:
            on.reached = ts_event - 1  # no bar of the instrument that follows is earlier
        if moves is not None:
            moves.closes.append(mid_close)
            on.moved = moves
        if on.asks:
            sent += sound(on_time(of, on, on.reached, stamps[index]), index)
        if index in bars.places:
            sent += _on_bar(of, bars, index, stamps[index])
        if reached < ts_event:
            continue  # another bar of this time may follow
        if of.beats:
            sent.append(Heartbeat(symbol=symbol, venue=venue, ts_event=reached, ts_ingest=stamps[index]))
        on.reached = max(on.reached, reached)
        if on.asks:
            sent += sound(on_time(of, on, reached, stamps[index]), index)
    return sent


class _Follows(dict[Key, _Followed]):
    """What is followed in a segment, from the first bar of each instrument and length on."""

    def __init__(self, of: Asked) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, key: Key) -> _Followed:
        of, (symbol, venue, interval_s) = self._of, key
        on = of.instruments.of(symbol, venue)
        on.known = on.changed = True
        asked = [one for one in of.deployments.about(symbol) if one.strategy.interval_s == interval_s]
        broken = of.deployments.broken_about(symbol)
        of.failed.update(one.run for one in asked if has_failed(of.state, one))
        made = self[key] = _Followed(
            on,
            of.instruments.moves(on, interval_s) if interval_s in of.lengths else None,
            broken,
            [(one, of.memories.of(one, on)) for one in asked],
            ALL if asked or broken else (),
        )
        return made


def _look_ahead(of: Asked, values: Sequence[Read], followed: _Follows) -> None:
    """Let those that take many bars at once look at theirs, before anything is made of their views.

    If a deployment fails on one instrument, it is called for each bar of every instrument, up to the one that fails.
    """
    places: dict[Key, list[int]] = {}
    for index, value in enumerate(values):
        places.setdefault(value[:3], []).append(index)
    looked: list[tuple[str, Memory]] = []
    unsound: set[str] = set()
    for key, own in places.items():
        for one, memory in followed[key].called:
            if one.many and one.run not in unsound | of.failed:
                looked.append((one.run, memory))
                if not call_ahead(memory, one.strategy, own, of.bar_at):
                    unsound.add(one.run)
    for run, memory in looked:
        if run in unsound:
            memory.reset()
    for key, bars in followed.items():
        followed[key] = bars._replace(places=_places(bars))


def _places(bars: _Followed) -> Container[int]:
    """Return at which bars something has to be done."""
    found: set[int] = set()
    for _, memory in bars.called:
        if memory.ahead is None:
            return ALL
        found.update(memory.ahead)
    return ALL if bars.broken else found


def _on_bar(of: Asked, bars: _Followed, index: int, ts_ingest: int) -> list[Event]:
    sent: list[Event] = []
    on, bar = bars.on, of.bar_at(index)
    for deployment, reason in bars.broken:
        run, cause = f"{place(deployment)}/{deployment.since}/0", cause_of(bar, ts_ingest)
        sent += quarantined(of, run, failure_of(deployment, 0, cause, reason), cause, on.name)
    for one, memory in bars.called:
        if one.run in of.failed:
            continue
        if memory.ahead is not None:
            view = memory.ahead.get(index)
            if view is not None:
                sent += viewed(of, one, view, on, cause_of(bar, ts_ingest))
            continue
        if one.asks:
            asking = partial(call, memory, one.strategy.on_bar, bar)
            sent += called(of, one, on, cause_of(bar, ts_ingest), asking)
            continue
        try:
            view = call(memory, one.strategy.on_bar, bar)
        except Failed as failed:
            sent += on_failed(of, one, on, cause_of(bar, ts_ingest), failed)
        else:
            if view is not None:
                sent += viewed(of, one, view, on, cause_of(bar, ts_ingest))
    return [*sound(sent, index)] if sent else sent
