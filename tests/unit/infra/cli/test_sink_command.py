"""The command that runs sinks."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

from click.testing import CliRunner

from tradewind.infra.cli.processes.sink import factories, run, sink


class Loop:
    """A loop that runs until it is told to stop, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sink = SimpleNamespace(name="x")
        self.error = error
        self.ended = False

    def run(self, stop: threading.Event) -> None:
        if self.error is not None:
            raise self.error
        stop.wait(10)
        self.ended = True


def test_an_unknown_sink_is_told_with_those_there_are() -> None:
    """A wrong name ends the command before anything is connected."""
    result = CliRunner().invoke(sink, ["nosuch"])
    assert result.exit_code == 2
    assert "no sink 'nosuch'" in result.output
    assert "postgres, questdb" in result.output


def test_our_sinks_are_named_as_the_topics_name_them() -> None:
    """A consumer of a topic that is no agent is a sink by that name."""
    assert {"questdb", "postgres"} <= set(factories())


def test_where_one_sink_cannot_go_on_all_stop() -> None:
    """A process never runs on with half of its sinks."""
    well, failing = Loop(), Loop(RuntimeError("bug"))
    assert not run(cast("Any", [well, failing]), threading.Event())
    assert well.ended


def test_all_end_well_when_told() -> None:
    """A stop is no failure."""
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    loop = Loop()
    assert run(cast("Any", [loop]), stop)
    assert loop.ended
