"""The adapter that docs/ai.md shows, installed as the page says, answers a call."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from calls.calling import call

from tradewind.connectors.ai.calls import ENTRY_POINTS, AiCalls, adapter_names
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.calls.kind import Sending
from tradewind.schemas.ai import AiAttempt

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "ai.md").read_text("utf-8")
PART = PAGE.partition("### An adapter of your own")[2].partition("\n## ")[0]
PYTHON, TOML = (re.findall(rf"^```{kind}\n(.*?)^```", PART, re.MULTILINE | re.DOTALL) for kind in ("python", "toml"))
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "desk"
version = "1"
"""


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build the page's package and install it into a folder of the path, by the page's installer."""
    source, target = tmp_path / "source", tmp_path / "site-packages"
    source.mkdir()
    (source / "desk.py").write_text(PYTHON[0])
    (source / "pyproject.toml").write_text(PROJECT + TOML[0])
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation"]
    subprocess.run([*uv, "--python", sys.executable, "--target", str(target), str(source)], check=True, timeout=60)
    monkeypatch.syspath_prepend(target)


@pytest.mark.usefixtures("_installed")
async def test_an_installed_adapter_answers_a_call() -> None:
    """It has ten lines, and no name of ours can be taken."""
    assert len([line for line in PYTHON[0].splitlines() if line.strip()]) <= 10
    assert [point.name for point in entry_points(group=ENTRY_POINTS)] == ["desk"]
    assert adapter_names() >= {"desk", "paper", "gemini"}
    kind = AiCalls(Keys({}))
    attempt = await kind.perform(call(adapter="desk", model="m-1"), Sending())
    await kind.close()
    assert isinstance(attempt, AiAttempt)
    assert (attempt.outcome, attempt.text, attempt.finish) == ("OK", "m-1: calm", "STOP")
    assert (attempt.input_tokens, attempt.output_tokens, attempt.counted) == (9, 4, True)


async def test_an_adapter_that_is_not_installed_is_named() -> None:
    """With those that are."""
    attempt = await AiCalls(Keys({})).perform(call(adapter="desk"), Sending())
    assert isinstance(attempt, AiAttempt)
    assert attempt.outcome == "UNREACHABLE"
    assert "there is no adapter 'desk'; adapters are: anthropic, gemini" in str(attempt.error)
