"""Progress says which run of how many a bench is at, and how long the rest takes; all else goes to a log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tradewind.infra.bench import faults, runtime
from tradewind.infra.bench.parts.progress import Progress, left_s, line

LOUD = """
import os, subprocess, sys
from pathlib import Path
from tradewind.infra.bench.parts.progress import quiet, say
say("before")
with quiet(Path(sys.argv[1])):
    say("run 1 of 2")
    print("a client complains", file=sys.stderr)
    os.write(2, b"a library complains\\n")
    subprocess.run([sys.executable, "-c", "import sys; print('a worker complains', file=sys.stderr)"])
    print("figures")
print("after", file=sys.stderr)
"""


def test_a_run_takes_what_others_of_its_kind_took() -> None:
    """The median of them; else what is known of the kind, else the average of all runs."""
    took, known = {"short": [1.0, 2.0, 90.0], "long": [47.0]}, {"steady": 25.0, "long": 1.0}
    assert left_s(["short", "short"], took, known) == 4.0
    assert left_s(["steady", "long"], took, known) == 25.0 + 47.0
    assert left_s(["new"], took, known) == 35.0
    assert left_s([], took, known) == 0.0


def test_before_anything_is_known_no_time_is_told() -> None:
    """But it is where the plan says how long each run takes."""
    assert left_s(["new", "steady"], {}, {"steady": 25.0}) is None
    assert left_s(["steady"], {}, {"steady": 25.0}) == 25.0
    assert line(1, 9, "faust", 0.2, None) == "run 1 of 9: faust; 0 s so far"
    assert line(3, 9, "faust", 119.4, 400.0) == "run 3 of 9: faust; 119 s so far, about 7 min left"


def test_a_run_that_is_not_planned_is_an_error() -> None:
    """Else the count of runs would be wrong."""
    progress = Progress(["faust"])
    with pytest.raises(ValueError, match="the plan has 'faust' where 'quixstreams' begins"):
        progress.begin("quixstreams")


def test_only_progress_is_shown_and_the_rest_is_in_the_log(tmp_path: Path) -> None:
    """What Python, libraries in C and other processes say; standard output has the figures alone."""
    log = tmp_path / "bench.log"
    done = subprocess.run([sys.executable, "-c", LOUD, str(log)], capture_output=True, text=True, check=True)
    assert done.stdout == "figures\n"
    assert done.stderr == "before\nrun 1 of 2\nafter\n"
    assert sorted(log.read_text().splitlines()) == ["a client complains", "a library complains", "a worker complains"]


def test_the_plan_of_the_runtime_bench_has_what_is_asked_for() -> None:
    """Without peers, and with fewer warm-ups, it is shorter."""
    whole = runtime.plan(runtime.arguments([]), ["", "quiet_"])
    short = runtime.plan(runtime.arguments(["--no-peers", "--runs", "1", "--warm-ups", "0"]), [""])
    assert len(whole) == 2 + 3 * (2 + 3) + 5 + 3 + 1 + 12
    assert len(short) == 1 + 1 + 1 + 1 + 1 + 4
    assert not set(short) & set(runtime.PEERS)


def test_the_fault_suite_tells_how_many_kills_are_left() -> None:
    """At the pace of those that were."""
    assert faults.progress(0, 50, 3.0) == "0 of 50 kills; 3 s so far"
    assert faults.progress(10, 50, 60.0) == "10 of 50 kills; 60 s so far, about 4 min left"
    assert faults.progress(50, 50, 600.0) == "50 of 50 kills; 10 min so far"
