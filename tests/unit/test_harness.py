"""The harness of the suite itself: budgets, evidence, and which tests share a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from harness import cost, evidence
from harness.distribution import group_of


def test_a_folder_that_takes_a_fifth_more_than_its_budget_is_told() -> None:
    """Less is in order; a folder without a budget is not."""
    assert cost.over({"a": 11.9, "b": 1.0}, {"a": 10, "b": 1}) == []
    (told,) = cost.over({"a": 12.1}, {"a": 10})
    assert told.startswith("a: 12 CPU s, budget 10: ")
    assert cost.over({"a": 1.0}, {}) == ["a: 1 CPU s and no budget: add it to tests/budgets.toml"]
    assert cost.over({}, {"a": 1}) == [], "its tests were not chosen"


def test_every_budget_is_of_a_folder_with_tests() -> None:
    """Beside the services', which all tests share."""
    tests = cost.BUDGETS.parent
    folders = {str(path.parent.relative_to(tests.parent)) for path in tests.rglob("test_*.py")}
    assert cost.read_budgets().keys() == {*folders, cost.SERVICES}


def test_a_row_of_evidence_replaces_that_of_the_same_test_and_seed() -> None:
    """Others stay, and so does the page around the table."""
    rows = [evidence.row("a.py::test_a[1]", {"seed": seed, "kills": 1000 * seed}, "abc") for seed in (2, 10)]
    page = evidence.merged(f"before\n{evidence.BEGIN}{evidence.END}\nafter\n", rows)
    assert page == (
        f"before\n{evidence.BEGIN}{evidence.HEAD}"
        f"| `test_a` | 2 | abc | kills 2,000 |\n| `test_a` | 10 | abc | kills 10,000 |\n{evidence.END}\nafter\n"
    )
    newer = evidence.merged(page, [evidence.row("test_a", {"seed": 2, "kills": 5}, "def")])
    assert newer == page.replace("| abc | kills 2,000 |", "| def | kills 5 |")
    with pytest.raises(ValueError, match="put them back"):
        evidence.merged("no table", rows)
    evidence.merged(evidence.PAGE.read_text("utf-8"), rows)


def test_tests_of_a_unit_file_share_a_process(request: pytest.FixtureRequest) -> None:
    """As this one does with those of its file."""
    assert group_of(request.node) == "tests/unit/test_harness.py"


def test_a_child_that_a_test_has_let_go_of_counts_for_that_test_and_no_other() -> None:
    """Python waits for it when it starts the next child, which may be in a test of another folder."""
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    before = cost.spent()
    child = subprocess.Popen([sys.executable, "-c", busy])
    pid = child.pid
    with pytest.warns(ResourceWarning, match="still running"):
        del child
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    after = cost.spent()
    assert after - before > 0.4
    subprocess.run([sys.executable, "-S", "-c", ""], check=True)
    assert cost.spent() - after < 0.3
