"""The archive and Kafka: whatever is killed, counts and digests of the files are those of the topic."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from processes.forking import Forked, forked
from processes.pipeline import environment
from runtime.cluster import delivered
from sinks.archiving import offsets
from sinks.running import Publisher, tick, until

from tradewind.connectors.archive import listed
from tradewind.connectors.archive.records import digest_of, frame_of
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.archive.archive import archive
from tradewind.topics import PARTITIONS, TICKS

PROGRAM = str(Path(__file__).parents[2] / "processes" / "archiver.py")
SEED = 7
DAY_US = 86_400_000_000


def archiver(settings: Settings, log: Path, file_bytes: int) -> Forked:
    """Start the sink in a process of its own."""
    with log.open("ab") as out:
        given = {**environment(settings), "TRADEWIND_ARCHIVE__FILE_S": "0.5"}
        return forked(PROGRAM, str(file_bytes), environment=given, out=out)


class Sender:
    """Sends all that a topic can hold: transactions, aborted ones too, headers, tombstones, and no schema's bytes."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.sent = 0
        settings = publisher.settings
        self.topic = settings.physical(TICKS)
        self._plain = Producer({**settings.librdkafka(), "linger.ms": 5, "enable.idempotence": True})

    def send(self, count: int) -> None:
        """Send some records of each kind."""
        for number in range(self.sent, self.sent + count):
            self._plain.produce(
                self.topic,
                None
                if number % 11 == 0
                else b"none"
                if number % 13 == 0
                else self.publisher.codec.encode(tick(number)),
                key=None if number % 7 == 0 else b"EURUSD.OANDA",
                partition=number % PARTITIONS,
                timestamp=(1_400_000_000_000_000 + number * DAY_US // 2000) // 1000,
                headers=[("n", b"%d" % number), ("none", None)] if number % 5 == 0 else None,
                on_delivery=delivered,
            )
        assert self._plain.flush(30) == 0
        for abort in (True, False):
            self.publisher.publish_transaction(TICKS, [tick(self.sent)] * 3, self.sent % PARTITIONS, abort=abort)
        self.sent += count


def counts(settings: Settings) -> dict[int, tuple[int, str]]:
    """Return count and digest of each partition of the topic."""
    found = {}
    for partition in range(PARTITIONS):
        records = [
            one for batch in raw_records(settings, settings.physical(TICKS), (partition,), "earliest") for one in batch
        ]
        digest = digest_of([frame_of(records)])
        found[partition] = (digest.count, digest.hex())
    return found


def archived(settings: Settings) -> int:
    """Return how many records are in files."""
    topic = settings.physical(TICKS)
    return sum(len(offsets(settings.archive_folder, topic, partition)) for partition in range(PARTITIONS))


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_kills_of_the_sink_leave_the_counts_and_digests_of_kafka(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills: int,
    evidence: Callable[[int, Mapping[str, int]], None],
) -> None:
    """Also while it writes a file; then a damaged file, a missing one and one that overlaps are named."""
    chance = random.Random(SEED)
    sender = Sender(Publisher(settings, [TICKS]))
    for _ in range(kills):
        process = archiver(settings, tmp_path / "log", 20_000)
        sender.send(600)
        before = archived(settings)
        until(lambda: archived(settings) > before, "records are archived")  # noqa: B023
        time.sleep(chance.uniform(0.0, 0.3))
        process.kill()
        process.wait(30)
    sender.send(100)
    whole = counts(settings)
    process = archiver(settings, tmp_path / "log", 20_000)
    try:
        until(lambda: archived(settings) == sum(count for count, _ in whole.values()), "all is archived")
    finally:
        process.terminate()
        assert process.wait(30) == 0
    evidence(SEED, {"kills": kills, "records": archived(settings)})
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    said = CliRunner().invoke(archive, ["verify"])
    assert said.exit_code == 0, said.output
    assert said.output.count(": equal") == PARTITIONS
    assert f"{whole[0][0]:,} compared with Kafka, which has 0 offsets more" in said.output
    assert CliRunner().invoke(archive, ["compact"]).exit_code == 0
    assert CliRunner().invoke(archive, ["verify"]).exit_code == 0
    listings = listed(settings.archive_folder, settings.physical(TICKS))
    damaged = listings[1].files[-1]
    listings[0].files[1].path.rename(tmp_path / "away")
    damaged.path.write_bytes(damaged.path.read_bytes()[:-1])
    said = CliRunner().invoke(archive, ["verify", "market.ticks"])
    assert said.exit_code == 1
    for words in ("are missing between", "Kafka has records at", f"{damaged} cannot be read"):
        assert words in said.output
