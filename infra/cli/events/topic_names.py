"""Find a topic that was named on the command line: one of a domain, or what an agent or a sink keeps for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings
    from tradewind.topics import Topic


def find_topic(name: str, settings: Settings) -> Topic:
    """Return the topic of a name; raises `UnknownTopic`."""
    from tradewind.topics import DOMAIN_TOPICS, UnknownTopic, topic_named  # noqa: PLC0415 - help comes at once

    try:
        return topic_named(name, DOMAIN_TOPICS)
    except UnknownTopic:
        from tradewind.infra.cli.processes.prepare import every_topic  # noqa: PLC0415 - imports every agent

        return topic_named(name, every_topic(settings))
