"""`tradewind dlq`: the dead letters of agents and sinks: count them, read them, send them back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tradewind.infra.cli.dead_letters.skip import skip, skips
from tradewind.infra.cli.output import say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.dead_letters import Owner, Plan, Wanted
    from tradewind.connectors.kafka.consumption import Undecodable
    from tradewind.connectors.settings import Settings
    from tradewind.schemas.codec import Codec

F = TypeVar("F", bound=Callable[..., Any])


class _MomentType(click.ParamType):
    """A time with its zone, as µs."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read what was typed."""
        from tradewind.connectors.kafka.json_events import time_from_json  # noqa: PLC0415 - help comes at once

        try:
            return time_from_json(value)
        except (ValueError, OverflowError) as error:
            self.fail(f"{value!r} is not a time such as 2026-01-31T09:00:00Z ({error})", param, ctx)


def filters(command: F) -> F:
    """Give a command the options that choose letters, as `wanted`."""
    from functools import wraps  # noqa: PLC0415

    @wraps(command)
    def with_wanted(**given: Any) -> Any:
        from tradewind.connectors.dead_letters import Wanted  # noqa: PLC0415

        if given["offset"] is not None and given["partition"] is None:
            raise click.UsageError("--offset needs --partition: every partition has that offset")
        names = ("error", "topic", "reason", "since", "until", "partition", "offset")
        return command(wanted=Wanted(**{name: given.pop(name) for name in names}), **given)

    moment = _MomentType()
    options = (
        click.option(
            "--error",
            type=click.Choice(["UNDECODABLE", "POISON"], case_sensitive=False),
            help="Only letters of this kind.",
        ),
        click.option("--topic", metavar="TOPIC", help="Only records of this topic."),
        click.option("--reason", metavar="TEXT", help="Only reasons that contain this text, in any case."),
        click.option("--since", type=moment, metavar="TIME", help="Only records that arrived then or later."),
        click.option("--until", type=moment, metavar="TIME", help="Only records that arrived earlier."),
        click.option("--partition", type=click.IntRange(min=0), metavar="P", help="Only records of this partition."),
        click.option("--offset", type=click.IntRange(min=0), metavar="N", help="Only the record at this offset."),
    )
    wrapped: Any = with_wanted
    for option in reversed(options):
        wrapped = option(wrapped)
    chosen: F = wrapped
    return chosen


@click.group()
def dlq() -> None:
    """Count, show and send back the records that agents and sinks could not process, or skip one that stops an agent.

    See docs/dead-letters.md.
    """


dlq.add_command(skip)
dlq.add_command(skips)


@dlq.command("list")
@click.argument("names", nargs=-1, metavar="[AGENT]...")
@filters
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plain_errors
def list_letters(names: tuple[str, ...], *, wanted: Wanted, as_json: bool) -> None:
    """Count the dead letters of agents and sinks, by kind of error, topic, reason and attempt."""
    from tradewind.connectors.dead_letters import EVERY, letters, marks, survey, tally  # noqa: PLC0415
    from tradewind.infra.cli.dead_letters.shown import group_to_json, table  # noqa: PLC0415

    told = _Unread()
    settings, codec, owners = _owners(names)
    groups = []
    for owner in owners:
        found = survey(
            (letter for _, letter in letters(settings, owner, codec, told)), marks(settings, owner, codec), wanted
        )
        groups += tally(found)
    if as_json:
        say_json([group_to_json(group) for group in groups])
    elif groups:
        click.echo(table(groups))
    else:
        click.echo(f"no {'' if wanted == EVERY else 'such '}dead letters of {', '.join(one.name for one in owners)}")
    told.end()


@dlq.command()
@click.argument("name", metavar="AGENT")
@filters
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N letters.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one letter a line.")
@plain_errors
def show(name: str, *, wanted: Wanted, limit: int | None, as_json: bool) -> None:
    """Print whole dead letters of AGENT: the value as an event, or in hexadecimal if it is not one."""
    from itertools import islice  # noqa: PLC0415

    from tradewind.connectors.dead_letters import letters, marks  # noqa: PLC0415
    from tradewind.infra.cli.dead_letters.shown import letter_to_json, letter_to_text  # noqa: PLC0415

    told = _Unread()
    settings, codec, (owner,) = _owners([name])
    sent = marks(settings, owner, codec)
    chosen = (pair for pair in letters(settings, owner, codec, told) if wanted.takes(pair[1]))
    none = True
    for record, letter in islice(chosen, limit):
        none = False
        shown = letter_to_json(record, letter, sent.get(letter.event_id), codec)
        if as_json:
            say_json(shown)
        else:
            click.echo(letter_to_text(shown))
    if none:
        raise click.ClickException(_none_of(owner))
    told.end()


