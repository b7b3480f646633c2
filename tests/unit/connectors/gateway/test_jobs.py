"""Commands beside the gateway: each runs once at a time, its end is told, and none outlives what it may take."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views import jobs as jobs_module
from tradewind.connectors.gateway.views.jobs import Job, Jobs

WAIT_S = 20.0


def python(arguments: Sequence[str]) -> Sequence[str]:
    """Run the arguments as a program of Python."""
    return (sys.executable, "-S", "-E", "-c", *arguments)


async def ended(jobs: Jobs, name: str) -> Job:
    """Wait for the end of a job."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        running, last = jobs.of(name)
        if running is None and last is not None:
            return last
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} has not ended")


@pytest.mark.parametrize(
    ("program", "success", "state", "result", "said"),
    [
        ("print('{\"a\": 1}')", (0,), "DONE", {"a": 1}, ""),
        ("print('[]'); raise SystemExit(1)", (0, 1), "DONE", [], ""),
        ("import sys; sys.exit('Kafka does not answer')", (0,), "FAILED", None, "Kafka does not answer"),
        ("raise SystemExit(3)", (0,), "FAILED", None, "it ended with status 3"),
        ("print('no json')", (0,), "FAILED", None, "Expecting value"),
        ("print('x' * 10_000)", (0,), "FAILED", None, "it printed more than 1,000 bytes"),
    ],
)
async def test_what_a_command_prints_is_kept(
    program: str, success: tuple[int, ...], state: str, result: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its JSON, or why there is none."""
    monkeypatch.setattr(jobs_module, "OUTPUT_BYTES", 1_000)
    jobs = Jobs(python)
    assert jobs.begin("job", [program], success).state == "RUNNING"
    told = await ended(jobs, "job")
    assert (told.state, told.result) == (state, result)
    assert said in told.said


async def test_one_of_a_name_runs_at_a_time_and_others_are_bounded() -> None:
    """Whoever asks again gets the one that runs; closing ends them all."""
    jobs = Jobs(python)
    first = jobs.begin("first", ["import time; time.sleep(60)"])
    assert jobs.begin("first", ["print(1)"]) is first
    jobs.begin("second", ["import time; time.sleep(60)"])
    with pytest.raises(Problem, match="first, second run, and no more than 2 at once") as told:
        jobs.begin("third", ["print(1)"])
    assert told.value.status == 429
    began = time.monotonic()
    await jobs.close()
    assert time.monotonic() - began < WAIT_S
    assert jobs.of("first")[0] is None


async def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    """Its process is gone, also one that does not end when it is told to."""
    file = tmp_path / "pid"
    program = (
        f"import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    jobs = Jobs(python, run_s=1.5)
    jobs.begin("slow", [program])
    told = await ended(jobs, "slow")
    assert (told.state, told.said) == ("FAILED", "it took longer than 2 s")
    with suppress(FileNotFoundError), pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
