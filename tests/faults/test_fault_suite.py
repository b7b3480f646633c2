"""The fault suite, in its short form: kills of workers and brokers, joins, leaves, a freeze, a time-out, an expiry."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

import pytest
from harness.distribution import own_brokers

SHORT = ("--short",)
LONG = [pytest.param(("--kills", "10"), seed, marks=pytest.mark.long) for seed in range(2, 7)]
"""Each of these parts takes some five minutes."""
RATE = 200  # events a second: each transaction has some, and three brokers leave two cores time for other tests
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


@own_brokers
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("form", "seed"), [(SHORT, 1), *LONG], ids=str)
def test_nothing_is_lost_doubled_or_kept_wrongly_whatever_is_killed(
    form: Sequence[str], seed: int, evidence: Callable[[int, Mapping[str, int]], None]
) -> None:
    """Three brokers, two exactly-once agents under load, each kind of fault; the bench has 50 kills."""
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "bench", "faults", "--json"]
    done = subprocess.run(
        [*command, *form, "--seed", str(seed), "--rate", str(RATE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1400,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-20_000:]
    found = {result["name"]: result["value"] for result in json.loads(done.stdout)["results"]}
    assert found["kills"] >= (2 if form == SHORT else int(form[1]))
    assert [kind for kind in KINDS if found[kind] < 1] == []
    assert found["inputs"] > 5_000
    wrong = ("lost", "doubled", "disordered", "state_mismatches")
    assert {name: found[name] for name in wrong} == dict.fromkeys(wrong, 0)
    evidence(seed, {name: int(found[name]) for name in ("kills", "inputs", *wrong)})
