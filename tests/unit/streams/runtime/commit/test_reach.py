"""The format of an agent's state and the digest of its code depend on what the agent reaches, and on nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import tradewind
from tradewind.connectors.settings import Settings
from tradewind.processors.signals.processor import signals as signals_processor
from tradewind.processors.signals.strategy import Strategy
from tradewind.schemas import generate
from tradewind.schemas.execution import Fill, OrderRequest
from tradewind.schemas.market import Bar, BarsState, Heartbeat, Tick
from tradewind.schemas.portfolio import PositionState
from tradewind.schemas.risk import Decision, ExposureState, KillSwitch, ReservationState, SwitchState
from tradewind.schemas.signals import QuarantineState, Signal
from tradewind.streams.agents import OURS, agents
from tradewind.streams.runtime.commit import reach, versions
from tradewind.streams.runtime.commit.reach import reach_of, runtime_reach
from tradewind.streams.runtime.commit.versions import code_version
from tradewind.streams.runtime.work.state_format import format_of

HOME = Path(tradewind.__file__).resolve().parent
SETTINGS = Settings(_env_file=None)
COPIED = ("processors", "schemas", "streams", "topics")
TELL = """
import json
from tradewind.connectors.settings import Settings
from tradewind.streams.agents import OURS
from tradewind.streams.runtime.work.state_format import format_of
from tradewind.streams.runtime.commit.versions import code_version
agents = {one.name: one.declare(Settings(_env_file=None)) for one in OURS}
print(json.dumps({name: [format_of(agent), code_version(agent)] for name, agent in agents.items()}))
"""
INVOICE = {
    "type": "record",
    "name": "Invoice",
    "namespace": "tradewind.compliance",
    "doc": "What a tenant owes.",
    "fields": [{"name": "tenant_id", "type": "string", "doc": "who owes it", "range": "name"}],
}
Told = dict[str, list[str]]
"""Agent -> format of its state, and its code."""


@dataclass(frozen=True)
class Copy:
    """A copy of Tradewind that a test may change."""

    root: Path

    def told(self) -> Told:
        """Return what another process that runs the copy says of each agent."""
        command = [sys.executable, "-P", "-c", TELL]
        environment = {**os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=environment, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: Told = json.loads(done.stdout)
        return found

    def append(self, path: str, text: str) -> None:
        """Add a line to a file."""
        with (self.root / "tradewind" / path).open("a") as file:
            file.write(f"{text}\n")


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Give a copy."""
    package = tmp_path / "tradewind"
    package.mkdir()
    shutil.copy(HOME / "__init__.py", package)
    for name in COPIED:
        shutil.copytree(HOME / name, package / name, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    (package / "connectors").symlink_to((HOME / "connectors").resolve())
    return Copy(tmp_path)


def told() -> Told:
    """Return what this process says of each agent."""
    declared = {one.name: one.declare(SETTINGS) for one in OURS}
    return {name: [format_of(agent), code_version(agent)] for name, agent in declared.items()}


def changed(before: Told, after: Told, place: int) -> set[str]:
    """Return the agents of which something else is told."""
    return {name for name in before if before[name][place] != after[name][place]}


def test_schemas_change_the_formats_of_those_that_use_them_and_of_nobody_else(copy: Copy) -> None:
    """A new domain changes nothing, so that replay has no excuse; a new version of a state changes two agents."""
    before, package = told(), copy.root / "tradewind"
    for name in ("schemas/compliance", "processors/compliance"):
        (package / name).mkdir()
    (package / "schemas/compliance/invoice.v1.avsc").write_text(json.dumps(INVOICE))
    (package / "processors/compliance/__init__.py").write_text('"""Bills."""\n')
    assert generate.main([], package / "schemas") == 0
    copy.append("topics/compliance.py", "from tradewind.schemas.compliance import Invoice")
    copy.append("topics/__init__.py", "from tradewind.topics.compliance import Invoice")
    assert copy.told() == before
    folder = package / "schemas/risk"
    schema = json.loads((folder / "switch_state.v1.avsc").read_text())
    schema["fields"].append({"name": "note", "type": ["null", "string"], "doc": "more", "default": None})
    (folder / "switch_state.v2.avsc").write_text(json.dumps(schema))
    assert generate.main([], package / "schemas") == 0
    after = copy.told()
    assert changed(before, after, 0) == changed(before, after, 1) == {"risk", "execution"}


@pytest.mark.parametrize(
    ("module", "concerned"),
    [
        ("processors.portfolio.holding", {"portfolio"}),
        ("processors.signals.ema", {"signals", "tenancy"}),
        ("processors.execution.matching", {"execution"}),
        ("processors.tenancy.switches", {"risk", "execution"}),
        ("schemas.codec.wire", {one.name for one in OURS}),
        ("topics.partitioner", {one.name for one in OURS}),
        ("topics.billing", {"risk", "ai", "metering", "rating"}),
        ("connectors.registry", set()),
    ],
)
def test_a_module_changes_the_code_of_those_that_import_it(
    monkeypatch: pytest.MonkeyPatch, module: str, concerned: set[str]
) -> None:
    """However many modules are between; the format of state stays."""
    before = told()
    edited = f"tradewind.{module}"
    monkeypatch.setattr(versions, "source_of", lambda of: reach.source_of(of) + (b"#" if of == edited else b""))
    versions._of_sources.cache_clear()
    after = told()
    versions._of_sources.cache_clear()
    assert changed(before, after, 1) == concerned
    assert changed(before, after, 0) == set()


def test_agents_reach_what_they_read_write_and_keep() -> None:
    """And the modules that they are made of, wherever these are imported; nothing of other domains."""
    found = {one.name: reach_of(one.declare(SETTINGS)) for one in OURS}
    assert {Tick, Heartbeat, Bar, BarsState} <= found["market"].models
    assert {OrderRequest, Decision, KillSwitch, ExposureState, ReservationState, SwitchState} <= found["risk"].models
    assert {Bar, Signal, QuarantineState} <= found["signals"].models
    assert not found["market"].models & {Signal, OrderRequest, Decision, Fill, PositionState, KillSwitch}
    assert "tradewind.processors.signals.ema" in found["signals"].modules, "a strategy that it is made with"
    assert "tradewind.processors.execution.matching" in found["execution"].modules
    for name, of in found.items():
        assert not {module for module in of.modules if ".connectors." in module or ".infra." in module}, name
    assert "tradewind.topics.partitioner" in runtime_reach().modules
    assert not {module for module in runtime_reach().modules if module.startswith("tradewind.processors.risk")}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a package of somebody else's, with a strategy, a module that it imports and one that it does not."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "level.py").write_text("LEVEL = 1.0\n")
    (folder / "other.py").write_text("LEVEL = 2.0\n")
    (folder / "breakout.py").write_text(
        "from tradewind import Strategy\nfrom .level import LEVEL\n\n\n"
        "class Breakout(Strategy):\n    name = 'breakout'\n    interval_s = 60\n\n"
        "    def on_bar(self, memory, bar):\n        return None if bar.mid_close < LEVEL else None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith("theirs")]:
        del sys.modules[name]
    for cached in (reach._imports, reach._path, reach._is_module, reach._passed_on):
        cached.cache_clear()


def test_strategies_of_other_packages_count_with_what_they_import(package: Path) -> None:
    """As far as their own package goes."""
    from theirs.breakout import Breakout  # type: ignore[import-not-found] # noqa: PLC0415

    def code(*strategies: Strategy) -> str:
        versions._of_sources.cache_clear()
        reach._imports.cache_clear()
        agent = replace(agents()["signals"].declare(SETTINGS), processor=signals_processor(strategies))
        return code_version(agent)

    with_it, without = code(Breakout()), code()
    assert with_it != without
    (package / "other.py").write_text("LEVEL = 3.0\n")
    assert code(Breakout()) == with_it
    (package / "level.py").write_text("LEVEL = 4.0\n")
    assert code(Breakout()) != with_it
    assert code() == without


@pytest.mark.parametrize(
    "source",
    [
        "from tradewind import Tick\n\ndef f(): ...\n",
        "from tradewind import (\n    Tick,\n)\n\n@print\ndef f(): ...\n",
        '"""A text.\n\nclass A:\n    pass\n"""\n\nfrom tradewind import Tick\n',
        "def f():\n    from tradewind import Tick\n",
        "class A: ...\n\n\nfrom tradewind import Tick\n",
        "if True:\n    try:\n        from tradewind import Tick\n    except ImportError: ...\n",
        "async def f():\n    match 1:\n        case 1:\n            from tradewind import Tick\n",
    ],
)
def test_imports_are_found_wherever_they_stand(package: Path, source: str) -> None:
    """Before functions and classes, after them, in them, and beside a text that looks like one."""
    (package / "somewhere.py").write_text(source)
    assert reach._imports("theirs.somewhere") == (("tradewind", "Tick"),)


def test_a_processor_made_of_others_is_looked_into() -> None:
    """Closures, methods, partial functions and callable objects: the code is in what they were made with."""
    inner = agents()["portfolio"].declare(SETTINGS).processor

    class Object:
        """Calls what it holds."""

        def __init__(self, of: Callable[..., object]) -> None:
            self.of = [of]

        def __call__(self, *args: object) -> object:
            return self.of[0](*args)

    agent = agents()["portfolio"].declare(SETTINGS)
    wanted = "tradewind.processors.portfolio.holding"
    for wrapped in (lambda *args: inner(*args[:2]), Object(inner), Object(inner).__call__):
        assert wanted in reach_of(replace(agent, processor=wrapped)).modules  # type: ignore[arg-type]
