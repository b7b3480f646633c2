"""What an agent can reach: the modules that decide what it does, and the models that it reads, writes and keeps.

Modules are found by the imports that sources state, from the processor on and from what it was made with: strategies,
a venue. A name that a package passes on leads to the module that defines it, not to all that the package imports. Of
ours only `OURS` count: the rest brings records in and out. Modules of other packages count from one on that imports
ours.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, Final

from tradewind.schemas.codec import MODELS
from tradewind.schemas.event import Event
from tradewind.streams.runtime.agent import Agent

PACKAGE: Final = "tradewind"
OURS: Final = tuple(f"{PACKAGE}.{name}" for name in ("processors", "schemas", "streams", "topics"))
"""Packages of ours that decide on outputs and state."""
CODEC: Final = f"{PACKAGE}.schemas.codec"
RUNTIME: Final = f"{PACKAGE}.streams.runtime"
BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements stand within statements."""
DEFINED: Final = re.compile(rb"^(?:class |def |async def |@)", re.MULTILINE)
"""Where a module's first function or class begins: imports stand before, but for those within functions."""
IMPORTING: Final = re.compile(rb"^[ \t]*(?:from|import)[ \t]", re.MULTILINE)
MAIN: Final = "__main__"
NESTED: Final = 20
"""How deep a processor's strategies may lie in what it was made with."""
Import = tuple[str, str | None]
"""A module, and a name that is wanted of it; None where the module itself is."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What is reached."""

    modules: frozenset[str]
    models: frozenset[type[Event]]


def reach_of(agent: Agent) -> Reach:
    """Return what an agent reaches besides the runtime, which all agents run in."""
    topics = (*agent.inputs, *agent.outputs)
    carried = {model for topic in topics for model in topic.models}
    functions = [function for topic in topics for function in (topic.key, topic.partition_key)]
    roots = {*_homes((agent.processor, agent.migrations, functions), set(), NESTED)}
    found = _followed(roots)
    return Reach(found.modules, found.models | carried)


@cache
def runtime_reach() -> Reach:
    """Return what every agent reaches: the runtime, the codec, and what they import of ours."""
    return _followed({*_modules_under(RUNTIME), *_modules_under(CODEC)})


def source_of(module: str) -> bytes:
    """Return the source of a module; nothing where it has none, such as what is typed into an interpreter."""
    path = _path(module)
    return b"" if path is None else path.read_bytes()


def name_of(module: str) -> str:
    """Return a module's name, also where it is the program that runs."""
    path = _path(module) if module == MAIN else None
    return module if path is None else path.stem


def _homes(value: Any, seen: set[int], depth: int) -> Iterator[str]:
    """Yield the modules that a value's code is defined in, and the code of what it was made with."""
    if id(value) in seen or not depth:
        return
    seen.add(id(value))
    own = value.__module__ if isinstance(value, FunctionType | type) else type(value).__module__
    yield from _accepted(own)
    for one in _made_with(value):
        yield from _homes(one, seen, depth - 1)


