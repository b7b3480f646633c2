"""pytest's hooks of the harness; each says what it is for, and the modules beside this one do it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness import cost, distribution, quiet
from harness.evidence import PROPERTY
from harness.reporter import Reporter
from harness.run import KEY, Run, begin

LOGS = pytest.StashKey[Path]()
MARK = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch of whole runs; a part of the suite says nothing about a folder's budget."""
    parser.addoption("--budgets", action="store_true", help="fail where a folder exceeds tests/budgets.toml")
    parser.addoption("--evidence", action="store_true", help="write what long tests counted to docs/test-evidence.md")


def given(config: pytest.Config) -> dict[str, Any] | None:
    """Return what xdist gives to a worker process; None in the process that pytest was started in."""
    return getattr(config, "workerinput", None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let a worker know which run it belongs to."""
    if (own := given(config)) is not None:
        config.stash[KEY] = Run(Path(own["folder"]), own["mark"])
        config.stash[LOGS] = Path(own["logs"])
        quiet.redirect(config, config.stash[LOGS] / f"{own['workerid']}.log", (1, 2))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Report from the process that pytest was started in; without workers, its stray lines go to a log, too."""
    config = session.config
    if given(config) is None:
        logs = config.stash[LOGS] = quiet.fresh_folder(config)
        config.pluginmanager.register(Reporter(config, logs))
        if not config.pluginmanager.hasplugin("dsession"):
            quiet.redirect(config, logs / "pytest.log", (2,))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Begin the run before its workers start, which inherit its mark."""
    begin(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of the run."""
    run, logs = node.config.stash[KEY], node.config.stash[LOGS]
    node.workerinput.update({"folder": str(run.folder), "mark": run.mark, "logs": str(logs)})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> distribution.Distribution:
    """Distribute tests as `distribution` says."""
    return distribution.Distribution(config, log, config.stash[KEY].folder)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest chain first."""
    distribution.arrange(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the process that distributes tests which of them belong together."""
    if (own := given(session.config)) is not None:
        distribution.tell(session.items, session.config.stash[KEY].folder, own["workerid"])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Begin to count a test's CPU seconds."""
    item.config.stash[MARK] = cost.spent()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the CPU seconds of a phase, and keep the logs of one that failed."""
    report = yield
    now = cost.spent()
    report.cpu_s = max(0.0, now - item.config.stash[MARK])  # type: ignore[attr-defined] # a fork server may have ended
    item.config.stash[MARK] = now
    if report.failed:
        quiet.keep(report, item.config.stash[LOGS])
    return report


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Callable[[int, Mapping[str, int]], None]:
    """Give a function that reports a run's seed and counts, for `docs/test-evidence.md`."""

    def told(seed: int, counts: Mapping[str, int]) -> None:
        request.node.user_properties.append((PROPERTY, {"seed": seed, **counts}))

    return told
