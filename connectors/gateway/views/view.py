"""A view: a thread that looks until it is closed."""

from __future__ import annotations

import threading


class View(threading.Thread):
    """Subclasses give `run`, which ends soon after `_closing` is set."""

    def __init__(self, of: str) -> None:
        super().__init__(name=f"view of {of}", daemon=True)
        self._closing = threading.Event()

    def close(self) -> None:
        """Stop looking; returns after the look in progress."""
        self._closing.set()
        self.join()
