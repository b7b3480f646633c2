"""How deltas stand in Valkey: one stream for each request, and numbers that no two writers can mix up. Pure.

The id of an entry is `ATTEMPT-NUMBER`, from 1 on. Valkey refuses an id below the last one. So an attempt that was given
up cannot write into its successor, and a number that is missing shows.
"""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.connectors.ai.valkey import Command, tenant_key

TEXT, RESET = b"t", b"r"
"""The one field of an entry: text of the answer, or why the attempt has ended without one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream."""

    attempt: int
    number: int
    text: str
    is_reset: bool = False


def stream_key(namespace: str, tenant_id: str, request_id: str) -> str:
    """Return the key of a request's stream."""
    return tenant_key(namespace, tenant_id, "deltas", request_id)


def added(key: str, entry: Entry, most: int) -> Command:
    """Return the command that adds an entry to a stream of `most` entries or some more."""
    field = RESET if entry.is_reset else TEXT
    return (
        "XADD",
        key,
        "MAXLEN",
        "~",
        most,
        f"{entry.attempt}-{entry.number}",
        field,
        entry.text.encode("utf-8", "replace"),
    )


def entry_of(id_: bytes, fields: list[bytes] | dict[bytes, bytes]) -> Entry:
    """Return an entry as Valkey gives it; raises `ValueError` if it is none."""
    attempt, _, number = id_.decode().partition("-")
    pairs = fields.items() if isinstance(fields, dict) else zip(fields[::2], fields[1::2], strict=True)
    ((field, value),) = pairs
    if field not in {TEXT, RESET}:
        raise ValueError(f"an entry has a field {field!r}")
    return Entry(int(attempt), int(number), value.decode(), field == RESET)


def pieces(text: str, most: int) -> list[str]:
    """Split text into pieces of `most` bytes or less of UTF-8."""
    if len(text) * 4 <= most or len(text.encode("utf-8", "replace")) <= most:
        return [text]
    found, size, begin = [], 0, 0
    for at, character in enumerate(text):
        width = len(character.encode("utf-8", "replace"))
        if size + width > most:
            found.append(text[begin:at])
            begin, size = at, 0
        size += width
    return [*found, text[begin:]]
