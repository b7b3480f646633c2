"""Verify agents of `agents.py`, as a process of its own with a hash seed of its own: prints JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from processes.pipeline import environment

from runtime.agents import AGENTS
from runtime.records import offline_codec
from tradewind.connectors.settings import Settings
from tradewind.streams.replay import verify

TESTS = Path(__file__).parents[1]
VERIFY_S = 120


def verified(settings: Settings, name: str, wanted: int | None = None, seed: int = 4711) -> list[dict[str, Any]]:
    """Return what a verification of an agent's tasks says, in a process with a hash seed."""
    done = subprocess.run(
        [sys.executable, "-P", __file__, name, *([] if wanted is None else [str(wanted)])],
        env={**environment(settings), "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        timeout=VERIFY_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def main(name: str, *wanted: str) -> None:
    """Verify every task of an agent, with settings from the environment."""
    assert os.environ["PYTHONHASHSEED"]
    settings, codec, agent = Settings(_env_file=None), offline_codec(), AGENTS[name]
    results = [
        verify(lambda _: agent, settings, codec, partition, *map(int, wanted)) for partition in range(agent.partitions)
    ]
    print(json.dumps([result.to_json() for result in results]))


if __name__ == "__main__":
    main(*sys.argv[1:])
