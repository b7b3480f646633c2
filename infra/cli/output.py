"""What commands print: streams that take whatever is printed, strict JSON, and an end as `cat` has it."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import click

from tradewind.infra.services.ending import Ended

STREAMS = ("stdin", "stdout", "stderr")
WIDE = 10_000
"""Columns of what is no terminal: whoever reads a table from a pipe wants it whole."""


def open_streams() -> None:
    """Have three streams that never fail for a character; one that was closed leads nowhere."""
    for number, name in enumerate(STREAMS):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:  # the next file that is opened must not be taken for it
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def printed() -> Iterator[None]:
    """Print to the end; where nobody reads any more, end as `cat` does, by SIGPIPE and without a word."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError as error:
        if not _unread(sys.stdout):  # it is of a service's connection, and no reason to be silent
            raise ConnectionError(f"a service has closed its connection: {error}") from error
        discard()
        raise Ended(signal.SIGPIPE) from error
    except OSError:
        discard()
        raise


def discard() -> None:
    """Lead standard output nowhere: what it still holds cannot be written."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, 1)
    os.close(handle)


def _unread(stream: TextIO) -> bool:
    """Whether nobody reads a pipe."""
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def say_json(value: Any, indent: int | None = None) -> None:
    """Print a value as strict JSON, in what standard output can hold."""
    from tradewind.connectors.kafka.json_events import strict_json  # noqa: PLC0415 - help comes at once

    click.echo(strict_json(value, indent=indent, encoding=sys.stdout.encoding))


def aligned(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> str:
    """Return rows of cells as lines, each column as wide as its widest cell, those numbered in `right` to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
