"""`status` asks workers whether they are ready."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from rich.console import Console

from tradewind.connectors.telemetry.health import Health
from tradewind.connectors.telemetry.server import Endpoint
from tradewind.infra.status.readiness import with_readiness
from tradewind.infra.status.report import Report
from tradewind.infra.status.table import tables
from tradewind.infra.up.state import WorkerState


@pytest.fixture
def health() -> Health:
    """Give what a worker says of itself."""
    return Health()


@pytest.fixture
def url(health: Health) -> Iterator[str]:
    """Give where that worker answers."""
    endpoint = Endpoint("127.0.0.1", 0, CollectorRegistry(), health)
    yield endpoint.url
    endpoint.close()


def test_a_worker_says_itself_whether_it_is_ready(url: str, health: Health) -> None:
    """And why it is not: people see it in the table."""
    state = WorkerState("market", "running", 7, 0, "market.log", url)
    (worker,) = with_readiness([state])
    assert (worker.ready, worker.reasons) == (True, ())
    health.must_be_ready("agent market", lambda: ["it restores"])
    (worker,) = with_readiness([state])
    assert (worker.ready, worker.reasons) == (False, ("it restores",))
    shown = Console(width=200, record=True, file=None)
    with shown.capture() as captured:
        shown.print(tables(Report((), (worker,), None, {}, {})))
    assert "it restores" in captured.get()


def test_one_that_does_not_answer_is_not_ready(url: str) -> None:
    """It hangs, or something else listens there."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        (worker,) = with_readiness([WorkerState("market", "running", 7, 0, "", nobody)])
    assert worker.ready is False
    assert "ConnectError" in worker.reasons[0]
    (stranger,) = with_readiness([WorkerState("market", "running", 7, 0, "", f"{url}/metrics?")])
    assert stranger.ready is False


@pytest.mark.parametrize("phase", ["waiting", "finished", "failed", "gone"])
def test_one_that_does_not_run_is_not_asked(phase: str) -> None:
    """Its phase says enough; nor is one that answers nowhere."""
    states = (WorkerState("feed", phase, None, 0, "", "http://127.0.0.1:1"), WorkerState("a", "running", 1, 0, ""))
    assert with_readiness(states) == states
