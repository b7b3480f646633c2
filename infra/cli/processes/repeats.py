"""Lines of a log that repeat: a worker whose broker is gone would write the same warnings many times a second."""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 60.0
"""Between two lines that differ in numbers alone: whoever looks at the log sees within a minute that it goes on."""
KNOWN: Final = 256
"""Kinds of lines that are remembered; the one that has been silent for longest is forgotten first."""
NUMBERS: Final = re.compile(r"\d+")
Line = tuple[str, int, str]
"""Logger, level, and the text without its numbers."""


class Repeats(logging.Filter):
    """Lets a warning or an error pass once in `every_s`, and then says how many like it there were."""

    def __init__(self, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s, self._clock = every_s, clock
        self._known: OrderedDict[Line, tuple[float, int]] = OrderedDict()
        """By line: when it was last written, and how many like it were not."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written; one that ends a silence has the count in its text."""
        if record.levelno < logging.WARNING:
            return True
        text, now = record.getMessage(), self._clock()
        line = (record.name, record.levelno, NUMBERS.sub("0", text))
        written, left_out = self._known.pop(line, (now - self._every_s, 0))
        passes = now - written >= self._every_s
        self._known[line] = (now, 0) if passes else (written, left_out + 1)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        if passes and left_out:
            record.msg, record.args = f"{text} ({left_out} more like this in the last {now - written:.0f} s)", ()
        return passes