@dlq.command()
@click.argument("name", metavar="AGENT")
@filters
@click.option("--again", is_flag=True, help="Also send letters that were sent before.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_errors
def redrive(name: str, *, wanted: Wanted, again: bool, dry_run: bool, yes: bool) -> None:
    """Send dead letters back to AGENT, which processes each as the original record.

    Each letter is sent once, even if the command is killed and run again.
    """
    from tradewind.connectors.dead_letters import letters, marks, plan, send, survey, tally  # noqa: PLC0415
    from tradewind.infra.cli.dead_letters.shown import table  # noqa: PLC0415

    told = _Unread()
    settings, codec, (owner,) = _owners([name])
    if owner.returns is None:
        raise click.ClickException(_sink_advice(owner))
    found = survey(
        (letter for _, letter in letters(settings, owner, codec, told)), marks(settings, owner, codec), wanted
    )
    chosen = plan(found, owner.returns, again=again)
    if not found.entries:
        raise click.ClickException(_none_of(owner))
    for reason in _left_out(chosen):
        click.echo(f"not sent: {reason}", err=True)
    if not chosen.send:
        raise click.ClickException(f"none of the {_letters(len(found.entries))} of {owner.name} can be sent")
    click.echo(table(tally(found, chosen.send.values())))
    count, topic = len(chosen.send), settings.physical(owner.returns.redrive)
    if dry_run:
        click.echo(f"dry run: {count:,} would be sent to {topic}")
        return
    if not yes:
        click.confirm(f"send {_letters(count)} back to {owner.name}, through {topic}?", abort=True)
    done = send(settings, owner, codec, chosen)
    click.echo(f"sent {_letters(done.sent)} to {topic}")
    if done.meanwhile:
        click.echo(f"another command has sent {done.meanwhile:,} of them meanwhile", err=True)
    if done.gone:
        click.echo(f"retention has removed {done.gone:,} of them meanwhile", err=True)
    if not done.sent and not done.meanwhile:
        raise click.ClickException(f"nothing was sent: retention has removed all {_letters(count)}")
    told.end()


def _owners(names: tuple[str, ...] | list[str]) -> tuple[Settings, Codec, list[Owner]]:
    from tradewind.connectors.dead_letters.reading import those_there  # noqa: PLC0415
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.infra.cli.dead_letters.owners import owners_named  # noqa: PLC0415

    settings = Settings()
    owners = those_there(settings, owners_named(names, settings), named=bool(names))
    return settings, open_codec(settings), owners


class _Unread:
    """Tells of records that are no letters; a command that met one ends with code 1, whatever else it did."""

    def __init__(self) -> None:
        self._met = False

    def __call__(self, record: Undecodable) -> None:
        self._met = True
        click.echo(f"no dead letter: {record}", err=True)

    def end(self) -> None:
        """End the command where there was one."""
        if self._met:
            sys.exit(1)


def _letters(count: int) -> str:
    return f"{count:,} letter{'' if count == 1 else 's'}"


def _none_of(owner: Owner) -> str:
    return f"{owner.name} has no matching dead letter; `tradewind dlq list {owner.name}` counts those that it has"


def _left_out(chosen: Plan) -> list[str]:
    reasons = [
        (chosen.redriven, "already redriven (--again sends them once more)"),
        (chosen.failed_again, "failed again after a redrive: only the latest letter of a record is sent"),
        (chosen.cut, "cut, because the value did not fit into the letter: read the record at its origin"),
        (chosen.unread, "of topics or partitions that the agent does not read"),
    ]
    return [f"{count:,} {reason}" for count, reason in reasons if count]


def _sink_advice(owner: Owner) -> str:
    return (
        f"{owner.name} is a sink, and sinks get no letters back. Writing a record twice changes nothing in its store, "
        "so a sink can read its topics again. Repair the cause, stop the sink, set its position back to the first "
        "record that `tradewind dlq show` names, and start the sink (docs/dead-letters.md says how for each store)"
    )
