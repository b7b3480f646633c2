"""The fault suite, in its short form: kills of workers and brokers, joins, leaves, a freeze, a time-out, an expiry."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

KILLS = 10
SEED = 1
RATE = 500  # events a second: what three brokers, two agents and whatever else runs leave two cores time for
KINDS = (
    "killed a worker",
    "added a worker",
    "stopped a worker",
    "froze a worker between its offsets and its commit",
    "let a transaction time out",
    "killed a broker",
    "stopped a broker for a while",
    "let the groups' offsets expire",
)


@pytest.mark.timeout(1500)
def test_nothing_is_lost_doubled_or_kept_wrongly_whatever_is_killed() -> None:
    """Three brokers, two exactly-once agents under load, every kind of fault at least once; the bench has 50 kills."""
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "bench", "faults", "--json"]
    done = subprocess.run(
        [*command, "--kills", str(KILLS), "--seed", str(SEED), "--rate", str(RATE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1400,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-20_000:]
    found = {result["name"]: result["value"] for result in json.loads(done.stdout)["results"]}
    assert found["kills"] >= KILLS
    assert [kind for kind in KINDS if found[kind] < 1] == []
    assert found["inputs"] > 10_000
    assert (found["lost"], found["doubled"], found["disordered"], found["state_mismatches"]) == (0, 0, 0, 0)
