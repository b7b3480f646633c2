"""Every processor keeps the law of cuts, f(a + b) = f(a) ; f(b), or rather: a test of Hypothesis says so of each."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from processing import assert_law, heartbeat, tick

import tradewind.processors
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Segment, State
from tradewind.schemas.event import Event
from tradewind.schemas.market import BarsState
from tradewind.streams.agents import OURS
from tradewind.testing import rows

TESTS = Path(__file__).parent


def processors() -> dict[str, str]:
    """Return every function of the package that makes a processor: name -> module."""
    found = {}
    for module in walk_packages(tradewind.processors.__path__, "tradewind.processors."):
        for name, each in inspect.getmembers(import_module(module.name), inspect.isfunction):
            if each.__module__ == module.name and each.__annotations__.get("return") == "Processor":
                found[name] = module.name
    return found


def law_tests(name: str, module: str) -> list[str]:
    """Return the tests of Hypothesis that call `assert_law`, in files that import a processor's maker."""
    found = []
    for path in TESTS.rglob("test_*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        imported = any(
            isinstance(node, ast.ImportFrom) and node.module == module and name in {alias.name for alias in node.names}
            for node in ast.walk(tree)
        )
        for node in tree.body if imported else []:
            if isinstance(node, ast.FunctionDef) and any("given" in ast.dump(each) for each in node.decorator_list):
                found += [node.name for part in ast.walk(node) if _calls_law(part)]
    return found


def _calls_law(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "assert_law"


@pytest.mark.parametrize(("name", "module"), sorted(processors().items()))
def test_every_processor_has_a_test_of_the_law(name: str, module: str) -> None:
    """A processor that is added without one fails here."""
    assert law_tests(name, module), f"{module}.{name}: no test of Hypothesis cuts its input by `assert_law`"


def test_the_law_is_broken_by_a_processor_that_changes_a_value_in_place() -> None:
    """Records in a field are dictionaries to whoever does not ask the type checker; a new value is none of this."""
    before = BarsState(symbol="EURUSD", venue="OANDA", watermark=1, open=({"quotes": 1},))

    def in_place(state: State, segment: Segment) -> list[Event]:
        known = state.get("bars", BarsState)
        if known is None:
            state.put("bars", before)
        else:
            known.open[0]["quotes"] = 2  # type: ignore[index]
        return []

    def anew(state: State, segment: Segment) -> list[Event]:
        state.put("bars", replace(before, open=({"quotes": 2},)))
        return []

    segments = list(rows([tick(1), heartbeat(2), tick(3)]))
    assert_law(lambda: anew, segments, [])
    with pytest.raises(AssertionError, match=r"values of \['bars'\] .* were changed in place"):
        assert_law(lambda: in_place, segments, [])


def test_the_processors_of_all_agents_are_among_them() -> None:
    """What runs is what was looked for."""
    settings = Settings(_env_file=None)
    made_in = {agent.declare(settings).processor.__module__ for agent in OURS}
    assert made_in <= set(processors().values())
    assert len(processors()) >= len(OURS)
