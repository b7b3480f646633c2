"""Keep letters on disk while they are put in order: all that an agent has may be more than memory should hold."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import Self


class Spool:
    """Bytes by id, in a file without a name, which is gone when the process is."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="tradewind-letters-")  # noqa: SIM115 - closed by __exit__
        self._where: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def __len__(self) -> int:
        return len(self._where)

    def add(self, name: str, content: bytes) -> None:
        """Keep some bytes under an id that has none yet."""
        self._where[name] = (self._file.seek(0, 2), len(content))
        self._file.write(content)

    def read(self, name: str) -> bytes:
        """Return the bytes of an id; raises `KeyError`."""
        start, length = self._where[name]
        self._file.seek(start)
        return self._file.read(length)
