"""What a copy refuses before it has written anything."""

from __future__ import annotations


class CopyRefused(RuntimeError):
    """The copy cannot be made as asked; the message says why, where and what to do."""
