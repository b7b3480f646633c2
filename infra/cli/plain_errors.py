"""Errors of a person's input or environment are said in a sentence; only an error of ours has a traceback."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")

OURS = "tradewind."
SERVICES = {"confluent_kafka": "Kafka", "cimpl": "Kafka", "aiokafka": "Kafka", "asyncpg": "PostgreSQL"}
"""Packages that talk to services -> the service that did not do what was asked."""
ADVICE = {
    errno.EACCES: "let this user have it, or choose another folder by --data DIR",
    errno.EPERM: "let this user have it, or choose another folder by --data DIR",
    errno.EROFS: "choose another folder by --data DIR",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room within the quota",
    errno.ENOTDIR: "a file is in the way of a folder: move it away, or choose another folder by --data DIR",
    errno.EISDIR: "a folder is in the way of a file: move it away",
    errno.EMFILE: "raise the limit of open files: ulimit -n 8192",
    errno.ENAMETOOLONG: "choose a shorter path by --data DIR",
}


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors of feeds, topics and settings into messages; the command ends with code 1."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (click.ClickException, BrokenPipeError):  # the latter is standard output's, and no error
            raise
        except Exception as error:
            said = explained(error)
            if said is None:
                raise
            raise click.ClickException(said) from error

    return told


def explained(error: BaseException) -> str | None:
    """Return what an error says to a person; None where it is an error of ours, whose traceback we need."""
    module = type(error).__module__
    if module.startswith(OURS):
        return str(error)
    service = SERVICES.get(module.partition(".")[0])
    if service is not None:
        return f"{service}: {_of_kafka(error) or error}; see ./dev status and ./dev doctor"
    if module.startswith("sqlite3"):
        return f"cannot read the counts of `status`: {error}; remove status.sqlite3 in the data folder"
    if isinstance(error, UnicodeEncodeError):
        bad = error.object[error.start : error.start + 1]
        return f"{bad!a} in an argument or input is half a character: use UTF-8"
    if isinstance(error, OSError):
        return _of_system(error)
    return None


def _of_kafka(error: BaseException) -> str | None:
    """Return the words of a `KafkaException`, which holds an error with them."""
    inner = error.args[0] if error.args else None
    words = getattr(inner, "str", None)
    return str(words()) if callable(words) else None


def _of_system(error: OSError) -> str:
    """Return what the system refused, where, and what to do."""
    where = "" if error.filename is None else f"{error.filename}: "
    advice = ADVICE.get(error.errno or 0)
    return f"{where}{error.strerror or error}" + (f"; {advice}" if advice else "")
