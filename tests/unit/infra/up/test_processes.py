"""`doctor` and `status` tell what processes say of themselves: what stands still, what is held, what only starts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry
from rich.console import Console

from tradewind.connectors.health.names import TOTALS
from tradewind.connectors.health.watch import Glance
from tradewind.connectors.telemetry.health import Health
from tradewind.connectors.telemetry.server import Endpoint
from tradewind.infra.cli.group import tradewind
from tradewind.infra.services.process import started
from tradewind.infra.status import readiness
from tradewind.infra.status.readiness import with_readiness
from tradewind.infra.status.report import Report
from tradewind.infra.status.table import tables
from tradewind.infra.up import processes
from tradewind.infra.up.finding import Finding
from tradewind.infra.up.processes import ask_processes, findings
from tradewind.infra.up.state import FILE, STARTING_S, WorkerState

GROUP = "tradewind.execution"
STANDS = f"{GROUP}: market.ticks, partition 2, stands at 3 for 61 s with 12,048 to read; its first held record waits"
HELD: dict[str, object] = {
    "group": GROUP,
    "topic": "market.ticks",
    "partition": 2,
    "instrument": "KS.T",
    "ts_event": "2026-01-30T22:00:00.000000Z",
    "until": "risk.decisions",
    "reached": None,
    "seconds": 61.0,
    "records": 12_048,
    "through": "",
    "behind": [],
}
EMPTY = Glance(dict.fromkeys(TOTALS, 0), dict.fromkeys(TOTALS, 0.0), (), (), 0)


class Process:
    """A process of `up` that runs, as a test has it: it is this one."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data, self.health = data, Health()
        self._age_s, self._monkeypatch = 3600.0, monkeypatch
        self.endpoint = Endpoint("127.0.0.1", 0, CollectorRegistry(), self.health)
        (data / "run").mkdir()
        (data / "run" / "execution.json").write_text(
            json.dumps({"pid": os.getpid(), "started": started(os.getpid()), "stop_signal": 15})
        )
        state = {"name": "execution", "phase": "running", "pid": os.getpid(), "deaths": 0, "log": "execution.log"}
        workers = [{**state, "url": self.endpoint.url}]
        (data / FILE).write_text(json.dumps({"supervisor": os.getpid(), "workers": workers}))
        self.is_old(3600.0)

    def is_old(self, seconds: float) -> None:
        self._monkeypatch.setattr(readiness, "_age_s", lambda pid: seconds)

    def findings(self, passing_s: float = 0.05) -> list[Finding]:
        """Return what doctor finds of the process; what passes is waited for so long."""
        return findings(ask_processes(self.data, passing_s, again_s=0.01))

    def doctor(self, passing_s: float = 0.05) -> list[tuple[str, str, bool]]:
        """Return what doctor says of the process."""
        return [(one.what, one.found, one.well) for one in self.findings(passing_s)]

    def report(self) -> Report:
        """Return what status knows; all but the process is well."""
        workers = with_readiness(processes.read_state(self.data))
        return Report((), workers, EMPTY, {}, {})


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """Give a process that has run for an hour, and answers."""
    found = Process(tmp_path, monkeypatch)
    yield found
    found.endpoint.close()


def shown(report: Report) -> str:
    """Return what a person sees of a report."""
    console = Console(width=250)
    with console.capture() as captured:
        console.print(tables(report))
    return captured.get()


def test_each_reason_of_a_process_that_stands_still_is_a_finding(process: Process) -> None:
    """Whatever check says it; and `status` is not well either, in its line, its JSON and its exit code."""
    assert process.doctor() == [("execution", "running", True)]
    assert process.report().healthy
    process.health.must_be_ready("sink questdb", lambda: ["it takes records and writes none", "the store is away"])
    assert process.doctor()[1:] == [
        ("execution", "it takes records and writes none", False),
        ("execution", "the store is away", False),
    ]
    assert all("execution.log" in one.remedy for one in process.findings()[1:])
    report = process.report()
    assert not report.healthy
    assert report.to_json()["stands_still"][0] == "execution: it takes records and writes none"
    assert "stands still: execution: the store is away" in shown(report)


def test_doctors_exit_code_is_1_where_something_stands_still(process: Process) -> None:
    """And the reason is on its page, with what to do."""
    process.health.must_be_ready("cluster", lambda: ["the cluster is another one"])
    done = CliRunner().invoke(tradewind, ["doctor", "--data", str(process.data)])
    assert done.exit_code == 1
    assert "NO  execution: the cluster is another one\n    docs/observability.md" in done.output


