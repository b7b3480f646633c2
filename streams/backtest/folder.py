"""Results in `<data>/backtests/<id>/`, whole or not at all: a folder gets its name when its files are on disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from tradewind.streams.backtest.errors import BacktestError, UnknownResult

FOLDER: Final = "backtests"
SUMMARY: Final = "result.json"
DRAFT: Final = ".draft-"
COPY: Final = ".copy-"
"""Beginnings of the names of folders that a process removes in the end; its number follows."""
SHOWN: Final = 5  # ids that a message names


class NotTheSame(BacktestError):
    """The same backtest gave other bytes than before."""


@contextmanager
def draft(data: Path, kind: str = DRAFT) -> Iterator[Path]:
    """Make a folder for what is being written, and remove it in the end. Removes those of dead processes."""
    root = data / FOLDER
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob(f"{kind}*"):
        number = left.name.removeprefix(kind)
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    folder = root / f"{kind}{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(drafted: Path, result_id: str) -> tuple[Path, bool]:
    """Give a written folder its name; return its path, and whether the same result was there before.

    Raises `NotTheSame` if the result was there with other bytes. Then the earlier one stays.
    """
    final = drafted.parent / result_id
    for path in sorted(drafted.iterdir()):
        _to_disk(path)
    _to_disk(drafted)
    if final.exists():
        differs = next((name for name in _names(final, drafted) if not _equal(final / name, drafted / name)), None)
        if differs is not None:
            raise NotTheSame(
                f"{final / differs} has other bytes than this run, which has the same id: the strategy reads something "
                f"besides its bars and memory, or the file was changed. Move {final} away and run again to see which"
            )
        return final, True
    drafted.rename(final)
    _to_disk(final.parent)
    return final, False


def _names(*folders: Path) -> list[str]:
    return sorted({path.name for folder in folders for path in folder.iterdir()})


def _equal(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def summaries(data: Path) -> list[Mapping[str, Any]]:
    """Return the summaries of all results, the newest last."""
    root = data / FOLDER
    found = [path for path in root.glob(f"*/{SUMMARY}") if not path.parent.name.startswith(".")]
    found.sort(key=lambda path: (path.stat().st_mtime_ns, path.parent.name))
    return [json.loads(path.read_bytes()) for path in found]


def find(data: Path, wanted: str) -> Path:
    """Return the folder of a result by its id, or by the beginning of its id. Raises `UnknownResult`."""
    root = data / FOLDER
    names = sorted(path.parent.name for path in root.glob(f"*/{SUMMARY}") if not path.parent.name.startswith("."))
    found = [name for name in names if name.startswith(wanted)] if wanted else []
    if len(found) == 1:
        return root / found[0]
    if found:
        raise UnknownResult(f"{wanted!r} is the beginning of {len(found)} ids: {', '.join(found[:SHOWN])}")
    raise UnknownResult(f"there is no result {wanted!r} in {root}: ./dev backtest list names those that there are")
