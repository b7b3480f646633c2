"""Kafka is renewed where it runs and does not serve its groups, once, and never in the way of a repair."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tradewind.infra.services.service import Running, ServiceFailed
from tradewind.infra.up.supervisor import KAFKA, SERVICE_DEATHS, _Repairs

PATIENCE_S = 30.0


class Services:
    """Stands for the stack: notes what is asked of it, and does it when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.ended: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails = self.external = False

    def dead(self) -> list[str]:
        """Return what has ended."""
        return self.ended

    def embeds(self, name: str) -> bool:
        """Whether Kafka is one of ours."""
        return name == KAFKA and not self.external

    def renew(self, name: str) -> Running:
        """Stop and start."""
        return self._done("renew", name)

    def restart(self, name: str) -> Running:
        """Start."""
        return self._done("restart", name)

    def _done(self, what: str, name: str) -> Running:
        self.asked.append((what, name))
        assert self.go_on.wait(PATIENCE_S)
        if self.fails:
            raise ServiceFailed("no room")
        return Running(name, "", 1, "", 0.0, Path())

    def service(self, name: str) -> Any:
        """Return one without a process."""
        return type(name, (), {"servers": ()})


@pytest.fixture
def services() -> Services:
    """Give what the repairs ask."""
    return Services()


def settled(repairs: _Repairs) -> None:
    """Wait for the repair at work, and note how it went."""
    assert repairs._at_work is not None
    repairs._at_work[1].exception(PATIENCE_S)
    repairs.look()


def test_kafka_is_renewed_once_and_not_while_something_else_is_repaired(services: Services) -> None:
    """If it did not help, a person has to look."""
    repairs = _Repairs(services)
    services.ended = ["questdb"]
    repairs.look()
    assert not repairs.renew_kafka()
    services.ended = []
    settled(repairs)
    assert repairs.renew_kafka()
    assert repairs.notes == ["kafka is restarted: agents get no stable offsets of their groups"]
    settled(repairs)
    assert not repairs.renew_kafka()
    assert services.asked == [("restart", "questdb"), ("renew", KAFKA)]
    repairs.close()


def test_a_kafka_of_yours_is_left_alone(services: Services) -> None:
    """Its message says what to do."""
    services.external = True
    repairs = _Repairs(services)
    assert not repairs.renew_kafka()
    assert services.asked == []
    repairs.close()


def test_a_renewal_that_failed_is_repaired_like_any_service(services: Services) -> None:
    """It was stopped by then."""
    repairs = _Repairs(services)
    services.fails = True
    repairs.renew_kafka()
    services.ended = [KAFKA]
    while repairs._at_work is not None:
        settled(repairs)
    assert services.asked == [("renew", KAFKA), *[("restart", KAFKA)] * (SERVICE_DEATHS - 1)]
    assert repairs.notes == [f"kafka stays down after {SERVICE_DEATHS} attempts: no room"]
    repairs.close()
