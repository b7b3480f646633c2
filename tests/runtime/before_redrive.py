"""`agents.py` as a worker of a version without redrive: it neither reads that input nor writes of it."""

from __future__ import annotations

import sys
from typing import Any

from runtime.agents import main
from tradewind.streams.runtime.read import transport
from tradewind.streams.runtime.work import agent_work

subscribe, share = transport.AgentApp.feed, agent_work.AgentWork.__init__


def feed(self: transport.AgentApp, topic: str, deliver: Any) -> None:
    """Subscribe to the declared inputs alone."""
    if not topic.endswith(".redrive"):
        subscribe(self, topic, deliver)


def inputs_alone(self: agent_work.AgentWork, *args: Any, **more: Any) -> None:
    """Know the declared inputs alone: positions, offsets and changelogs are theirs."""
    share(self, *args, **more)
    del self.names[self.redrive.name]


transport.AgentApp.feed = feed  # type: ignore[method-assign]
agent_work.AgentWork.__init__ = inputs_alone  # type: ignore[method-assign]

if __name__ == "__main__":
    main(sys.argv[1:])
