"""A reserve of disk: really allocated, and given back when space runs out, so that a stop in order has room.

It is in several files. Each one that is deleted also gives back an inode.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tradewind.infra.services.disk import held, reserve

PARTS = 32
"""Files of a reserve."""
PIECE = 1 << 20
"""Bytes written at once."""
BLOCK = 512
"""What `st_blocks` counts in, on every system."""


def take(folder: Path, size: int) -> bool:
    """Reserve `size` bytes on the disk of a folder; return whether all of them are reserved."""
    place = reserve(folder)
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        for number in range(PARTS):
            with (place / str(number)).open("wb") as part:
                _allocate(part.fileno(), -(-size // PARTS))
    except OSError:
        release(folder)  # a part of it would be of little use, and is room for others
        return False
    return True


def whole(folder: Path, size: int) -> bool:
    """Return whether the reserve's files are there with all their bytes; some file systems count blocks later."""
    return sum(part.stat().st_size for part in reserve(folder).glob("*")) >= size


def _allocate(descriptor: int, size: int) -> None:
    """Give a file real blocks; a file system that compresses, or macOS, has them only for bytes that are written."""
    size = max(1, size)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    if os.fstat(descriptor).st_blocks * BLOCK < size:
        at = 0
        while at < size:  # of random bytes: nothing makes these smaller
            at += os.pwrite(descriptor, os.urandom(min(PIECE, size - at)), at)
        os.fsync(descriptor)


def release(folder: Path) -> int:
    """Give the reserve back, and return how many bytes that were."""
    size = held(folder)
    with contextlib.suppress(OSError):
        for part in reserve(folder).glob("*"):
            part.unlink()
        reserve(folder).rmdir()
    return size
