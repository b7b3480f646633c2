"""`bench compare` runs two revisions alternately, judges them, and leaves neither a work tree nor a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tradewind.infra.bench import compare, runtime
from tradewind.infra.bench.parts import end_to_end
from tradewind.infra.bench.parts.compare import driver
from tradewind.infra.services.guard import VARIABLE

PYTHON = """#!/bin/sh
root=$(cd "$(dirname "$0")/../.." && pwd)
echo "$root" >>"$ORDER"
echo "$*" >>"$(dirname "$ORDER")/given"
echo "a client complains" >&2
cat "$root/figures"
. "$root/what-then"
"""
DEV = """#!/bin/sh
mkdir -p "$(dirname "$0")/.venv/bin" && cp "$(dirname "$0")/python" "$(dirname "$0")/.venv/bin/python"
"""
PATIENCE_S = 30.0


class Fake:
    """A checkout whose environment's Python prints figures."""

    def __init__(self, folder: Path) -> None:
        self.root, self.order, self.temporary = folder / "checkout", folder / "order", folder / "tmp"
        self.root.mkdir()
        self.temporary.mkdir()
        self.git("init", "--quiet")
        for name, text in {"python": PYTHON, "dev": DEV, ".gitignore": ".venv\n"}.items():
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)

    def git(self, *arguments: str) -> str:
        """Run git in it."""
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", *who, "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def commit(self, ticks_per_s: float, latency_ms: float, then: str = "") -> str:
        """Commit a revision with figures, and what its bench does after it printed them."""
        results = [
            {"name": "ticks_per_s", "value": ticks_per_s, "unit": "ticks/s"},
            {"name": "p50_ms", "value": latency_ms, "unit": "ms"},
        ]
        (self.root / "figures").write_text(json.dumps({"results": results}))
        (self.root / "what-then").write_text(then)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a revision")
        return self.git("rev-parse", "HEAD").strip()

    @property
    def left(self) -> list[str]:
        """Return work trees and folders that are left."""
        trees = [line for line in self.git("worktree", "list").splitlines() if "/revision " in line]
        return [*trees, *(path.name for path in self.temporary.iterdir() if "failed" not in path.name)]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Give a fake checkout, which is compared from now on."""
    made = Fake(tmp_path)
    monkeypatch.setenv("ORDER", str(made.order))
    monkeypatch.setattr("tempfile.tempdir", str(made.temporary))
    return made


def test_a_revision_that_is_as_fast_passes(fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    """Each figure has both revisions' runs; standard output is JSON alone, and nothing is left."""
    old, new = fake.commit(100.0, 10.0), fake.commit(95.0, 11.0)
    assert compare.main([old, "journal", "--json"], fake.root) == 0
    said = capfd.readouterr()
    told = json.loads(said.out)
    assert told["worse"] is False
    assert {of["name"]: (of["before"], of["now"], of["verdict"]) for of in told["figures"]} == {
        "ticks_per_s": ([100.0] * 3, [95.0] * 3, "ok"),
        "p50_ms": ([10.0] * 3, [11.0] * 3, "ok"),
    }
    assert told["notes"][0] == f"{old} is {old[:12]}; HEAD is {new[:12]}"
    assert "run 1 of 8: the environment of" in said.err
    assert "run 8 of 8: journal of HEAD" in said.err
    assert "complains" not in said.err
    assert fake.left == []


def test_runs_alternate_and_each_pair_begins_with_the_other(fake: Fake) -> None:
    """Neither has the warmer machine alone."""
    old = fake.commit(1.0, 1.0)
    fake.commit(1.0, 1.0)
    assert compare.main([old, "journal", "--json"], fake.root) == 0
    turns = [Path(line.split()[0]).name for line in fake.order.read_text().splitlines()]
    assert turns == ["revision", "checkout", "checkout", "revision", "revision", "checkout"]
    assert compare.order(3) == [0, 1, 1, 0, 0, 1]


