"""What all tasks of an agent share."""

from __future__ import annotations

from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.streams.runtime.agent import Agent, group_of, redrive_topic
from tradewind.streams.runtime.commit.changelog import Changelog
from tradewind.streams.runtime.commit.journal import Journal
from tradewind.streams.runtime.sizes import AS_USUAL, Sizes
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.streams.runtime.work.pieces import Cutter
from tradewind.streams.runtime.work.routing import Router
from tradewind.streams.runtime.work.skips import Skips


class AgentWork:
    """What all tasks of an agent share: its declaration, and how its records are read and written."""

    def __init__(
        self,
        agent: Agent,
        settings: Settings,
        codec: Codec,
        changelog: Changelog | None = None,
        skips: Skips | None = None,
        *,
        timings: Timings = USUAL,
        sizes: Sizes = AS_USUAL,
    ) -> None:
        """Read changelog and skips on Kafka, unless others are given."""
        self.agent = agent
        self.timings, self.sizes = timings, sizes
        self.group = group_of(agent, settings)
        self.codec = codec
        self.cutter = Cutter(codec, sizes.row_records)
        self.router = Router(agent, settings, codec)
        self.changelog = changelog or Changelog(agent, settings, codec, timings)
        self.skips = skips or Skips(agent, settings, codec, timings)
        self.journal = Journal(agent, settings, codec, sizes)
        self.redrive = redrive_topic(agent)
        self.names = {topic.name: settings.physical(topic) for topic in (*agent.inputs, self.redrive)}
        """Name of an input -> its name on the cluster; the redrive topic, which the declaration does not name, too."""
        self.order = agent.reading_order()