def test_a_process_that_starts_is_no_fault(process: Process) -> None:
    """For a minute, after which it stands still: loading, joining and restoring are over by then."""
    process.health.must_be_ready("agent", lambda: ["it waits for an assignment"])
    process.is_old(STARTING_S - 1)
    assert process.doctor()[1] == ("execution", "it has been starting for 59 s: it waits for an assignment", True)
    assert process.report().healthy
    process.is_old(STARTING_S)
    assert process.doctor()[1] == ("execution", "it waits for an assignment", False)


def test_what_passes_while_doctor_looks_is_no_fault(process: Process) -> None:
    """A rebalance, or a restore that takes a moment."""
    answers = iter([["its tasks are being restored"]] * 2)
    process.health.must_be_ready("agent", lambda: next(answers, []))
    assert process.doctor(passing_s=30.0) == [("execution", "running", True)]


def test_one_that_does_not_answer_is_a_finding(process: Process) -> None:
    """It hangs: nobody knows what it does."""
    process.endpoint.close()
    ((_, reason, well),) = process.doctor()[1:]
    assert not well
    assert "/ready: ConnectError" in reason


def told(process: Process, **change: Any) -> Callable[[], list[dict[str, object]]]:
    """Have the process say that it holds a partition."""
    return lambda: [{**HELD, **change}]


def test_a_held_partition_is_shown_with_its_instrument_and_is_a_fault_once_a_watchdog_complains(
    process: Process,
) -> None:
    """A replay in real time may hold one until the next quote of a quiet instrument; that is no fault of anything."""
    process.health.add_details("held", told(process, seconds=8.0))
    ((what, found, well),) = process.doctor()[1:]
    assert (what, well) == ("held", True)
    assert "market.ticks, partition 2, for 8 s: 12,048 records wait behind KS.T at 2026-01-30T22:00:00.000000Z" in found
    report = process.report()
    assert report.healthy
    assert report.to_json()["held"] == [{**HELD, "seconds": 8.0}]
    assert "held: market.ticks, partition 2, for 8 s: 12,048 records wait behind KS.T" in shown(report)
    process.health.must_be_ready("agent execution", lambda: [STANDS])
    (finding,) = process.findings()[1:]
    assert (finding.what, finding.well) == ("held", False)
    assert "closing heartbeat" in finding.remedy
    assert not process.report().healthy


def test_a_partition_of_the_stage_before_that_stands_still_is_named(process: Process) -> None:
    """Where heartbeats come through each partition of a stage, it is said which of them are behind."""
    behind = {"through": "execution.order_requests", "behind": [1, 3]}
    process.health.add_details("held", told(process, seconds=12.0, **behind))
    (finding,) = process.findings()[1:]
    where = "execution.order_requests, partitions 1, 3"
    assert str(finding.found).endswith(f"; behind: {where}")
    assert finding.remedy.startswith(f"look at the workers that read {where}; if they are well, start the feed of KS.T")


def test_the_ordinary_waits_of_a_live_feed_are_not_shown(process: Process) -> None:
    """Each lasts as long as a bar takes to close."""
    process.health.add_details("held", told(process, seconds=1.3))
    assert process.doctor() == [("execution", "running", True)]
    assert process.report().to_json()["held"] == []


def test_one_that_stays_down_says_how_to_pass_over_what_it_dies_of() -> None:
    """The command is the agent's own; without one, the cause is to be mended."""
    dead = WorkerState("decisions", "failed", None, 5, "d.log", advice="dlq skip sizing signals.signals 0 255")
    (told,) = findings((dead,))
    assert told.remedy == (
        "read d.log, mend the cause, or pass over the record that it dies of by ./dev dlq skip sizing signals.signals "
        "0 255, then ./dev retry decisions"
    )
    (plain,) = findings((replace(dead, advice=None),))
    assert plain.remedy == "read d.log, mend the cause, then ./dev retry decisions"


def test_a_process_whose_up_was_killed_has_the_same_remedy_as_up() -> None:
    """Nothing is wrong with the process itself, so nobody is sent to its log."""
    (told,) = findings((WorkerState("caller", "gone", None, 0, "c.log"),))
    assert (told.well, told.remedy) == (False, "`up` was killed: ./dev up starts this process, too")
