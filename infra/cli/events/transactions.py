"""`tradewind transactions`: what is open on our topics, and the way to end what keeps readers waiting."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.output import say_json
from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.health.brokers import Brokers, Leaders
    from tradewind.connectors.settings import Settings
    from tradewind.processors.health.transactions import OpenTransaction

ANSWER_S = 15.0
"""How long Kafka may take to end a transaction: it writes markers to each partition first."""


@click.group()
def transactions() -> None:
    """List open transactions, and end those that keep readers of committed records waiting."""


@transactions.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the transactions as JSON.")
@plain_errors
def list_transactions(*, as_json: bool) -> None:
    """List the open transactions on our topics: the verdict, age, owner and partitions. Hanging ones come first."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    settings = Settings()
    found, now = asyncio.run(_open(settings)), time.time()
    if as_json:
        say_json([_json(one, now) for one in found])
        return
    for one in found:
        places = ", ".join(f"{topic}/{number}" for topic, number in one.places)
        owner = one.transactional_id or f"producer {one.producer_id}"
        click.echo(f"{one.verdict:8} {one.age_s(now):8.1f} s  {owner}  {places}")
    if not found:
        click.echo("no transaction is open", err=True)


@transactions.command()
@click.argument("transactional_id", metavar="ID")
@plain_errors
def end(transactional_id: str) -> None:
    """End the open transaction of a transactional id, and fence its producer.

    Nothing of the transaction becomes visible. If a worker still has the id, the worker stops, and `up` starts it
    again. `list` shows the ids.
    """
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    settings = Settings()
    asyncio.run(_require_open(settings, transactional_id))
    _take_over(settings, transactional_id)
    click.echo(f"the transaction of {transactional_id} has ended: nothing of it is visible, and its producer is fenced")


@transactions.command()
@click.argument("topic")
@click.argument("partition", type=click.IntRange(0))
@click.option("--producer", type=click.IntRange(0), required=True, help="Id of the producer, as `list` shows it.")
@plain_errors
def abort(topic: str, partition: int, producer: int) -> None:
    """End a transaction on one partition of which no coordinator knows: nothing else will.

    If a coordinator knows the transaction, use `end`.
    """
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once

    settings = Settings()
    asyncio.run(_abort(settings, settings.physical(topic), partition, producer))
    click.echo(f"the transaction of producer {producer} on {topic}/{partition} has ended: nothing of it is visible")


async def _open(settings: Settings) -> tuple[OpenTransaction, ...]:
    from tradewind.connectors.health.brokers import Brokers  # noqa: PLC0415 - help comes at once

    async with Brokers(settings) as brokers:
        return await _seen(settings, brokers, await brokers.leaders())


async def _seen(settings: Settings, brokers: Brokers, leaders: Leaders) -> tuple[OpenTransaction, ...]:
    """Return the open transactions on the topics of this namespace."""
    from tradewind.connectors.kafka.offsets import Offsets  # noqa: PLC0415 - help comes at once

    ours = sorted(of for of in leaders.by_partition if of[0].startswith(settings.namespace))
    stable, written = Offsets(settings), Offsets(settings, "read_uncommitted")
    try:
        last, ends = stable.listed(ours, "latest"), written.listed(ours, "latest")
    finally:
        stable.close()
        written.close()
    behind = [of for of in ours if last[of] < ends[of]]
    return await brokers.transactions(leaders, behind, {topic for topic, _ in ours}, time.time())


async def _require_open(settings: Settings, transactional_id: str) -> None:
    """Raise `ClickException` unless the id has an open transaction: a misspelt one would be created."""
    known = [one.transactional_id for one in await _open(settings)]
    if settings.physical(transactional_id) not in known:
        names = ", ".join(sorted(name.removeprefix(settings.namespace) for name in known if name)) or "nobody"
        raise click.ClickException(f"{transactional_id} has no open transaction; {names} has")


def _take_over(settings: Settings, transactional_id: str) -> None:
    """Become the id's producer: Kafka then aborts what is open, and fences who had the id before."""
    from confluent_kafka import KafkaException, Producer  # noqa: PLC0415 - help comes at once

    from tradewind.connectors.kafka.client import options, stream_error  # noqa: PLC0415

    producer = Producer({**options(settings), "transactional.id": settings.physical(transactional_id)})
    try:
        producer.init_transactions(ANSWER_S)
    except KafkaException as error:
        raise stream_error(error, f"ending the transaction of {transactional_id}", settings) from error


async def _abort(settings: Settings, topic: str, partition: int, producer: int) -> None:
    from tradewind.connectors.health.brokers import Brokers  # noqa: PLC0415 - help comes at once

    async with Brokers(settings) as brokers:
        leaders = await brokers.leaders()
        writing = await brokers.writing(leaders, [(topic, partition)])
        found = next((one for one in writing if one.producer_id == producer), None)
        if found is None:
            raise click.ClickException(
                f"producer {producer} has no open transaction on {topic}/{partition}: see ./dev transactions list"
            )
        owners = {one.producer_id: one.transactional_id for one in await brokers.open_transactions(leaders)}
        if producer in owners:
            name = owners[producer].removeprefix(settings.namespace)
            raise click.ClickException(
                f"the coordinator of {name} knows this transaction: ./dev transactions end {name} ends it everywhere"
            )
        await brokers.abort(leaders, found)


def _json(one: OpenTransaction, now: float) -> dict[str, Any]:
    return {
        "verdict": one.verdict,
        "transactional_id": one.transactional_id,
        "producer_id": str(one.producer_id),
        "state": one.state,
        "age_s": round(one.age_s(now), 1),
        "partitions": [f"{topic}/{number}" for topic, number in one.places],
    }
