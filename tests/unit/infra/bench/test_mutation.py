"""The mutation bench tries each mutant on the tests near its module, and says what survived and why."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tradewind.infra.bench.mutation import BENCH, BENCH_PYTHON, CHECKOUT, MODULES, chosen, file_of, listed
from tradewind.infra.bench.parts.mutation.mutants import Explained, Mutant, Tried, explanations, parsed
from tradewind.infra.bench.parts.mutation.near_tests import near_tests
from tradewind.infra.bench.parts.mutation.trials import Mutated

LESS, MORE, GONE = (Mutant(3, "if a < b:", f"if a {sign} b:", "") for sign in ("<=", ">=", "!="))
CALL = Mutant(7, "log()", "pass", "")


def has_cosmic_ray() -> bool:
    """Tell whether `./dev bench` has made its environment, from the lock as it is now."""
    found = (
        subprocess.run([str(BENCH_PYTHON), "-c", "import cosmic_ray"], check=False) if BENCH_PYTHON.exists() else None
    )
    return found is not None and found.returncode == 0


def test_mutants_come_by_line_as_the_other_environment_printed_them() -> None:
    """One line of JSON each."""
    told = [{"line": line, "was": "a", "becomes": "b", "source": "b\n", "operator": "X"} for line in (9, 2)]
    assert parsed(map(json.dumps, told)) == [Mutant(2, "a", "b", "b\n"), Mutant(9, "a", "b", "b\n")]


def test_a_survivor_is_unexplained_unless_its_line_and_mutation_are_named() -> None:
    """A reason for one mutation of a line is none for another; one without mutations is for all of the line."""
    tried = Tried(
        "m",
        [(LESS, "survived"), (MORE, "killed"), (GONE, "survived"), (CALL, "survived"), (CALL, "timed out")],
        [Explained("if a < b:", "they are never equal", ("if a <= b:",)), Explained("log()", "log only")],
    )
    assert tried.unexplained == [GONE]
    told = tried.as_dict()
    counts = [told[name] for name in ("mutants", "killed", "timed_out", "survived", "explained")]
    assert counts == [5, 1, 1, 3, 2]
    assert [each["why"] for each in told["survivors"]] == ["they are never equal", None, "log only"]


def test_a_reason_that_explains_nothing_any_more_is_told() -> None:
    """A test has come that kills the mutant, or the line has changed."""
    tried = Tried("streams.runtime.work.hold", [(LESS, "killed")], [Explained("if a < b:", "why")])
    assert tried.outdated == list(tried.explained)
    assert "OUTDATED" in "".join(listed([tried]))


def test_survivors_are_listed_with_file_line_and_mutation() -> None:
    """So that an editor goes there."""
    tried = Tried(
        "streams.runtime.work.hold", [(LESS, "survived"), (CALL, "survived")], [Explained("log()", "log only")]
    )
    first, second = " ".join(listed([tried])).split(" streams/runtime/work/hold.py:7: ")
    assert first.startswith("streams/runtime/work/hold.py:3: if a < b:\n    becomes: if a <= b:")
    assert "SURVIVED" in first
    assert second.endswith("log only")


def test_tests_are_near_that_import_a_module_or_what_imports_it(tmp_path: Path) -> None:
    """A file named for the module is tried first, by itself; what is further away is not tried."""
    files = {
        "streams/a.py": "",
        "streams/b.py": "from tradewind.streams import a",
        "streams/c.py": "import tradewind.streams.b",
        "tests/unit/test_a.py": "from shared import x",
        "tests/unit/test_direct.py": "from tradewind.streams.a import x",
        "tests/unit/test_next.py": "from tradewind.streams.b import x",
        "tests/unit/test_far.py": "from tradewind.streams.c import x",
        "tests/shared.py": "from tradewind.streams.a import x",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert near_tests(tmp_path, "streams.a") == [
        ["tests/unit/test_a.py"],
        ["tests/unit/test_direct.py"],
        ["tests/unit/test_next.py"],
    ]


def test_every_module_has_near_tests_and_may_be_named_shortly() -> None:
    """Without them its mutants would prove nothing."""
    assert all(file_of(module).is_file() and near_tests(CHECKOUT, module) for module in MODULES)
    assert chosen(["hold", "processors.market.processor"]) == [
        "streams.runtime.work.hold",
        "processors.market.processor",
    ]
    assert chosen([]) == list(MODULES)
    with pytest.raises(SystemExit, match="'nothing' is none"):
        chosen(["nothing"])


def test_what_is_explained_stands_in_the_code() -> None:
    """Reasons whose line has changed are no reasons."""
    for module, reasons in explanations(BENCH / "survivors.toml").items():
        code = " ".join(file_of(module).read_text().split())
        for each in reasons:
            assert each.was in code, f"{module}: {each.was}"


def test_a_mutant_is_imported_in_the_place_of_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the module's name and path, which stays as it is."""
    path = tmp_path / "tradewind_original.py"
    path.write_text("LIMIT = 1\n")
    mutated = Mutated("tradewind_original", path, "LIMIT = 2\n")
    monkeypatch.setattr(sys, "meta_path", [mutated, *sys.meta_path])
    found = importlib.import_module("tradewind_original")
    del sys.modules["tradewind_original"]
    assert (found.LIMIT, found.__name__, found.__file__) == (2, "tradewind_original", str(path))
    assert mutated.find_spec("another") is None


@pytest.mark.skipif(not has_cosmic_ray(), reason="./dev bench makes the environment that has cosmic-ray")
def test_mutants_are_errors_and_not_other_texts_of_the_program(tmp_path: Path) -> None:
    """Annotations and limits are left as they are; statements are taken away."""
    program = tmp_path / "program.py"
    program.write_text(
        "LIMIT = 5\ndef smaller(a: int | None, b: int) -> int | None:\n    note(a)\n    return a if a < b else None\n"
    )
    command = [str(BENCH_PYTHON), str(BENCH / "peers" / "mutants.py"), str(program)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert {(mutant.line, mutant.becomes) for mutant in parsed(told.splitlines())} == {
        (3, "pass"),
        *((4, f"return a if {condition} else None") for condition in ("a <= b", "a >= b", "a != b")),
    }
