"""What `up --detach` says where the `up` that it started ends."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tradewind.infra.services import disk
from tradewind.infra.up.detach import NotStarted, start_detached


def silent(place: Path, fills: Path) -> Path:
    """Return an interpreter that says nothing, fills the disk, and ends."""
    program = place / "silent"
    program.write_text(f"#!/bin/sh\ntouch '{fills}'\nexit 1\n")
    program.chmod(0o700)
    return program


def test_an_up_that_could_write_nothing_on_a_full_disk_has_its_reason_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log lies on that disk: what it said last is lost."""
    filled, room = tmp_path / "filled", disk.room
    monkeypatch.setattr(
        disk, "room", lambda folder: replace(room(folder), bytes_free=0) if filled.exists() else room(folder)
    )
    monkeypatch.setattr(sys, "executable", str(silent(tmp_path, filled)))
    with pytest.raises(
        NotStarted, match=r"it could say nothing \(.*up.log\); 0 MB are free on the disk of .*: free some"
    ):
        start_detached(tmp_path / "data", [])


def test_an_up_that_said_nothing_with_room_is_not_said_to_lack_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody killed it, say."""
    monkeypatch.setattr(sys, "executable", str(silent(tmp_path, tmp_path / "filled")))
    with pytest.raises(NotStarted, match=r"^it did not come up: it could say nothing \(.*up.log\)$"):
        start_detached(tmp_path / "data", [])
