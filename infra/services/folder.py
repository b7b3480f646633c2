"""Whether a folder can be a data folder of this version: checked before anything is written into it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

from tradewind.infra.services.disk import existing
from tradewind.infra.services.service import OtherFormat, UnusableFolder

LONGEST_BYTES = 700
"""PostgreSQL takes paths of 1,023 bytes, and macOS does; Kafka's longest file name below a data folder has 300."""
LONGEST_NAME_BYTES = 255
"""Of one folder, on the file systems of Linux and macOS."""
DELETE = 127
ADVICE = "choose another folder by --data DIR"
FIRST_FORMAT: Final = 1
"""Of data folders that state none: their enums had no `UNKNOWN`, and their registry refuses today's schemas."""
FORMAT: Final = 8
"""Of what a data folder keeps. It rises only where a version cannot read what the one before wrote."""
FORMAT_FILE: Final = "format"
KEPT: Final = ("kafka", "postgres")
"""Folders of the services that keep records and schemas: a data folder without them holds nothing of any format."""


def check_path(data: Path) -> None:
    """Raise `UnusableFolder` where a path has what no server could read; looks at its characters alone."""
    shown = repr(str(data))
    try:
        length = len(str(data).encode())
    except UnicodeEncodeError:
        raise UnusableFolder(f"the path {shown} is not valid UTF-8, which Java's servers need: {ADVICE}") from None
    if any(ord(character) < ord(" ") or ord(character) == DELETE for character in str(data)):
        raise UnusableFolder(f"the path {shown} has a control character, such as a line's end: {ADVICE}")
    if length > LONGEST_BYTES:
        raise UnusableFolder(f"the path {shown} has {length} bytes, and at most {LONGEST_BYTES} are possible: {ADVICE}")
    if any(len(part.encode()) > LONGEST_NAME_BYTES for part in data.parts):
        raise UnusableFolder(f"a name in the path {shown} has more than {LONGEST_NAME_BYTES} bytes: {ADVICE}")


def check_folder(data: Path) -> None:
    """Raise `UnusableFolder` where services could not live in a folder; says why, and what to do."""
    check_path(data)
    shown, advice = repr(str(data)), ADVICE
    try:
        place = existing(data)
    except OSError as error:
        raise UnusableFolder(f"the folder {shown} cannot be looked at ({error.strerror}): {advice}") from error
    if not place.is_dir():
        raise UnusableFolder(f"{str(place)!r} is a file, so that {shown} cannot be a folder: {advice}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UnusableFolder(f"{str(place)!r} cannot be written to by this user: change its rights, or {advice}")


def check_format(data: Path) -> None:
    """Raise `OtherFormat` where a data folder holds what a version with another format wrote; changes nothing."""
    found = _format(data)
    if found in {None, FORMAT}:
        return
    made = "by an earlier version of Tradewind" if found < FORMAT else "by a newer version of Tradewind"
    raise OtherFormat(
        f"the data folder {str(data)!r} was made {made}: its format is {found}, and this version reads {FORMAT} only. "
        f"Nothing was changed. Wipe what it holds by ./dev reset --data {shlex.quote(str(data))}, start it by the "
        f"version that made it, or {ADVICE}"
    )


def note_format(data: Path) -> None:
    """Note this version's format in a data folder that states none; call `check_format` before."""
    path = data / FORMAT_FILE
    if not path.exists():
        draft = path.with_name(f".{FORMAT_FILE}.{os.getpid()}")
        draft.write_text(f"{FORMAT}\n")
        draft.replace(path)


def _format(data: Path) -> int | None:
    """Return the format of what a data folder holds; None where it holds nothing."""
    path = data / FORMAT_FILE
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return FIRST_FORMAT if any(_holds_files(data / name) for name in KEPT) else None
    except ValueError:
        raise OtherFormat(
            f"{path} states no format: it should hold a number. Restore it, or {ADVICE}; nothing was changed"
        ) from None


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
