"""One client's place in a channel of account events: what it gets next, and the token by which it goes on elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final

from tradewind.connectors.gateway.stream.feed import EventChannel, Feed, Filter, Offsets

BATCH: Final = 500
"""Records that are looked at before others get their turn."""
Token = Callable[[Offsets], str]
"""Returns the text that stands for a place."""


class FellBehind(Exception):
    """Records that the client has not taken are kept no more."""


class Delivery:
    """What one client gets of a channel, from a place on. Each record is given once, each partition in order."""

    def __init__(self, channel: EventChannel, feed: Feed, wanted: Filter, token: Token) -> None:
        self.channel, self.wanted = channel, wanted
        self._feed, self._token = feed, token
        self._at: dict[int, int] = {}
        self._cursor = 0
        self._number = 0
        self._moved = False

    @property
    def at(self) -> str:
        """The token of where it stands."""
        return self._token(self._at)

    def place(self, offsets: Offsets) -> None:
        """Go on with these offsets, or with the oldest records that are kept behind them."""
        self._at = {partition: offsets.get(partition, 0) for partition in self._feed.next}
        self._cursor = self._feed.begin

    def frames(self) -> Iterator[bytes]:
        """Yield the frames of the next records, up to a batch of them; raises `FellBehind`."""
        if self.lost:
            raise FellBehind
        stop = min(self._feed.end, self._cursor + BATCH)
        while self._cursor < stop:
            line = self._feed.line(self._cursor)
            self._cursor += 1
            if line.offset < self._at.get(line.partition, 0):
                continue
            self._at[line.partition] = line.offset + 1
            self._moved = True
            if self.wanted(line):
                self._number += 1
                self._moved = False
                symbol = f',"symbol":{json.dumps(line.symbol)}' if line.symbol else ""
                yield (
                    (
                        f'{{"op":"update","channel":"{self.channel}"{symbol},"n":{self._number},"at":"{self.at}","data":'
                    ).encode()
                    + self._feed.data(self._cursor - 1)
                    + b"}"
                )

    @property
    def lost(self) -> bool:
        """Whether records that were not given are kept no more."""
        return self._cursor < self._feed.begin

    @property
    def more(self) -> bool:
        """Whether there are further records."""
        return self._cursor < self._feed.end

    def snapshot(self, data: bytes) -> bytes:
        """Return the first frame; `data` is JSON."""
        return f'{{"op":"snapshot","channel":"{self.channel}","n":0,"at":"{self.at}","data":'.encode() + data + b"}"

    def mark(self) -> bytes | None:
        """Return a frame that says where it stands, if records have passed that were not for this client."""
        if not self._moved:
            return None
        self._moved = False
        return self.standing()

    def standing(self) -> bytes:
        """Return a frame that says where it stands."""
        return f'{{"op":"at","channel":"{self.channel}","at":"{self.at}"}}'.encode()