def test_a_slower_revision_exits_1_and_the_table_says_by_what(fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    """What is not committed is measured, and said."""
    old = fake.commit(100.0, 10.0)
    fake.commit(89.0, 10.0)
    (fake.root / "more").write_text("not committed")
    assert compare.main([old, "journal", "--runs", "1"], fake.root) == 1
    said = capfd.readouterr()
    assert "WORSE" in said.out
    assert "with changes that are not committed" in said.err


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("echo no Kafka >&2; exit 3", "run-1 of {old} failed with exit code 3"),
        ("echo and more", "run 1 of {old} printed no figures"),
    ],
)
def test_a_failed_run_exits_2_and_its_log_stays(
    fake: Fake, capfd: pytest.CaptureFixture[str], then: str, said: str
) -> None:
    """Its file is named, and is there after the rest has gone."""
    old = fake.commit(100.0, 10.0, then)
    assert compare.main([old, "journal", "--json"], fake.root) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert said.format(old=old) in told.err
    (kept,) = fake.temporary.glob("tradewind-compare-failed-*/*")
    assert str(kept) in told.err
    assert fake.left == []


def test_a_revision_that_is_not_there_is_told(fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    """Before anything is made; also where it looks like an option of git."""
    fake.commit(1.0, 1.0)
    for name in ("no-such", "--all"):
        arguments = [name, "journal"] if name == "no-such" else ["--json", "--", name, "journal"]
        assert compare.main(arguments, fake.root) == 2
        assert f"has no revision '{name}'" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_neither_work_tree_nor_process(fake: Fake, number: signal.Signals) -> None:
    """After kill -9 the folder and the processes go; git forgets the work tree at the next comparison."""
    pid = fake.order.with_name("pid")
    old = fake.commit(1.0, 1.0, f"echo $$ >{pid}.part; mv {pid}.part {pid}; exec sleep 60")
    code = (
        "import sys; from functools import partial; from pathlib import Path; "
        "from tradewind.infra.bench import compare; "
        f"compare.main = partial(compare.main, checkout=Path({str(fake.root)!r})); "
        f"sys.argv[1:] = ['bench', 'compare', {old!r}, 'journal']; "
        "from tradewind.infra.cli.group import main; main()"
    )
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment["TMPDIR"] = str(fake.temporary)
    process = subprocess.Popen([sys.executable, "-P", "-c", code], env=environment, stderr=subprocess.DEVNULL)
    wait(pid.exists)
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == -number
    wait(lambda: not alive(int(pid.read_text())) and not [*fake.temporary.iterdir()])
    if number == signal.SIGKILL:
        compare.main([fake.commit(1.0, 1.0), "journal", "--json", "--runs", "1"], fake.root)
    assert fake.left == []


def wait(until: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Return whether a process, which is nobody's child here, runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_other_options_go_to_the_bench(fake: Fake) -> None:
    """Of both revisions, behind those of the short form, so that they have the last word."""
    old = fake.commit(1.0, 1.0)
    assert compare.main([old, "journal", "--rounds", "20", "--runs", "1", "--json"], fake.root) == 0
    assert fake.order.with_name("given").read_text().count('["--json", "--rounds", "20"]') == 2


def test_this_revision_has_every_option_of_the_short_form() -> None:
    """And every name that stands for it in an older one."""
    for name, short in compare.SHORT.items():
        for setting in short["settings"]:
            assert driver.applied(runtime, setting) == setting["option"]
        if name == "runtime":
            runtime.arguments(short["arguments"])


def test_a_revision_without_the_options_gets_its_names_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every module that has them; one that lacks these, too, cannot be measured."""

    def refuse(argv: list[str]) -> Any:
        raise SystemExit(2)

    for module, name in ((runtime, "PEERS"), (runtime, "WARM_UP_S"), (runtime, "WARM_UPS"), (end_to_end, "WARM_UPS")):
        monkeypatch.setattr(module, name, getattr(module, name))
    old: Any = SimpleNamespace(arguments=refuse)
    for setting in compare.SHORT["runtime"]["settings"]:
        assert driver.applied(old, setting) == []
    assert (runtime.PEERS, runtime.WARM_UP_S, end_to_end.WARM_UPS) == ([], compare.WARM_UP_S, 1)
    with pytest.raises(SystemExit, match="neither"):
        driver.applied(old, {"option": ["--new"], "names": ["tradewind.infra.bench.runtime:NEW"], "value": 1})
