"""The wheel: what is installed has the schemas that it needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tradewind.schemas.avsc import ROOT, committed


def test_the_wheel_holds_every_schema_and_golden_message(tmp_path: Path) -> None:
    """The codec reads the `.avsc` files when it is imported."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"tradewind/schemas/{file.domain}/{file.path.name}" for file in committed()} <= names
    assert {f"tradewind/{path.relative_to(ROOT.parent)}" for path in (ROOT / "golden").rglob("*.bin")} <= names
