"""`python -m tradewind.infra.services`, the services without workers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tradewind.infra.services.__main__ import main


def test_a_wrong_setting_is_told_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every other command does, and before anything is started or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRADEWIND_TENANTS", "[")
    monkeypatch.setattr(sys, "argv", ["services", "--data", str(tmp_path / "data")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "TRADEWIND_TENANTS is no JSON" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
