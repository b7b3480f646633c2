"""Numeric events as lines of one length, with binary doubles: line protocol version 2, which QuestDB reads since 9.0.

A double is an equals sign, the byte 16, and its 8 bytes, little-endian, behind `name=`. Integers are text, as in
version 1; zeros before the first of them fill up what a shorter tag leaves, so that a batch's lines lie in one array.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.connectors.sinks.line_protocol import CONTROL, SUFFIX, Layout, escape_tag, refuse_control_characters

VERSION = 2
DOUBLE = b"=\x10"
HEAD_BYTES = 256  # of table and tags; a line of a tick has some 200 in all
DIGITS = 4  # written at a time
POWER = 10**DIGITS
FOUR = np.frombuffer(b"".join(b"%04d" % number for number in range(POWER)), "<u4")
"""(10000,) the digits of each number, as one word."""
Integers = npt.NDArray[np.int64]


def is_numeric(layout: Layout) -> bool:
    """Return whether a layout begins with an integer, and has no strings."""
    return layout.fields[0].kind == "long" and all(one.kind != "string" for one in layout.fields)


def binary_lines(frame: pl.DataFrame, table: str, layout: Layout) -> bytes | None:
    """Return a line for each row, of a layout that `is_numeric`; None where text must show what is wrong with one.

    That is where an integer is negative or a double infinite, which QuestDB would keep; and where tags are so long that
    lines of one length would be mostly zeros. A null double is NaN, which it keeps as null. Raises `PoisonBatch` as
    `lines` does.
    """
    whole = (layout.time, *(one.name for one in layout.fields if one.kind != "double"))
    integers: dict[str, Integers] = {name: frame[name].cast(pl.Int64).to_numpy() for name in whole}
    doubles = {one.name: frame[one.name].cast(pl.Float64).to_numpy() for one in layout.fields if one.kind == "double"}
    if not frame.height:
        return b""
    if any(values.min() < 0 for values in integers.values()) or any(np.isinf(one).any() for one in doubles.values()):
        return None
    heads, codes = _instruments(frame, table, layout)
    longest = max(map(len, heads))
    if longest > HEAD_BYTES:
        return None
    line = _line(layout, longest, integers)
    begun = [np.frombuffer(head.ljust(line.head, b"0") + line.body, np.uint8) for head in heads]
    lines = np.take(begun, codes, axis=0)
    rows = lines.view(line.dtype)[:, 0]
    for name, values in integers.items():
        for word, digits in zip(reversed(line.words[name]), _from_the_right(values), strict=False):
            rows[word] = digits
    for name, numbers in doubles.items():
        rows[name] = numbers
    return lines.tobytes()


def _instruments(frame: pl.DataFrame, table: str, layout: Layout) -> tuple[list[bytes], npt.NDArray[np.uint32]]:
    """Return how lines begin, up to the first digit, for each distinct set of tags, and (n,) which one a row has."""
    tags = list(layout.tags)
    alone = all((frame[tag] == frame[tag][0]).all() for tag in tags)  # a tenth of what telling many apart takes
    distinct = frame.select(tags).head(1) if alone else frame.select(tags).unique(maintain_order=True)
    if any(re.search(CONTROL, value) for row in distinct.iter_rows() for value in row):
        refuse_control_characters(frame, tags)
    first = f" {layout.fields[0].name}="
    heads = [
        "".join((table, *(f",{tag}={escape_tag(row[tag])}" for tag in tags), first)).encode()
        for row in distinct.iter_rows(named=True)
    ]
    if alone:
        return heads, np.zeros(frame.height, np.uint32)
    known = distinct.with_row_index("code")
    return heads, frame.select(tags).join(known, on=tags, how="left", maintain_order="left")["code"].to_numpy()


@dataclass(slots=True)
class _Line:
    """What all lines of a batch have in common: their bytes behind the head, and where in them numbers stand."""

    head: int
    """Bytes before the body: table and tags, zeros, and no digit of the first integer yet."""
    body: bytes = b""
    words: dict[str, list[str]] = field(default_factory=dict)
    """The words that hold the digits of an integer, four each, the first ones first."""
    _places: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The line as an array's element: a double or four digits each, and nothing of what lies between."""
        names = list(self._places)
        formats, offsets = zip(*self._places.values(), strict=True)
        size = self.head + len(self.body)
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})

    def add_digits(self, name: str, values: Integers) -> None:
        """Leave room for the digits of an integer, as many as its largest value has."""
        count = -(-len(str(values.max())) // DIGITS)
        self.words[name] = [f"{name} {number}" for number in range(count)]
        for word in self.words[name]:
            self._add(word, "<u4", DIGITS)

    def add_double(self, name: str) -> None:
        """Leave room for a double."""
        self.body += DOUBLE
        self._add(name, "<f8", 8)

    def _add(self, name: str, kind: str, size: int) -> None:
        self._places[name] = kind, self.head + len(self.body)
        self.body += bytes(size)


def _line(layout: Layout, head: int, integers: dict[str, Integers]) -> _Line:
    line = _Line(head)
    for number, one in enumerate(layout.fields):
        if number:
            line.body += f",{one.name}=".encode()
        if one.kind == "double":
            line.add_double(one.name)
        else:
            line.add_digits(one.name, integers[one.name])
            line.body += SUFFIX[one.kind].encode()
    line.body += b" "
    line.add_digits(layout.time, integers[layout.time])
    line.body += b"\n"
    return line


def _from_the_right(values: Integers) -> Iterator[npt.NDArray[np.uint32]]:
    """Yield the last four digits of numbers, the four before them, and so on without end."""
    while True:
        rest = values // POWER
        yield FOUR[values - rest * POWER]
        values = rest
