"""Copies of topics into another namespace, from Kafka and from the archive: byte for byte, whatever is killed."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Message, Producer
from processes.forking import forked
from processes.pipeline import environment
from runtime.cluster import delivered
from sinks.running import FAST, Publisher, fill, running, tick, until

from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.archive.sink import ArchiveSink
from tradewind.infra.cli.processes.feed import feed
from tradewind.infra.cli.trading.replay import replay
from tradewind.topics import FILLS, PARTITIONS, TICKS, Topic

COPIER = str(Path(__file__).parents[2] / "processes" / "copier.py")
TOPICS = (TICKS.name, FILLS.name)
COUNT = 3_000


def told(message: Message) -> tuple[object, ...]:
    """Return all that a record is, but its offset."""
    return message.key(), message.value(), message.headers(), message.timestamp()


def records(settings: Settings, topic: Topic) -> list[list[tuple[object, ...]]]:
    """Return the records of each partition."""
    name = settings.physical(topic)
    return [
        [told(message) for batch in raw_records(settings, name, (partition,), "earliest") for message in batch]
        for partition in range(PARTITIONS)
    ]


def publish(publisher: Publisher) -> None:
    """Publish ticks with gaps of markers among their offsets, and fills with headers and a tombstone."""
    publisher.publish(TICKS, [tick(number) for number in range(COUNT)])
    publisher.publish_transaction(TICKS, [tick(COUNT)], partition=1, abort=True)
    publisher.publish_transaction(TICKS, [tick(COUNT + 1)], partition=1)
    producer = Producer(publisher.settings.librdkafka())
    for number in range(40):
        producer.produce(
            publisher.settings.physical(FILLS),
            None if number == 9 else publisher.codec.encode(fill(number)),
            key=b"alpha",
            partition=number % PARTITIONS,
            timestamp=1_400_000_000_000 + number,
            headers=[("traceparent", b"%d" % number), ("none", None)],
            on_delivery=delivered,
        )
    assert producer.flush(30) == 0


@pytest.fixture
def commands(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give commands of this process the settings."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)


def run(*arguments: str) -> Result:
    """Run `replay`."""
    return CliRunner().invoke(replay, arguments)


def test_a_killed_copy_goes_on_and_the_namespace_is_compared_and_removed(
    settings: Settings, commands: None, tmp_path: Path
) -> None:
    """Records, order, headers and times are those of the source; a changed one is named; another slice is refused."""
    publisher = Publisher(settings, [TICKS, FILLS])
    publish(publisher)
    name = f"{settings.namespace.rstrip('.')}-copy"
    into = settings.model_copy(update={"namespace": f"{name}."})
    speed = ("--speed", "0.01")  # 3 ms of event time, in blocks of half a millisecond
    with (tmp_path / "log").open("ab") as log:
        for commits in (0, 2):
            arguments = (COPIER, str(commits), "replay", *TOPICS, "--into", name, *speed)
            process = forked(*arguments, environment=environment(settings), out=log)
            assert process.wait(60) == -signal.SIGKILL, (tmp_path / "log").read_text()
    done = run(*TOPICS, "--into", name)
    assert done.exit_code == 0, done.output
    assert "after those of an earlier run" in done.output
    for topic in (TICKS, FILLS):
        assert records(into, topic) == records(settings, topic)
    again = run(*TOPICS, "--into", name)
    assert (again.exit_code, "0 records copied after" in again.output) == (0, True)
    assert "another slice" in run("market.ticks", "--into", name, "--from", "2014-05-01").output
    assert run(*TOPICS, "--into", name, "--compare").exit_code == 0
    Publisher(into, []).publish(TICKS, [tick(COUNT + 7)])
    differing = run(*TOPICS, "--into", name, "--compare")
    assert differing.exit_code == 1
    assert "first difference: market.ticks/0@-," in differing.output
    assert run("--into", name, "--drop", "--yes").exit_code == 0
    assert "there is nothing" in run("--into", name, "--drop", "--yes").output
    anew = run(*TOPICS, "--into", name)
    assert (anew.exit_code, "earlier run" in anew.output) == (0, False), anew.output
    assert records(into, TICKS) == records(settings, TICKS)
    assert run("--into", name, "--drop", "--yes").exit_code == 0


def test_a_slice_is_copied_from_the_archive_as_from_kafka_and_fed_again(
    settings: Settings, commands: None, tmp_path: Path
) -> None:
    """By event time; a namespace in use and a range without records are refused."""
    publisher = Publisher(settings, [TICKS, FILLS])
    publish(publisher)
    sink = ArchiveSink(settings, (TICKS, FILLS))
    with running(settings, sink, publisher.codec, FAST) as loop:
        until(lambda: loop.counters.written == COUNT + 1 + 40, "all is taken")
    whole = records(settings, TICKS)
    names = [f"{settings.namespace.rstrip('.')}-{source}" for source in ("kafka", "archive")]
    span = ("--from", "2014-05-01T00:00:00.000100Z", "--to", "2014-05-01T00:00:00.000900Z")
    found = []
    for source, name in zip(("kafka", "archive"), names, strict=True):
        done = run("market.ticks", "--into", name, *span, "--source", source)
        assert (done.exit_code, "800 records copied" in done.output) == (0, True), done.output
        found.append(records(settings.model_copy(update={"namespace": f"{name}."}), TICKS))
    assert found[0] == found[1]
    assert sum(map(len, found[0])) == 800
    said = run("execution.fills", "--into", names[0], "--from", "2030-01-01")
    assert "there is no record in the range: execution.fills has 2014-05-01" in said.output
    assert "is the namespace of these settings" in run("market.ticks", "--into", settings.namespace).output
    for _ in range(2):
        fed = CliRunner().invoke(feed, ["archive:market.ticks"])
        assert fed.exit_code == 0, fed.output
    assert records(settings, TICKS) == [[*ticks, *ticks] for ticks in whole]
    for name in names:
        assert run("--into", name, "--drop", "--yes").exit_code == 0
    assert threading.active_count() < 50
