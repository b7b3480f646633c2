"""What is installed is pinned by hash, and is what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tradewind.infra.cli.checkout.tools import ROOT

BENCHES = ("requirements-bench", "requirements-bench-backtest")
LOCKS = ("requirements.lock", *(f"{bench}.lock" for bench in BENCHES))
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)")


def pins(lock: str) -> dict[str, str]:
    """Return the pins of a lock file: name -> version."""
    lines = (ROOT / lock).read_text().splitlines()
    return {canonicalize_name(match["name"]): match["version"] for line in lines if (match := PIN.match(line))}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_index_is_named(lock: str) -> None:
    """Where packages come from is the installer's own setting."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", "\n".join(line for line in text.splitlines() if "--hash" not in line), re.MULTILINE)
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        if PIN.match(entry):
            assert "--hash=sha256:" in entry, entry


def test_the_lock_holds_what_the_project_asks_for() -> None:
    """In versions that it allows; run .ci/lock where this fails."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = pins("requirements.lock")
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        asked = Requirement(text)
        version = locked.get(canonicalize_name(asked.name))
        assert version is not None, f"{asked.name} is not locked"
        assert asked.specifier.contains(version, prereleases=True), f"{asked} is locked at {version}"


@pytest.mark.parametrize("bench", BENCHES)
def test_a_bench_lock_holds_the_peers(bench: str) -> None:
    """Every package that is asked for."""
    locked = pins(f"{bench}.lock")
    asked = [line for line in (ROOT / f"{bench}.in").read_text().splitlines() if not line.startswith("#")]
    assert asked
    assert {canonicalize_name(Requirement(line).name) for line in asked} <= locked.keys()
