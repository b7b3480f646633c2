"""`tradewind replay TOPIC... --into NAMESPACE`: copy a slice of topics, compare it, or remove the namespace."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from threading import Event
from typing import TYPE_CHECKING, Literal

import click

from tradewind.infra.cli.output import aligned, say_json
from tradewind.infra.services.ending import stop_on_signals

if TYPE_CHECKING:
    from tradewind.connectors.copying.comparison import Compared
    from tradewind.connectors.copying.copy import Copied
    from tradewind.connectors.copying.slice import Slice
    from tradewind.connectors.copying.source import Source
    from tradewind.connectors.settings import Settings
    from tradewind.topics import Topic

NAMESPACE = re.compile(r"^[a-z0-9][a-z0-9_-]*\.?$")
TELL_S = 1.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed."""

    topics: tuple[str, ...]
    into: str
    start: str | None
    stop: str | None
    by: Literal["event", "ingest"]
    speed: float | None
    source: str
    as_json: bool


def target(settings: Settings, namespace: str) -> Settings:
    """Return settings of another namespace of the same cluster."""
    if not NAMESPACE.match(namespace):
        raise click.UsageError(f"--into {namespace!r}: write small letters, digits, - and _, such as bt1")
    name = namespace.removesuffix(".") + "."
    if name == settings.namespace:
        raise click.UsageError(f"--into {namespace} is the namespace of these settings: a copy needs one of its own")
    return settings.model_copy(update={"namespace": name})


def copy(wanted: Wanted) -> None:
    """Copy, and say what was copied; exits 1 if it was stopped."""
    from tradewind.connectors.copying.copy import Copying  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    into = target(settings, wanted.into)
    of = _slice(wanted)
    stop = Event()
    stop_on_signals(stop)
    with source_of(wanted.source, settings, of.topics) as source:
        done = Copying(source, of, into, open_codec(settings), wanted.speed).run(stop, Progress())
    say_copied(done, into.namespace, as_json=wanted.as_json)


def say_copied(done: Copied, namespace: str, *, as_json: bool) -> None:
    """Say what was copied; exit 1 if the copy was stopped."""
    if as_json:
        say_json({"into": namespace, **asdict(done)})
    else:
        for topic, count in sorted(done.topics.items()):
            click.echo(f"{namespace}{topic}: {count:,} records")
        state = "finished" if done.finished else "stopped; run it again to go on"
        more = " after those of an earlier run" if done.resumed else ""
        click.echo(f"{done.count:,} records copied{more}; {state}")
    sys.exit(0 if done.finished else 1)


def compare(wanted: Wanted) -> None:
    """Compare, and list what differs by topic; exits 1 if anything does, or if nothing could be compared."""
    from tradewind.connectors.copying.comparison import Comparing  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.copying.source import KafkaSource  # noqa: PLC0415
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    settings = Settings()
    into = target(settings, wanted.into)
    of = _slice(wanted)
    with source_of(wanted.source, settings, of.topics) as source, KafkaSource(into, of.topics) as other:
        found = list(Comparing(source, other, of, open_codec(settings)).topics())
    same = alike(found)
    if wanted.as_json:
        topics = [{**asdict(one), "first": None if one.first is None else str(one.first)} for one in found]
        say_json({"into": into.namespace, "same": same, "topics": topics}, indent=2)
    else:
        rows = [
            (one.topic, f"{one.equal:,}", f"{one.missing:,}", f"{one.extra:,}", f"{one.different:,}") for one in found
        ]
        click.echo(aligned([("topic", "equal", "missing", "extra", "different"), *rows], right={1, 2, 3, 4}))
        for one in found:
            if one.first is not None:
                click.echo(f"first difference: {one.first}")
        if not same and all(one.same for one in found):
            click.echo("nothing was compared: neither side has a record of the slice", err=True)
    sys.exit(0 if same else 1)


def alike(found: Sequence[Compared]) -> bool:
    """Whether something was compared, and nothing differs."""
    return any(one.equal for one in found) and all(one.same for one in found)


def drop(namespace: str, *, yes: bool) -> None:
    """Remove a namespace, after asking."""
    from tradewind.connectors.copying.dropping import contents  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.copying.dropping import drop as remove  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415

    into = target(Settings(), namespace)
    found = contents(into)
    if not found.topics and not found.groups:
        click.echo(f"there is nothing in the namespace {into.namespace}")
        return
    said = f"{len(found.topics)} topics and {len(found.groups)} groups of the namespace {into.namespace}"
    if not yes:
        click.confirm(f"remove {said}: {', '.join(found.topics[:4])}...?", abort=True)
    remove(into, found)
    click.echo(f"removed {said}")


def source_of(name: str, settings: Settings, topics: tuple[Topic, ...]) -> Source:
    """Return what a copy reads from."""
    from tradewind.connectors.copying.source import ArchiveSource, KafkaSource  # noqa: PLC0415 - help comes at once

    return KafkaSource(settings, topics) if name == "kafka" else ArchiveSource(settings, topics)


def _slice(wanted: Wanted) -> Slice:
    from tradewind.connectors.copying.slice import Slice  # noqa: PLC0415 - help comes at once
    from tradewind.topics import DOMAIN_TOPICS, topic_named  # noqa: PLC0415

    topics = tuple(topic_named(name, DOMAIN_TOPICS) for name in dict.fromkeys(wanted.topics))
    compacted = [topic.name for topic in topics if topic.cleanup != "delete"]
    if compacted:
        raise click.UsageError(f"{compacted[0]} is compacted: it has no history to copy; agents make it again")
    start, stop = _moment(wanted.start, "--from"), _moment(wanted.stop, "--to")
    if start is not None and stop is not None and start >= stop:
        raise click.UsageError("--from is not before --to")
    return Slice(topics, start, stop, wanted.by)


def _moment(given: str | None, name: str) -> int | None:
    from tradewind.connectors.kafka.json_events import time_from_json  # noqa: PLC0415 - help comes at once

    if given is None:
        return None
    text = f"{given}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", given) else given
    try:
        return time_from_json(text)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"{name} {given!r} is no time such as 2026-01-31T09:00:00Z ({error})") from None


class Progress:
    """Prints how far a copy is, once a second."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, done: Copied) -> None:
        """Take what was copied so far."""
        from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415 - help comes at once

        now = time.monotonic()
        if now - self._told >= TELL_S and done.reached is not None:
            self._told = now
            click.echo(f"{done.count:,} records, {time_to_json(done.reached)}", err=True)
