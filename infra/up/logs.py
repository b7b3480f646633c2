"""The logs of services and workers in a data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = "logs"
MOST_BYTES: Final = 256 * 1024
"""Of the end of a log that are read."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a log."""

    lines: tuple[str, ...]
    bytes: int
    """How large the whole log is."""
    whole: bool
    """Whether the lines are all of it."""


def logs_of(data: Path) -> dict[str, Path]:
    """Return the logs of a data folder, by the names of their services and workers."""
    return {path.stem: path for path in sorted((data / FOLDER).glob("*.log"))}


def tail(path: Path, lines: int, most_bytes: int = MOST_BYTES) -> Tail:
    """Return the last lines of a log, of at most so many bytes. Raises `OSError`."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        begin = max(0, size - most_bytes)
        file.seek(begin)
        text = file.read(most_bytes).decode(errors="replace")
    if begin:
        text = text.partition("\n")[2]  # the first line lacks its beginning
    found = text.splitlines()
    return Tail(tuple(found[-lines:]) if lines else (), size, begin == 0 and len(found) <= lines)
