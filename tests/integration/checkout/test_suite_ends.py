"""What a run of the suite has started ends with it, its shared stack first of all, whichever way the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.distribution import own_services
from processes.instance import wait

from tradewind.infra.cli.checkout.tools import ROOT
from tradewind.infra.services.embedded import services
from tradewind.infra.services.process import Record, recorded

pytestmark = own_services
UP_S, GONE_S = 200.0, 60.0
TESTS = ("tests/integration/services/test_fixtures.py", "tests/integration/kafka/test_topics_admin.py")
"""They need the stack from their start."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_of_two_workers_that_is_ended_leaves_nothing(
    number: signal.Signals, new_data: Callable[[], Path], tmp_path: Path
) -> None:
    """No worker, no service and no folder, once the stack that both share is up."""
    folder = new_data()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TRADEWIND_"))}
    command = [sys.executable, "-P", "-m", "pytest", *TESTS, "-n", "2", "--dist", "loadscope"]
    with (tmp_path / "said").open("wb") as said:
        run = subprocess.Popen(
            [*command, "-o", f"cache_dir={tmp_path}"],
            cwd=ROOT,
            env={**environment, "TMPDIR": str(folder)},
            stdout=said,
            stderr=said,
        )
    try:
        wait(lambda: [*folder.glob("*/stack/endpoints.json")], UP_S, (tmp_path / "said").read_text)
        records: list[Record] = [each for found in folder.glob("*/stack/run") for each in recorded(found).values()]
        assert len(records) == len(services())
        run.send_signal(number)
        assert run.wait(GONE_S) == (-number if number == signal.SIGKILL else pytest.ExitCode.INTERRUPTED)
        wait(lambda: not any(record.alive for record in records), GONE_S)
        wait(lambda: not [*folder.glob("tradewind-test-*")], GONE_S, lambda: sorted(folder.rglob("*"))[:20])
    finally:
        run.kill()
        run.wait()
