"""Which runs of the suite are distributed over processes, and which have a budget."""

from __future__ import annotations

import pytest

from tradewind.infra.cli.checkout.test import DISTRIBUTED, options
from tradewind.infra.cli.checkout.tools import ROOT


@pytest.mark.parametrize(
    "arguments", [("--pdb",), ("--lf",), ("-n2",), ("-n", "0"), ("-s", "tests/unit"), ("--capture=no",)]
)
def test_a_run_that_a_person_watches_or_that_says_how_is_left_alone(arguments: tuple[str, ...]) -> None:
    """Pytest gets the arguments as they are."""
    assert options(arguments) == ()


def test_single_files_run_in_one_process_and_folders_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's tests would wait for the workers to start; neither says anything about a whole folder's budget."""
    monkeypatch.chdir(ROOT)
    here = "tests/unit/infra/cli/test_test_command.py"
    assert options((here, "-q")) == options((f"{here}::test_a", here)) == ()
    assert options(("tests/unit",)) == options(("tests/unit", here)) == DISTRIBUTED
    assert options(("-k", "bars")) == options(("-m", "long")) == DISTRIBUTED


def test_a_whole_run_has_a_budget() -> None:
    """With options that choose no tests, too; not with ten times as many examples."""
    assert options(()) == options(("-q", "-x")) == (*DISTRIBUTED, "--budgets")
    assert options(("--hypothesis-profile=thorough",)) == DISTRIBUTED
