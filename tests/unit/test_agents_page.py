"""The agent that the documentation declares runs, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tradewind.streams.runtime import Agent

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_every_example_of_the_page_runs_one_after_the_other() -> None:
    """Its function gives alerts in memory; `main` is run on Kafka by the integration tests."""
    names: dict[str, Any] = {"__name__": "example"}
    for block in BLOCKS:
        exec(compile(block, PAGE.name, "exec"), names)
    assert [alert.code for alert in names["alerts"]] == ["REGRET"] * len(names["alerts"])
    assert callable(names["main"])


def test_the_table_of_fields_is_the_declaration() -> None:
    """Each field of an agent is on the page, and no other; so that it has neither `guarantee` nor `state`."""
    table = PAGE.read_text("utf-8").partition("| field |")[2].partition("\n\n")[0]
    shown = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert shown == set(Agent.__dataclass_fields__)