def _made_with(value: Any) -> Iterable[Any]:
    """Return what a value holds: a function what it closes over, an object of a module that counts its attributes."""
    match value:
        case FunctionType():
            cells = [cell.cell_contents for cell in value.__closure__ or () if _is_set(cell)]
            return [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        case MethodType():
            return value.__func__, value.__self__
        case partial():
            return value.func, *value.args, *value.keywords.values()
        case Mapping():
            return [*value.keys(), *value.values()]
        case list() | tuple() | set() | frozenset():
            return value
        case _ if not isinstance(value, type) and any(_accepted(type(value).__module__)):
            return [getattr(value, name, None) for name in _attributes(value)]
    return ()


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - a cell of a function that is being defined is empty
    except ValueError:
        return False
    return True


def _attributes(value: object) -> Iterable[str]:
    slots = (slot for kind in type(value).__mro__ for slot in getattr(kind, "__slots__", ()))
    return [*getattr(value, "__dict__", {}), *slots]


def _accepted(module: str) -> Iterator[str]:
    """Yield a module that counts: one of ours that decides, or another's that imports ours."""
    top = module.partition(".")[0]
    if top == PACKAGE:
        if _decides(module):
            yield module
    elif top not in sys.stdlib_module_names and any(of.partition(".")[0] == PACKAGE for of, _ in _imports(module)):
        yield module


def _decides(module: str) -> bool:
    return module in OURS or module.startswith(tuple(f"{package}." for package in OURS))


def _followed(roots: Collection[str]) -> Reach:
    """Return what modules reach, themselves included."""
    foreign = {root.partition(".")[0] for root in roots} - {PACKAGE}
    waiting: list[Import] = [(root, None) for root in roots]
    modules: set[str] = set()
    models: set[type[Event]] = set()
    while waiting:
        module, name = _defined(*waiting.pop())
        if module in _homes_of_models():
            models |= {model for model in _models_in(module) if name in {None, model.__name__}}
        elif module not in modules and (_decides(module) or module.partition(".")[0] in foreign):
            modules.add(module)
            models |= _models_in(module) if module.partition(".")[0] in foreign else set()
            waiting += _imports(module)
    return Reach(frozenset(modules), frozenset(models))


@cache
def _homes_of_models() -> frozenset[str]:
    return frozenset(model.__module__ for model in MODELS.values())


def _models_in(module: str) -> set[type[Event]]:
    """Return the models that a module defines; none where nothing has imported it."""
    found = vars(sys.modules[module]).values() if module in sys.modules else ()
    return {one for one in found if isinstance(one, type) and issubclass(one, Event) and one.__module__ == module}


def _defined(module: str, name: str | None) -> Import:
    """Return where a name is defined that a package may only pass on."""
    while name is not None:
        if _is_module(f"{module}.{name}"):
            return f"{module}.{name}", None
        further = _passed_on(module).get(name)
        if further is None:
            break
        module, name = further
    return module, name


@cache
def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # what stands before the last dot is no package
        return False


@cache
def _passed_on(module: str) -> Mapping[str, Import]:
    """Return the names that a package imports to pass them on, and from where; nothing for a module."""
    path = _path(module)
    if path is None or path.name != "__init__.py":
        return {}
    return {
        alias.asname or alias.name: (_from(node, module), alias.name)
        for node in _statements(path)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@cache
def _imports(module: str) -> tuple[Import, ...]:
    """Return what a module imports, anywhere in it."""
    path = _path(module)
    if path is None:
        return ()
    found: list[Import] = []
    for node in _statements(path):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            of = _from(node, module)
            found += [(of, None if alias.name == "*" else alias.name) for alias in node.names]
    return tuple(found)


def _statements(path: Path) -> Iterator[ast.AST]:
    """Yield the statements of a source at any depth, where imports may stand.

    Only the head of a source is parsed if nothing after it looks like an import: a start of a worker parses seventy.
    """
    text = path.read_bytes()
    head = DEFINED.search(text)
    end = len(text) if head is None or IMPORTING.search(text, head.start()) else head.start()
    try:
        waiting: list[ast.AST] = [ast.parse(text[:end])]
    except SyntaxError:  # what looked like a function stands in a text
        waiting = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        for part in BLOCKS:
            inner = getattr(node, part, ())
            waiting += inner
            yield from inner


def _from(node: ast.ImportFrom, module: str) -> str:
    """Return the module that a `from` names, which may be relative."""
    if not node.level:
        return node.module or ""
    path = _path(module)
    package = module if path is not None and path.name == "__init__.py" else module.rpartition(".")[0]
    return resolve_name("." * node.level + (node.module or ""), package)


@cache
def _path(module: str) -> Path | None:
    """Return the file of a module's source; None where there is none."""
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if origin is None and module != MAIN:
        try:
            spec = find_spec(module)
        except (ImportError, ValueError):
            return None
        origin = None if spec is None else spec.origin
    path = None if origin is None else Path(origin)
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _modules_under(package: str) -> Iterator[str]:
    """Yield a package's modules, those of packages within it too."""
    root = _path(package)
    assert root is not None
    folder = root.parent
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        yield ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))
