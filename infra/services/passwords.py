"""Passwords of the embedded services: generated once for a data folder, and kept there for its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

LENGTH_BYTES = 24
"""192 bits from the system's generator; URL-safe, so that no service needs it quoted."""


def password(data: Path, name: str) -> str:
    """Return the password of a service, generating it at its first use. `passwords/<name>` has mode 0600."""
    folder = data / "passwords"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(LENGTH_BYTES))
    return path.read_text()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, at once: a reader sees the old text or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
