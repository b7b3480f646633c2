"""What `./dev check` sees of the tests, which mypy does not read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tradewind.infra.cli.checkout.check import COLLECT


def test_tests_and_their_programs_that_import_what_was_moved_fail_the_check(tmp_path: Path) -> None:
    """Otherwise only a run of that one test would show it."""
    (tmp_path / "test_sound.py").write_text("def test_it():\n    raise SystemExit('a check runs no test')\n")
    for name in ("test_orders.py", "program.py"):
        (tmp_path / name).write_text("from pathlib import Moved\n")
    done = subprocess.run([sys.executable, "-m", *COLLECT], cwd=tmp_path, capture_output=True, check=False, text=True)
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("ERROR ")}
    assert (done.returncode, failed) == (2, {"test_orders.py", "program.py"})
