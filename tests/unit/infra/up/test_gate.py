"""A process waits at a shut gate, goes on when it opens, and ends where whoever started it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tradewind.infra.up.gate import VARIABLE, Gate, pass_gate

PASS = "from tradewind.infra.up.gate import pass_gate; pass_gate(); print('passed')"
START = f"""
import os, subprocess, sys
from pathlib import Path
from tradewind.infra.up.gate import Gate
gate = Gate(Path(sys.argv[1]))
quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={{**os.environ, **gate.variables}})
print(subprocess.Popen([sys.executable, '-P', '-c', {PASS!r}], **quiet).pid, flush=True)
"""
PATIENCE_S = 30.0


def test_a_gate_is_shut_whatever_was_left_and_opens_for_all_who_come(tmp_path: Path) -> None:
    """An earlier process may have been killed with the gate open."""
    path = tmp_path / "new" / "gate"
    Gate(path).open()
    gate = Gate(path)
    environment = {**os.environ, **gate.variables}
    waiting = subprocess.Popen([sys.executable, "-P", "-c", PASS], env=environment, stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1.0)
    gate.open()
    assert waiting.communicate(timeout=PATIENCE_S) == ("passed\n", None)
    later = subprocess.run(
        [sys.executable, "-P", "-c", PASS],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert later.stdout == "passed\n"


def test_without_a_gate_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that a person runs have none."""
    monkeypatch.delenv(VARIABLE, raising=False)
    pass_gate()


def test_who_waits_ends_when_its_starter_is_gone(tmp_path: Path) -> None:
    """Else a killed `up` would leave processes that wait for ever."""
    command = [sys.executable, "-P", "-c", START, str(tmp_path / "gate")]
    started = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    pid = int(started.stdout)
    deadline = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
