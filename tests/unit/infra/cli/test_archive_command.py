"""`tradewind archive verify` is no success where there is nothing to verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tradewind.infra.cli.archive.archive import archive


def test_an_archive_without_files_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where its disk is not mounted, or the folder is another one."""
    monkeypatch.setenv("TRADEWIND_DATA", str(tmp_path))
    said = CliRunner().invoke(archive, ["verify"])
    assert (said.exit_code, said.output) == (1, f"nothing was compared: there is no file in {tmp_path / 'archive'}\n")
    told = CliRunner().invoke(archive, ["verify", "--json"])
    assert told.exit_code == 1
    assert json.loads(told.output) == {"folder": str(tmp_path / "archive"), "well": False, "partitions": []}
