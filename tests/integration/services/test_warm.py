"""Warm caches: recorded from real servers, and used by the next ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.distribution import own_services

from tradewind.connectors.settings import Settings
from tradewind.infra.services.java import artifacts
from tradewind.infra.services.java.warm import warm
from tradewind.infra.services.stack import Stack


@own_services
@pytest.mark.long
@pytest.mark.timeout(900)  # a minute, and ten times as long on busy cores
@pytest.mark.skipif(sys.platform != "linux", reason="looks at what is mapped in /proc")
def test_recorded_caches_are_used_by_the_next_start(
    new_data: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each Java server writes a cache when it is stopped, maps it at the next start, and works as before."""
    real = artifacts.cache()
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path))
    (tmp_path / "java").symlink_to(real / "java")
    artifacts.ensure(artifacts.ROOTS)
    kept = warm()
    assert {path.name.partition("-")[0] for path in kept} == {"kafka_2.13", "quarkus", "questdb"}
    assert {path.suffix for path in (tmp_path / "warm").iterdir()} == {".aot"}, "no drafts are left"
    data = new_data()
    stack = Stack(data, Settings(data=data, _env_file=None), base_port=None)
    try:
        running = stack.start()
        assert all(one.healthy for one in stack.health())
        maps = [Path(f"/proc/{one.pid}/maps").read_text().splitlines() for one in running]
        mapped = {line.split()[-1] for lines in maps for line in lines if ".aot" in line}
        assert mapped == {os.fspath(path) for path in kept}
    finally:
        stack.stop()
