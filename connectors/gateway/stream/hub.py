"""The last frame of each channel and symbol, and who gets the next one. Frames are encoded once and never queued.

A connection notes which cells have changed and takes their last frames when it can write: what it cannot take in time
is replaced. So a slow client costs one entry for each cell, whatever flows. For the event loop's thread alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, get_args

Channel: TypeAlias = Literal["ticks", "bars", "flow"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
MARKET: tuple[Channel, ...] = ("ticks", "bars")
Key: TypeAlias = tuple[Channel, str]
"""(channel, symbol): the symbol is "" where a channel has none."""
ALL: Final = "*"
"""Stands for every symbol of a channel."""


class Reader(Protocol):
    """Who subscribes."""

    def changed(self, key: Key) -> None:
        """Note that a cell has another frame."""
        ...


@dataclass(slots=True)
class Cell:
    """What was sent last."""

    number: int
    """Runs from 1 on for each cell, so that a reader sees how many frames were replaced."""
    data: bytes


class Hub:
    """All cells of one process."""

    def __init__(self) -> None:
        self._cells: dict[Key, Cell] = {}
        self._readers: defaultdict[Key, set[Reader]] = defaultdict(set)

    def put(self, key: Key, data: bytes) -> None:
        """Replace what a cell holds, and tell those who read it; `data` is JSON."""
        cell = self._cells.get(key)
        if cell is None:
            self._cells[key] = Cell(1, data)
        else:
            cell.number, cell.data = cell.number + 1, data
        for of in (key, (key[0], ALL)):
            for reader in self._readers.get(of, ()):
                reader.changed(key)

    def frame(self, key: Key, kind: Literal["snapshot", "update"]) -> bytes | None:
        """Return what a cell holds as a frame; None while it holds nothing."""
        cell = self._cells.get(key)
        if cell is None:
            return None
        channel, symbol = key
        named = f',"symbol":"{symbol}"' if symbol else ""
        return f'{{"op":"{kind}","channel":"{channel}"{named},"n":{cell.number},"data":'.encode() + cell.data + b"}"

    def data(self, key: Key) -> bytes | None:
        """Return what a cell holds; None while it holds nothing."""
        cell = self._cells.get(key)
        return None if cell is None else cell.data

    def symbols(self, channel: Channel) -> list[str]:
        """Return the symbols of a channel that have a frame."""
        return sorted(symbol for name, symbol in self._cells if name == channel)

    def subscribe(self, reader: Reader, key: Key) -> Iterable[Key]:
        """Tell a reader of changes from now on; returns the cells that it would want to see first."""
        self._readers[key].add(reader)
        channel, symbol = key
        wanted = self.symbols(channel) if symbol == ALL else [symbol]
        return [(channel, name) for name in wanted if (channel, name) in self._cells]

    def unsubscribe(self, reader: Reader, key: Key) -> None:
        """Tell a reader no more."""
        readers = self._readers.get(key)
        if readers is not None:
            readers.discard(reader)
            if not readers:
                del self._readers[key]
