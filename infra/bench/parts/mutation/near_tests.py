"""Finds the tests that are near a module: those that import it, and those that import what imports it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

NEAR = 2
"""Imports between a test and a module: further away, tests are of something else."""
ROOMS = ("schemas", "topics", "processors", "connectors", "streams")
TESTS = "tests"
PACKAGE = "tradewind"


def near_tests(root: Path, module: str) -> list[list[str]]:
    """Return the files of unit tests near `tradewind.MODULE`, relative to the checkout, in stages: the nearest first.

    Files whose names begin with the module's are the first: most mutants end there.
    """
    own, stages = f"test_{module.rpartition('.')[2]}", dict[int, list[str]]()
    for path in sorted((root / TESTS / "unit").rglob("test_*.py")):
        distance = _distance(root, path, f"{PACKAGE}.{module}")
        if distance <= NEAR:
            stages.setdefault(0 if path.stem.startswith(own) else distance, []).append(str(path.relative_to(root)))
    return [stages[at] for at in sorted(stages)]


def _distance(root: Path, test: Path, wanted: str) -> int:
    """Return how many imports lead from a test to a module; more than `NEAR` where it is not near."""
    reached = _reached(root, test)
    return next((distance for distance, names in enumerate(reached, 1) if wanted in names), NEAR + 1)


@cache
def _reached(root: Path, test: Path) -> tuple[frozenset[str], ...]:
    """Return the names that one import leads to from a test, then those that two imports lead to, up to `NEAR`."""
    found, paths = list[frozenset[str]](), frozenset({test})
    for _ in range(NEAR):
        found.append(frozenset(name for path in paths for name in imports(path)))
        paths = frozenset(path for name in found[-1] if (path := _file(root, name)) is not None)
    return tuple(found)


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the names of what a file imports; of `from a import b`, both `a` and `a.b`, for b may be a module."""
    return frozenset(_imports(ast.parse(path.read_text())))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(root: Path, name: str) -> Path | None:
    """Return the file of a module of Tradewind, or of what tests share; None for packages and for others' modules."""
    parts = name.split(".")
    if parts[0] == PACKAGE and len(parts) > 1 and parts[1] in ROOMS:
        path = root.joinpath(*parts[1:]).with_suffix(".py")
    else:
        path = root.joinpath(TESTS, *parts).with_suffix(".py")
    return path if path.is_file() else None
