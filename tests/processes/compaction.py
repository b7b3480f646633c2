"""Compacts an archive, and kills itself before one of the steps that it does on the disk.

python compaction.py FOLDER TOPIC STEP
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LATER = "2030-01-01"


def stopped_at(step: int, stop: Callable[[], None]) -> Callable[[], None]:
    """Have `stop` called before step number `step`; return what puts the functions back."""
    left = [step]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **how: Any) -> Any:
            if left[0] == 0:
                stop()
            left[0] -= 1
            return real(*given, **how)

        return call

    places = ((Path, "open"), (Path, "rename"), (Path, "unlink"), (os, "fsync"))
    real = [getattr(of, name) for of, name in places]
    for (of, name), one in zip(places, real, strict=True):
        setattr(of, name, counted(one))

    def put_back() -> None:
        for (of, name), one in zip(places, real, strict=True):
            setattr(of, name, one)

    return put_back


if __name__ == "__main__":
    from tradewind.connectors.archive.compaction import compact

    stopped_at(int(sys.argv[3]), lambda: os.kill(os.getpid(), signal.SIGKILL))
    compact(Path(sys.argv[1]), [sys.argv[2]], LATER, lambda _: None)
