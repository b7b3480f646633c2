"""The services of a bench: embedded, on free ports, in a folder of their own that goes when the bench ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradewind.connectors.settings import Settings
from tradewind.infra.services.stack import Stack


@contextmanager
def services() -> Iterator[Settings]:
    """Start the services, and give the settings that reach them; a bench never measures somebody's own cluster."""
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
        data = Path(folder)
        stack = Stack(data, Settings(data=data, _env_file=None), base_port=None)
        stack.start()
        try:
            yield Settings(data=data, _env_file=None)
        finally:
            stack.stop()
