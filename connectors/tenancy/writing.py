"""Writes commands for tenants and deployments, and waits for what comes of one."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing

from confluent_kafka import Message

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.connectors.tenancy.reading import is_seeded
from tradewind.processors.tenancy.seed import commands_of
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.signals import Deployment, DeploymentCommand, DeploymentRefused
from tradewind.schemas.tenancy import Tenant, TenantCommand, TenantRefused
from tradewind.topics import DEPLOYMENT_REFUSALS, DEPLOYMENTS, TENANT_COMMANDS, TENANT_REFUSALS, TENANTS
from tradewind.topics.partitioner import partition_of

Command = TenantCommand | DeploymentCommand
Answer = Tenant | TenantRefused | Deployment | DeploymentRefused
ANSWERS = {
    TenantCommand: (TENANTS, TENANT_REFUSALS),
    DeploymentCommand: (DEPLOYMENTS, DEPLOYMENT_REFUSALS),
}
"""Command -> the topics of which one says what came of it."""


class Unanswered(RuntimeError):
    """No agent has answered a command in time; the message says what to do."""


def seed(settings: Settings, codec: Codec, strategies: Iterable[str]) -> int:
    """Write the tenants of the settings, with a deployment of each strategy in each account, as commands.

    Writes nothing where tenants were written before. Returns how many tenants were.
    """
    if is_seeded(settings, codec):
        return 0
    publish(TENANT_COMMANDS, commands_of(settings.tenants, clock_us(), strategies), settings)
    return len(settings.tenants)


def carry_out(command: Command, settings: Settings, codec: Codec, timeout_s: float) -> Answer:
    """Write a command, and return the tenant, the deployment or the refusal that it leads to.

    Raises `Unanswered` where the agent does not answer within `timeout_s`; the command stays, and is carried out later.
    """
    with ExitStack() as stack:
        answers: list[Generator[list[Message], None, None]] = []
        for topic in ANSWERS[type(command)]:
            partition = partition_of(topic.key(command).encode(), topic.partitions)
            reader = raw_records(settings, settings.physical(topic), [partition], "latest", follow=True)
            answers.append(stack.enter_context(closing(reader)))
            next(reader)  # it stands at the end now: what comes later is read
        publish(TENANT_COMMANDS, [command], settings)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for reader in answers:
                for found in _answers(next(reader), codec):
                    if found.causation_id == command.event_id:
                        return found
    raise Unanswered(
        f"the agent `tenancy` did not answer within {timeout_s:.0f} s. The command stays on its topic: ./dev status "
        f"shows the agent, ./dev tenants show {command.tenant_id} the tenant, ./dev strategies list its deployments"
    )


def _answers(messages: list[Message], codec: Codec) -> Iterator[Answer]:
    for message in messages:
        try:
            event = codec.decode(message.value() or b"")
        except UndecodableRecord:
            continue  # somebody else's
        if isinstance(event, Answer):
            yield event
