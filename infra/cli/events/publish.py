"""`tradewind publish`: lines of JSON become events on a topic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

import click

from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.kafka.ends import Ends
    from tradewind.connectors.settings import Settings
    from tradewind.schemas.event import Event
    from tradewind.topics import Topic


BOM = "\ufeff"  # some programs begin a UTF-8 file with it; it is no part of the JSON


@click.command()
@click.argument("topic")
@click.argument("file", type=click.File(encoding="utf-8", errors="surrogateescape"), default="-")
@click.option("--close", is_flag=True, help="Also publish a closing heartbeat for each instrument.")
@plain_errors
def publish(topic: str, file: TextIO, *, close: bool) -> None:
    """Publish the events of FILE, one JSON object a line, to TOPIC; - is standard input.

    Times are ISO 8601 or whole µs, decimals are strings or numbers, as `tradewind consume` prints them. If a topic
    carries several events, `event` names the event. Each 1,000 lines become visible together or not at all. The
    command stops at the first line that is not an event of the topic, that is not strict JSON (NaN, a duplicate
    key, a number too large for a double), or that has a value out of range.

    The last bars of an instrument stay open until a later tick or heartbeat follows. If nothing else feeds the
    instrument, use --close.
    """
    from tradewind.connectors.kafka.ends import CLOSED  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.kafka.errors import WrongEvent  # noqa: PLC0415
    from tradewind.connectors.kafka.json_events import NotAnEvent  # noqa: PLC0415
    from tradewind.connectors.kafka.publication import TRANSACTION_RECORDS  # noqa: PLC0415
    from tradewind.connectors.kafka.publication import publish as publish_events  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.infra.cli.events.topic_names import find_topic  # noqa: PLC0415

    settings = Settings()
    to = find_topic(topic, settings)
    if close and to.name != CLOSED.name:
        raise click.UsageError(f"--close is only for {CLOSED.name}: {to.name} needs no heartbeats")
    lines = _Lines(to, file, settings)
    try:
        count = publish_events(to, lines, settings)
    except (NotAnEvent, WrongEvent) as error:
        _end(to, lines.published, settings, close=close)
        if isinstance(error, WrongEvent):
            raise click.ClickException(f"line {lines.number}: {error}") from error
        done = lines.events // TRANSACTION_RECORDS * TRANSACTION_RECORDS
        before = f"the first {done:,} events are published" if done else "nothing was published"
        whole = "" if done == lines.events or not done else f", {lines.events - done:,} more were not"
        raise click.ClickException(f"line {lines.number}: {error}; {before}{whole}") from error
    if not count:
        raise click.ClickException(
            f"{file.name} has no events ({lines.number:,} lines, all empty): nothing was published"
        )
    click.echo(f"published {count:,} event{'s' * (count != 1)} to {to.name}", err=True)
    _end(to, lines.ends, settings, close=close)


def _end(topic: Topic, ends: Ends, settings: Settings, *, close: bool) -> None:
    """Publish the closing heartbeats of what was published, or say what stays open without them."""
    from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415
    from tradewind.connectors.kafka.publication import publish as publish_events  # noqa: PLC0415

    if close:
        count = publish_events(topic, ends.closing(), settings)
        click.echo(f"published {count:,} closing heartbeats", err=True)
        return
    if not ends.open:
        return
    (symbol, venue), ts_event = next(iter(ends.open.items()))
    others = f" and of {len(ends.open) - 1:,} other instruments" if len(ends.open) > 1 else ""
    click.echo(
        f"warning: no heartbeat follows the last ticks of {symbol}.{venue} ({time_to_json(ts_event)}){others}. Until a "
        "later tick or a heartbeat follows, their last bars and their orders stay open. A first tick that nothing "
        "follows also holds its partition. Use --close if nobody else feeds these instruments.",
        err=True,
    )


def _unicode(line: str) -> str:
    """Return a line that is text; raises `NotAnEvent` where its bytes are not UTF-8."""
    from tradewind.connectors.kafka.json_events import NotAnEvent  # noqa: PLC0415

    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) - 0xDC00  # as `surrogateescape` reads a byte
        raise NotAnEvent(f"not UTF-8: byte 0x{byte:02x} at character {error.start + 1}") from None
    return line


class _Lines:
    """Reads events line by line, and knows where it is."""

    def __init__(self, topic: Topic, file: TextIO, settings: Settings) -> None:
        from tradewind.connectors.kafka.ends import Ends  # noqa: PLC0415

        self._topic = topic
        self._file = file
        self.number = 0
        self.events = 0
        self.ends = Ends.of(settings)
        self.published = self.ends.copy()
        """The ends of what is published where the command fails: of whole transactions."""

    def __iter__(self) -> Iterator[Event]:
        from tradewind.connectors.kafka.ends import CLOSED  # noqa: PLC0415
        from tradewind.connectors.kafka.json_events import NotAnEvent, parse_event  # noqa: PLC0415
        from tradewind.connectors.kafka.publication import TRANSACTION_RECORDS  # noqa: PLC0415
        from tradewind.schemas.flaws import flaw_of  # noqa: PLC0415

        for line in self._file:
            self.number += 1
            text = line.removeprefix(BOM) if self.number == 1 else line
            if text.strip():
                event = parse_event(_unicode(text), self._topic)
                if (flaw := flaw_of(event)) is not None:
                    raise NotAnEvent(f"{flaw}. Agents would refuse it")
                self.events += 1
                if self._topic.name == CLOSED.name:
                    self.ends.note(event)
                    if self.events % TRANSACTION_RECORDS == 0:
                        self.published = self.ends.copy()
                yield event
