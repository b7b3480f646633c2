"""`tradewind dlq skip`: have an agent pass over a record that stops it, and show what it is to pass over."""

from __future__ import annotations

import getpass
import platform
from contextlib import closing
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from tradewind.connectors.clock.wall import clock_us
from tradewind.infra.cli.output import say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tradewind.connectors.settings import Settings
    from tradewind.schemas.codec import Codec
    from tradewind.schemas.runtime import Skip
    from tradewind.streams.runtime import Agent
    from tradewind.streams.runtime.read.records import LogRecord

SHOWN_CHARS = 400  # of a record's value, so that it fits a screen beside the question
WHEN = (
    "{agent} reads the skip when it next restores the task: at the start of a worker that the record has stopped, or, "
    "if the worker runs, at its next start or when partitions move"
)


@click.command()
@click.argument("name", metavar="AGENT")
@click.argument("topic", metavar="TOPIC")
@click.argument("partition", type=click.IntRange(min=0), metavar="PARTITION")
@click.argument("offset", type=click.IntRange(min=0), metavar="OFFSET")
@click.option("--reason", default="", metavar="TEXT", help="The reason, which the dead letter carries.")
@click.option("--undo", is_flag=True, help="Cancel a skip that the agent has not reached yet.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_errors
def skip(name: str, topic: str, partition: int, offset: int, *, reason: str, undo: bool, yes: bool) -> None:
    """Make AGENT skip the record at OFFSET, which stops it by a bug. The record becomes a dead letter.

    TOPIC is an input of the agent, or its redrive topic. The last message of the agent names all arguments. Redrive
    the letter once the bug is repaired.
    """
    from tradewind.connectors.dead_letters.skips import REASON_CHARS, key_of_skip, open_skips, write_skip  # noqa: PLC0415
    from tradewind.connectors.kafka.admin import require  # noqa: PLC0415
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.streams.runtime.agent import skips_topic  # noqa: PLC0415

    settings = Settings()
    agent = agent_named(name, settings)
    check_place(agent, topic, partition)
    if len(reason) > REASON_CHARS or not reason.isprintable():
        raise click.UsageError(f"a reason is one line of up to {REASON_CHARS} characters")
    told = skips_topic(agent)
    require(settings, told)
    codec = open_codec(settings)
    key, known = key_of_skip(topic, partition, offset), open_skips(settings, told, codec)
    place = f"{topic}/{partition}@{offset}"
    if undo:
        if key not in known:
            raise click.ClickException(
                f"{agent.name} has no skip of {place}; `tradewind dlq skips {name}` lists its skips"
            )
        check_ahead(settings, agent, topic, partition, offset)
        write_skip(settings, told, key, None)
        click.echo(f"the skip of {place} by {agent.name} is cancelled, but a running worker may have read it already")
        return
    if key in known:
        click.echo(f"{known[key].said_by} has already asked for the skip of {place}; {WHEN.format(agent=name)}")
        return
    check_ahead(settings, agent, topic, partition, offset)
    record = record_at(settings, topic, partition, offset)
    click.echo(f"{place}, key {_text(record.key)}:\n  {_value(record.value, codec)}")
    if not yes:
        click.confirm(f"make {agent.name} skip this record, without processing it?", abort=True)
    made = skip_of(agent.name, (topic, partition), record, reason)
    write_skip(settings, told, key, codec.encode(made))
    if committed(settings, agent, topic, partition) > offset:
        write_skip(settings, told, key, None)
        raise click.ClickException(f"{agent.name} has passed {place} meanwhile: there is nothing to skip")
    click.echo(f"the skip is stored; {WHEN.format(agent=agent.name)}")
    for down in _down(settings, agent.name):
        click.echo(f"{down} stays down: start it again with ./dev retry {down}")


@click.command()
@click.argument("names", nargs=-1, metavar="[AGENT]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one skip a line.")
@plain_errors
def skips(names: tuple[str, ...], *, as_json: bool) -> None:
    """Show skips that agents have not reached yet. Skipped records are dead letters."""
    from tradewind.connectors.dead_letters.skips import open_skips  # noqa: PLC0415
    from tradewind.connectors.kafka.admin import require  # noqa: PLC0415
    from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.streams.agents import agents as every_agent  # noqa: PLC0415
    from tradewind.streams.runtime.agent import skips_topic  # noqa: PLC0415

    settings = Settings()
    agents = [agent_named(name, settings) for name in dict.fromkeys(names or every_agent())]
    codec = open_codec(settings)
    found: list[Skip] = []
    for agent in agents:
        topic = skips_topic(agent)
        require(settings, topic)
        found += open_skips(settings, topic, codec).values()
    for one in found:
        said = {"by": one.said_by, "at": time_to_json(one.ts_skip), "reason": one.reason}
        place = {"agent": one.agent, "topic": one.topic, "partition": one.partition, "offset": one.offset}
        if as_json:
            say_json({**place, **said})
        else:
            why = f": {one.reason}" if one.reason else ""
            click.echo(f"{one.agent}  {one.topic}/{one.partition}@{one.offset}  by {said['by']} at {said['at']}{why}")
    if not found and not as_json:
        click.echo(f"no skips for {', '.join(agent.name for agent in agents)}")


def agent_named(name: str, settings: Settings) -> Agent:
    """Return an agent; another name is a usage error that says which ones are near."""
    from tradewind.streams.agents import agents  # noqa: PLC0415

    known = agents()
    if name not in known:
        raise click.UsageError(f"there is no agent {name!r}; {_near(name, known)}")
    return known[name].declare(settings)


def check_place(agent: Agent, topic: str, partition: int) -> None:
    """Raise a usage error where a partition is none that the agent reads."""
    from tradewind.streams.runtime.agent import redrive_topic  # noqa: PLC0415

    inputs = [each.name for each in (*agent.inputs, redrive_topic(agent))]
    if topic not in inputs:
        raise click.UsageError(f"{agent.name} does not read {topic!r}; {_near(topic, inputs)}")
    if partition >= agent.partitions:
        raise click.UsageError(f"{topic} has partitions 0 to {agent.partitions - 1}, not {partition}")


def check_ahead(settings: Settings, agent: Agent, topic: str, partition: int, offset: int) -> None:
    """Raise where an agent is past an offset, or the partition does not have it."""
    from tradewind.connectors.kafka.offsets import Offsets  # noqa: PLC0415

    place, at = f"{topic}/{partition}@{offset}", (settings.physical(topic), partition)
    with closing(Offsets(settings, "read_uncommitted")) as offsets:
        first, end = offsets.bounds([at])[at]
    if offset >= end:
        raise click.ClickException(f"there is no record {place}: the partition ends at {end}")
    if offset < first:
        raise click.ClickException(f"there is no record {place} any more: the partition begins at {first}")
    passed = committed(settings, agent, topic, partition)
    if offset < passed:
        raise click.ClickException(
            f"{agent.name} has passed {place}: its position is {passed}. If the record failed, `tradewind dlq show "
            f"{agent.name} --topic {topic} --partition {partition} --offset {offset}` shows its letter; otherwise it "
            "was processed"
        )


def committed(settings: Settings, agent: Agent, topic: str, partition: int) -> int:
    """Return where an agent goes on in an input; 0 where it has never been."""
    from tradewind.streams.runtime import group_of  # noqa: PLC0415
    from tradewind.streams.runtime.read.positions import GroupPositions  # noqa: PLC0415

    at = (settings.physical(topic), partition)
    with closing(GroupPositions(settings, group_of(agent, settings))) as positions:
        return positions.stable([at], lambda: False)[at] or 0


def record_at(settings: Settings, topic: str, partition: int, offset: int) -> LogRecord:
    """Return the committed record at an offset; raises where a marker or an aborted record is there."""
    from tradewind.streams.replay.reading import PartitionReader  # noqa: PLC0415

    with PartitionReader(settings, (settings.physical(topic), partition), offset) as reader:
        found = next(reader.upto(offset + 1), None)
    if found is None:
        raise click.ClickException(
            f"{topic}/{partition}@{offset} is not a committed record: it is the marker of a transaction, or part of an "
            "aborted one. Agents ignore both"
        )
    return found


def skip_of(agent: str, at: tuple[str, int], record: LogRecord, reason: str) -> Skip:
    """Return the skip of a record, said now by who runs this process."""
    from tradewind.connectors.dead_letters.skips import digest_of_record  # noqa: PLC0415
    from tradewind.schemas.runtime import Skip  # noqa: PLC0415

    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user: a container
        user = "somebody"
    return Skip(
        agent=agent,
        topic=at[0],
        partition=at[1],
        offset=record.offset,
        reason=reason,
        said_by=f"{user}@{platform.node()}",
        ts_skip=clock_us(),
        digest=digest_of_record(record.timestamp, record.key, record.value),
    )


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, 1)
    return (f"did you mean {near[0]}? " if near else "") + f"there are: {', '.join(names)}"


def _down(settings: Settings, agent: str) -> list[str]:
    """Return the workers of an `up` here that run an agent and stay down."""
    from tradewind.infra.up.crew import Phase  # noqa: PLC0415
    from tradewind.infra.up.state import read_state  # noqa: PLC0415
    from tradewind.streams.agents import processes  # noqa: PLC0415

    states, runs = read_state(settings.data.absolute()), processes()
    return [one.name for one in states if one.phase == Phase.FAILED.value and agent in runs.get(one.name, ())]


def _value(value: bytes | None, codec: Codec) -> str:
    from tradewind.connectors.kafka.json_events import event_to_json, strict_json  # noqa: PLC0415

    if value is None:
        return "no value"
    try:
        shown = strict_json(event_to_json(codec.decode(value)))
    except Exception:  # noqa: BLE001 - a record that stops an agent may stop this, too
        shown = f"hex {value.hex()}"
    return shown if len(shown) <= SHOWN_CHARS else f"{shown[:SHOWN_CHARS]}…"


def _text(key: bytes | None) -> str:
    return "none" if key is None else repr(key.decode("utf-8", "backslashreplace"))
