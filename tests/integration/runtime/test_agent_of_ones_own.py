"""The agent that docs/agents.md declares runs on Kafka, by the code that stands there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from processes.pipeline import environment

from tradewind import Heartbeat, Signal, publish, read
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.settings import Settings
from tradewind.topics import DOMAIN_TOPICS, SIGNALS, TICKS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "agents.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
WAIT_S = 60


async def test_the_agent_of_the_page_runs_on_kafka(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends what it sent in memory, of the same signals and ticks."""
    for name, value in environment(settings).items():
        if name.startswith("TRADEWIND_"):
            monkeypatch.setenv(name, value)
    names: dict[str, Any] = {"__name__": "example"}
    for block in BLOCKS:
        exec(compile(block, PAGE.name, "exec"), names)
    ensure(settings, DOMAIN_TOPICS)
    said = [event for event in names["pipeline"].broker.events(SIGNALS) if isinstance(event, Signal | Heartbeat)]
    publish(SIGNALS, said, settings)
    publish(TICKS, names["ticks"], settings)
    stop = asyncio.Event()
    running = asyncio.ensure_future(names["main"](stop))
    found: list[str] = []
    try:
        async with asyncio.timeout(WAIT_S):
            while len(found) < len(names["alerts"]):
                assert not running.done(), "it has ended"
                await asyncio.sleep(0.5)
                frame = await asyncio.to_thread(read, "notifications.alerts", settings=settings)
                found = frame["message"].to_list() if len(frame) else []
    finally:
        stop.set()
        await running
    assert sorted(found) == sorted(alert.message for alert in names["alerts"])
