"""What of a record fits a dead letter: a letter that a broker refuses would stop whoever has to write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LETTER_BYTES = 512 * 1024  # of a value: with key and headers a letter stays below what brokers take, 1 MB
KEY_BYTES = 128 * 1024
HEADERS_BYTES = 256 * 1024  # of all of them
HEADER_BYTES = 16  # of each besides its name and value: lengths and branches
REASON_CHARS = 1_000
CUT = "(value cut from "
CUTS = (CUT, "(key cut from ", "(headers cut from ")
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a letter holds of a record."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: str
    """It begins with what is cut, where the record is not whole."""


def fitted(key: bytes | None, value: bytes | None, headers: Headers, reason: str) -> Fitted:
    """Return what a letter has room for; the reason says where something is cut, and is text that can be encoded."""
    cut = []
    if value is not None and len(value) > LETTER_BYTES:
        cut.append(f"{CUTS[0]}{len(value)} bytes)")
        value = value[:LETTER_BYTES]
    if key is not None and len(key) > KEY_BYTES:
        cut.append(f"{CUTS[1]}{len(key)} bytes)")
        key = key[:KEY_BYTES]
    kept = _first_of(headers) if headers else headers
    if len(kept) < len(headers):
        cut.append(f"{CUTS[2]}{len(headers)} to {len(kept)})")
    told = " ".join((*cut, reason)).encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair is no UTF-8
    return Fitted(key, value, kept, told[:REASON_CHARS])


def is_cut(reason: str) -> bool:
    """Return whether a reason says that the letter holds only a part of the record."""
    return reason.startswith(CUTS)


def _first_of(headers: Headers) -> Headers:
    """Return as many of the headers as there is room for."""
    room = HEADERS_BYTES
    for at, (name, value) in enumerate(headers):
        room -= len(name.encode()) + len(value or b"") + HEADER_BYTES
        if room < 0:
            return headers[:at]
    return headers
