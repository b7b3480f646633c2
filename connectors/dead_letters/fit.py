"""What of a record fits a dead letter: a letter that a broker refuses would stop whoever has to write it."""

from __future__ import annotations

LETTER_BYTES = 512 * 1024  # of a value: with key and headers a letter stays below what brokers take, 1 MB
REASON_CHARS = 1_000
CUT = "(value cut from "


def fitted(value: bytes | None, reason: str) -> tuple[bytes | None, str]:
    """Return the value and the reason that a letter has room for; a reason says where the value is not whole."""
    if value is not None and len(value) > LETTER_BYTES:
        value, reason = value[:LETTER_BYTES], f"{CUT}{len(value)} bytes) {reason}"
    return value, reason[:REASON_CHARS]


def is_cut(reason: str) -> bool:
    """Return whether a reason says that the letter holds only the first part of the value."""
    return reason.startswith(CUT)
