"""What a start of Kafka leaves on the disk: room for the others, and no copies for longer than they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.connectors.settings import DiskSettings
from tradewind.infra.services.disk import MB, Room
from tradewind.infra.services.embedded import kafka as module
from tradewind.infra.services.embedded.kafka import COPIES_MARGIN, LEAST_COPIES, Kafka
from tradewind.infra.services.kafka_logs.copies import COPIES
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import ports
from tradewind.infra.services.service import ServiceFailed

STOP = 256 * MB


@pytest.mark.parametrize(
    ("free", "spare"),
    [(10_000 * MB, 5_000 * MB), (500 * MB, 180 * MB), (320 * MB, 8 * MB), (260 * MB, 2 * MB), (256 * MB, 0), (0, 0)],
)
def test_copies_leave_the_room_below_which_everything_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, spare: int
) -> None:
    """Half of a nearly full disk would have the guard stop the start that needs the copies, and each one after it.

    There is room for the smallest logs as long as any is left: a nearly full disk is where they are needed most.
    """
    monkeypatch.setattr(module, "room", lambda _: Room(free, 100_000 * MB, 0, 0))
    for nodes in (1, 2):
        assert Kafka(Place(tmp_path, ports(25200), brokers=nodes))._spare(tmp_path) == spare // nodes
    small = Kafka(Place(tmp_path, ports(25200), disk=DiskSettings(stop_bytes=0)))
    assert small._spare(tmp_path) == max(0, min(LEAST_COPIES, free // 2), min(free // 2, free - COPIES_MARGIN))


class Late:
    """A Kafka whose start gave up while it was reading its logs, and lives on."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kafka = Kafka(Place(data, ports(25200)))
        self.copies = data / "kafka" / "1" / COPIES
        self.log = data / "kafka" / "1" / "data" / "ticks-0" / "00000000000000000000.log"
        for folder in (self.log.parent, self.copies / "ticks-0"):
            folder.mkdir(parents=True)
            (folder / self.log.name).write_bytes(b"records")
        self.kafka._kept[1] = [self.log]
        self.ready: Exception | None = ConnectionError("not ready")
        monkeypatch.setattr(self.kafka, "_probe", self.probe)

    def probe(self) -> str:
        """Answer as it was told to."""
        if self.ready is not None:
            raise self.ready
        return "4"


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Late:
    """Give such a Kafka."""
    return Late(tmp_path, monkeypatch)


def test_copies_go_when_a_kafka_is_ready_whose_start_gave_up(late: Late) -> None:
    """They would be put back days later, over what Kafka or a person has deleted since."""
    for error in (ConnectionError("not ready"), ServiceFailed("kafka ended")):
        late.ready = error
        late.kafka.tend()
        assert late.copies.exists()
    late.ready = None
    late.kafka.tend()
    assert not late.copies.exists()
    late.ready = AssertionError("it is asked no more")
    late.kafka.tend()


def test_copies_stay_where_a_late_kafka_has_emptied_a_log(late: Late) -> None:
    """It is killed, so that whoever watches it starts it again, and the log is put back."""
    late.log.write_bytes(b"")
    late.ready = None
    late.kafka.tend()
    assert late.copies.exists()


def test_nothing_is_looked_at_beside_a_start(late: Late) -> None:
    """It looks itself, and the copies are its own."""
    late.ready = None
    with late.kafka._starting:
        late.kafka.tend()
        assert late.copies.exists()
