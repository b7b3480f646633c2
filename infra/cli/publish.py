"""`tradewind publish`: lines of JSON become events on a topic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

import click

from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.schemas.event import Event
    from tradewind.topics import Topic


@click.command()
@click.argument("topic")
@click.argument("file", type=click.File(encoding="utf-8", errors="surrogateescape"), default="-")
@plain_errors
def publish(topic: str, file: TextIO) -> None:
    r"""Publish the events of FILE, one JSON object a line, to TOPIC; - is standard input.

    \b
    Times are ISO 8601 or whole µs, decimals strings or numbers, as `tradewind consume` prints them. `event` names
    the event where a topic carries several. Each 1,000 lines are visible together or not at all; the first line
    that is no event of the topic ends the command.
    """
    from tradewind.connectors.kafka.json_events import NotAnEvent  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.kafka.publication import TRANSACTION_RECORDS  # noqa: PLC0415
    from tradewind.connectors.kafka.publication import publish as publish_events  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.infra.cli.topic_names import find_topic  # noqa: PLC0415

    settings = Settings()
    to = find_topic(topic, settings)
    lines = _Lines(to, file)
    try:
        count = publish_events(to, lines, settings)
    except NotAnEvent as error:
        done = lines.events // TRANSACTION_RECORDS * TRANSACTION_RECORDS
        before = f"the first {done:,} events are published" if done else "nothing was published"
        whole = "" if done == lines.events or not done else f", {lines.events - done:,} more were not"
        raise click.ClickException(f"line {lines.number}: {error}; {before}{whole}") from error
    click.echo(f"published {count:,} events to {to.name}", err=True)


class _Lines:
    """Reads events line by line, and knows where it is."""

    def __init__(self, topic: Topic, file: TextIO) -> None:
        self._topic = topic
        self._file = file
        self.number = 0
        self.events = 0

    def __iter__(self) -> Iterator[Event]:
        from tradewind.connectors.kafka.json_events import parse_event  # noqa: PLC0415

        for line in self._file:
            self.number += 1
            if line.strip():
                event = parse_event(line, self._topic)
                self.events += 1
                yield event
