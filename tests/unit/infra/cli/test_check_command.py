"""What `./dev check` sees of the tests, which mypy does not read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tradewind.infra.cli.checkout.check import COLLECT


@pytest.mark.parametrize("name", ["test_orders.py", "program.py"])
def test_a_test_or_a_program_of_tests_that_imports_what_was_moved_fails_the_check(tmp_path: Path, name: str) -> None:
    """Without it, only the run of that one test would show it."""
    (tmp_path / "test_sound.py").write_text("def test_it():\n    raise SystemExit('a check runs no test')\n")

    def collected() -> int:
        return subprocess.run(
            [sys.executable, "-m", *COLLECT], cwd=tmp_path, capture_output=True, check=False
        ).returncode

    assert collected() == 0
    (tmp_path / name).write_text("from pathlib import Moved\n")
    assert collected() == pytest.ExitCode.INTERRUPTED
