"""When a process goes on, when it is not ready and when it stops, by what Kafka, PostgreSQL and the folder tell."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tradewind.connectors.cluster import comparison, guard
from tradewind.connectors.cluster.file import FILE, FileUnreadable, keep_in_file, known_by_file, noted
from tradewind.connectors.cluster.guard import Guard
from tradewind.connectors.cluster.identity import ClusterDiffers, Found, Known
from tradewind.connectors.cluster.kept import KeptAway
from tradewind.connectors.cluster.look import Look
from tradewind.connectors.cluster.timings import LookTimings
from tradewind.connectors.settings import ENDPOINTS, KafkaSettings, PostgresSettings, Settings
from tradewind.infra.cli.processes.stopping import set_from_thread

WAIT_S = 30.0
SLACK_S = 15.0
"""Of a busy machine; what would hang takes longer."""
AT_ONCE = LookTimings(settle_s=0.0, again_s=0.0, known_s=0.0, every_s=0.01)
"""Nothing is waited for, and a guard looks all the time."""
KNOWN = Known("one", {"market.ticks": "a"})
AS_KNOWN = Found("one", {"market.ticks": "a"})


class Cluster:
    """What Kafka and PostgreSQL answer."""

    def __init__(self) -> None:
        self.found = AS_KNOWN
        self.known = KNOWN
        self.partitions: dict[str, int] = {}
        self.away = False
        self.looks: list[Found] = []
        """Answers of the next looks; `found` after them."""

    def look(self, *_: object) -> Look:
        return Look(self.looks.pop(0) if self.looks else self.found, self.partitions)

    def by_postgres(self, _: Settings) -> Known:
        if self.away:
            raise KeptAway("PostgreSQL does not answer")
        return self.known


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Give answers in place of Kafka's and PostgreSQL's."""
    made = Cluster()
    monkeypatch.setattr(comparison, "look", made.look)
    monkeypatch.setattr(guard, "look", made.look)
    monkeypatch.setattr(comparison, "known_by_postgres", made.by_postgres)
    monkeypatch.setattr(comparison, "keep_in_postgres", lambda *_: None)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings of an external Kafka and PostgreSQL."""
    return Settings(
        _env_file=None,
        data=tmp_path,
        kafka=KafkaSettings(bootstrap="broker:9092"),
        postgres=PostgresSettings(url="postgresql://db/tradewind"),
    )


def embedded(settings: Settings) -> None:
    """Have the data folder say that the Kafka is its own."""
    (settings.data / ENDPOINTS).write_text(json.dumps({"kafka": {"bootstrap": settings.kafka.bootstrap}}))


def test_a_process_does_not_start_on_another_cluster(cluster: Cluster, settings: Settings) -> None:
    """It raises before anything is read."""
    cluster.found = Found("two", {"market.ticks": "a"})
    with pytest.raises(ClusterDiffers, match="was one and is two"):
        Guard(settings, "a test", AT_ONCE).check()


def test_without_postgresql_a_process_goes_on_unready_and_compares_later(cluster: Cluster, settings: Settings) -> None:
    """It stops then, where the cluster is another one."""
    cluster.away, cluster.found = True, Found("two", {})
    watched, told = Guard(settings, "a test", AT_ONCE), threading.Event()
    watched.check()
    assert watched.reasons() == ["the cluster has not been compared yet: PostgreSQL does not answer"]
    watched.start(told.set)
    assert not told.wait(0.1)
    cluster.away = False
    assert told.wait(WAIT_S)
    assert "the cluster's id was one and is two" in watched.reasons()[0]


def test_the_data_folder_s_record_stands_in_for_postgresql(cluster: Cluster, settings: Settings) -> None:
    """An embedded Kafka is compared though PostgreSQL is away."""
    embedded(settings)
    keep_in_file(settings, KNOWN, {"market.ticks": 4})
    cluster.away = True
    calm = Guard(settings, "a test", AT_ONCE)
    calm.check()
    assert calm.reasons() == []
    cluster.found = Found("one", {"market.ticks": "b"})
    with pytest.raises(ClusterDiffers, match="created again"):
        Guard(settings, "a test", AT_ONCE).check()


def test_a_topic_that_one_look_misses_is_not_lost(cluster: Cluster, settings: Settings) -> None:
    """A broker that has just started may not know all topics; one that two looks miss is."""
    watched, told = Guard(settings, "a test", AT_ONCE), threading.Event()
    watched.check()
    gone = Found("one", {})
    cluster.looks = [gone, AS_KNOWN, gone]
    watched.start(told.set)
    assert not told.wait(0.2)
    cluster.found = gone
    assert told.wait(WAIT_S)
    assert "market.ticks (id a) is missing" in watched.reasons()[0]


def test_a_topic_that_nobody_had_recorded_is_known_from_the_start_on(cluster: Cluster, settings: Settings) -> None:
    """It is created again under a running process."""
    cluster.known = Known()
    watched, told = Guard(settings, "a test", AT_ONCE), threading.Event()
    watched.check()
    cluster.found = Found("one", {"market.ticks": "b"})
    watched.start(told.set)
    assert told.wait(WAIT_S)


def test_namespaces_that_share_a_data_folder_keep_each_other_s_topics(settings: Settings) -> None:
    """Each compares and replaces its own, the one without a name as well."""
    embedded(settings)
    staging = settings.model_copy(update={"namespace": "staging."})
    keep_in_file(settings, KNOWN, {"market.ticks": 4})
    keep_in_file(staging, Known("one", {"staging.market.ticks": "s"}), {"staging.market.ticks": 4})
    keep_in_file(settings, Known("one", {"market.ticks": "b"}), {"market.ticks": 4})
    assert known_by_file(settings).topics == {"market.ticks": "b"}
    assert known_by_file(staging).topics == {"staging.market.ticks": "s"}


def test_the_record_of_a_data_folder_is_not_for_an_external_kafka(settings: Settings) -> None:
    """Neither read nor written."""
    keep_in_file(settings, KNOWN, {"market.ticks": 4})
    assert noted(settings.data).cluster_id is None
    embedded(settings)
    keep_in_file(settings, KNOWN, {"market.ticks": 4})
    other = settings.model_copy(update={"kafka": KafkaSettings(bootstrap="elsewhere:9092")})
    assert known_by_file(other) == Known()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cluster_id": "one"}', '{"cluster_id": "one", "topics": {"t": 1}}'])
def test_a_damaged_record_is_told_with_what_to_do(settings: Settings, text: str) -> None:
    """A full disk may have emptied it: it is no record of "nothing known"."""
    (settings.data / FILE).write_text(text)
    with pytest.raises(FileUnreadable, match="restore it, or remove it"):
        noted(settings.data)


def accepted(
    settings: Settings, cluster: Cluster, *, by_a_person: bool, timings: LookTimings = AT_ONCE
) -> tuple[str, ...]:
    """Take the cluster for the known one, as `prepare` does."""
    before = comparison.compare(settings, ["market.ticks"], timings)
    return comparison.remember(settings, ["market.ticks"], before, accepted=by_a_person, timings=timings)


def test_an_accepted_cluster_need_not_have_what_another_namespace_lost(cluster: Cluster, settings: Settings) -> None:
    """Its topics were deleted and nobody prepares it again: without this its Kafka would never start again."""
    embedded(settings)
    staging = settings.model_copy(update={"namespace": "staging."})
    theirs = {"staging.gone": "g", "staging.there": "t", "staging.again": "o", "staging.untold": "u"}
    keep_in_file(settings, KNOWN, {"market.ticks": 4})
    keep_in_file(staging, Known("one", theirs), dict.fromkeys(theirs, 4))
    cluster.found = Found(
        "one", {"market.ticks": "a", "staging.there": "t", "staging.again": "n"}, frozenset({"staging.untold"})
    )
    cluster.partitions = {"market.ticks": 4, "staging.there": 4, "staging.again": 2}

    assert accepted(settings, cluster, by_a_person=False) == ()
    assert known_by_file(staging).topics == theirs

    assert accepted(settings, cluster, by_a_person=True) == ("staging.gone",)
    del theirs["staging.gone"]
    assert known_by_file(staging).topics == theirs  # one that was created again is for its namespace to accept
    counts = {name: topic.partitions for name, topic in noted(settings.data).topics.items()}
    assert counts == {**dict.fromkeys(theirs, 4), "market.ticks": 4, "staging.again": 2}
    assert known_by_file(settings).topics == {"market.ticks": "a"}


def test_a_broker_that_has_just_started_has_time_to_know_another_namespace_s_topics(
    cluster: Cluster, settings: Settings
) -> None:
    """An early answer forgets nothing."""
    embedded(settings)
    staging = settings.model_copy(update={"namespace": "staging."})
    keep_in_file(settings, KNOWN, {"market.ticks": 4})
    keep_in_file(staging, Known("one", {"staging.slow": "s"}), {"staging.slow": 4})
    cluster.looks = [AS_KNOWN, AS_KNOWN, AS_KNOWN]
    cluster.found = Found("one", {"market.ticks": "a", "staging.slow": "s"})
    assert accepted(settings, cluster, by_a_person=True, timings=replace(AT_ONCE, settle_s=WAIT_S)) == ()
    assert known_by_file(staging).topics == {"staging.slow": "s"}


@pytest.mark.parametrize(
    ("found", "published"), [(Found("two", {"market.ticks": "b"}), 0), (Found("one", {"market.ticks": "b"}), 1)]
)
def test_nothing_is_published_to_another_cluster(
    cluster: Cluster, settings: Settings, monkeypatch: pytest.MonkeyPatch, found: Found, published: int
) -> None:
    """It may be somebody else's: an alert goes to the known cluster alone, whose topic was created again."""
    alerts: list[object] = []
    monkeypatch.setattr(guard, "publish", lambda _topic, events, _settings: alerts.extend(events))
    cluster.found = found
    with pytest.raises(ClusterDiffers), guard.guarded(settings, "a test", timings=AT_ONCE):
        pass
    assert len(alerts) == published


def test_a_process_ends_though_a_look_waits_for_kafka(
    cluster: Cluster, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once; the look that comes back later stops nobody, whatever it found or failed by."""
    looking, answers, told = threading.Event(), threading.Event(), threading.Event()
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)

    def slow(*_: object) -> Look:
        looking.set()
        assert answers.wait(WAIT_S)
        return Look(Found("two", {}), {})

    watched = Guard(settings, "a test", AT_ONCE)
    watched.check()
    monkeypatch.setattr(guard, "look", slow)
    watched.start(told.set)
    assert looking.wait(WAIT_S)
    began = time.monotonic()
    watched.close()
    assert time.monotonic() - began < SLACK_S
    answers.set()
    watched._thread.join(WAIT_S)
    assert (told.is_set(), watched.found, raised) == (False, (), [])


def test_a_difference_that_is_found_after_the_worker_s_loop_was_closed_raises_nothing() -> None:
    """The worker has ended by itself; the watch's thread must not print a traceback beside its last words."""
    loop = asyncio.new_event_loop()
    loop.close()
    set_from_thread(asyncio.Event(), loop)
