"""Every Python example of the README runs, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from processes.pipeline import environment

from tradewind import Tick, consume
from tradewind.connectors.feeds.publishing.run import run_feed
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.settings import Settings
from tradewind.topics import DOMAIN_TOPICS

README = Path(__file__).resolve().parents[3] / "README.md"
EXAMPLES = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", README.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def examples(heading: str) -> list[str]:
    """Return the Python code of a section, block by block."""
    return re.findall(r"^```python\n(.*?)^```", EXAMPLES[heading], re.MULTILINE | re.DOTALL)


def run(heading: str) -> dict[str, Any]:
    """Run the blocks of a section one after the other; return the names that they leave."""
    names: dict[str, Any] = {"__name__": "example"}
    blocks = examples(heading)
    assert blocks
    for block in blocks:
        exec(compile(block, f"README.md, {heading}", "exec"), names)
    return names


def test_the_strategy_trades_in_memory() -> None:
    """The strategy and its test are ten lines each, and the test passes."""
    assert run("A strategy of your own")["outcome"].events


async def test_the_feed_is_published_whole(settings: Settings) -> None:
    """The feed gives its 3,600 quotes, once."""
    ensure(settings, DOMAIN_TOPICS)
    feed = run("A feed of your own")["Metronome"]()
    assert run_feed(feed, settings).published == 3_600
    assert run_feed(feed, settings).published == 0
    ticks = [record.event for record in consume("market.ticks", settings=settings)]
    assert sum(isinstance(event, Tick) for event in ticks) == 3_600


async def test_the_consumer_reads(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The consumer runs on the settings of its environment."""
    ensure(settings, DOMAIN_TOPICS)
    for name, value in environment(settings).items():
        if name.startswith("TRADEWIND_"):
            monkeypatch.setenv(name, value)
    assert "bars" in run("A consumer of your own")


def test_every_example_is_run() -> None:
    """A section with Python code has a test above."""
    tested = {"A strategy of your own", "A feed of your own", "A consumer of your own"}
    assert {heading for heading in EXAMPLES if examples(heading)} == tested
