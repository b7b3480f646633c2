"""What a feed says at its end, for the `up` that runs it: whether it published what it was given."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "verdict.json"
"""In the folder in which `up` runs the feed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a feed that ended by itself."""

    well: bool
    """Whether it published what it was given; if not, running it again would end in the same way."""
    text: str


def write_verdict(path: Path | None, verdict: Verdict) -> None:
    """Write it, at once; nothing where nobody asked for it."""
    if path is not None:
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(verdict)), encoding="utf-8")
        draft.replace(path)


def read_verdict(path: Path) -> Verdict | None:
    """Return what the process wrote at its end; None where it was killed, or never came so far."""
    try:
        return Verdict(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
