"""Reasons of dead letters: which are of one kind."""

from __future__ import annotations

import re

KIND_CHARS = 80  # what fits beside the other columns of a terminal; the whole reason is in the letter
NUMBER = re.compile(r"0x[0-9a-f]+|\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b|-?\d+(?:\.\d+)?", re.IGNORECASE)
"""Hexadecimal numbers, ids, and decimal ones: what differs between reasons of one kind."""
SPACE = re.compile(r"\s+")


def kind_of_reason(reason: str) -> str:
    """Return the reason with `#` for its numbers and ids, on one line, and cut."""
    kind = SPACE.sub(" ", NUMBER.sub("#", reason)).strip()
    return kind if len(kind) <= KIND_CHARS else kind[: KIND_CHARS - 1] + "…"
