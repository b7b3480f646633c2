"""Which topics and consumer groups are Tradewind's, those of other packages' agents among them."""

from __future__ import annotations

from tradewind.connectors.health.names import ALL_LETTERS, COUNTED, Known
from tradewind.connectors.settings import Settings
from tradewind.connectors.timeseries.product import TITLES, hinted
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.agents import OURS, installed
from tradewind.topics import DOMAIN_TOPICS, Topic

DEAD_LETTERS = "dlq"
KEPT_FOR_A_CONSUMER = ("changelog", "journal", "redrive", "redriven", "skips", "claims", DEAD_LETTERS)
"""Topics that a consumer has for itself, as `<consumer>.<one of these>`."""
CONSUMERS = tuple(dict.fromkeys(name for topic in DOMAIN_TOPICS for name in (*topic.producers, *topic.consumers)))
"""Agents, sinks and feeds of ours, as the topics name them: importing the agents themselves takes a second."""
CALLER_NAMES = ("caller-ai",)
"""Groups of `tradewind caller`."""
ARCHIVE = "archive"
SINK_NAMES = ("questdb", "influxdb", "postgres", ARCHIVE)
"""In the order in which `status` shows them, behind the agents."""


def known(settings: Settings) -> Known:
    """Return what a look at Kafka must know of this namespace."""
    return Known(topics_of(settings), inputs_of(settings), unused_of(settings), events_of(settings))


def topics_of(settings: Settings) -> tuple[str, ...]:
    """Return the name on the cluster of every topic that may be Tradewind's; not all need exist."""
    found = [*DOMAIN_TOPICS, *(topic for of in _installed(settings).values() for topic in of)]
    kept = (f"{consumer}.{kind}" for consumer in _consumers() for kind in KEPT_FOR_A_CONSUMER)
    return tuple(dict.fromkeys(settings.physical(topic) for topic in (*(topic.name for topic in found), *kept)))


def inputs_of(settings: Settings) -> dict[str, frozenset[str]]:
    """Return what each consumer group reads: group -> topics, by their names on the cluster."""
    ours = {name: [topic for topic in DOMAIN_TOPICS if name in topic.consumers] for name in CONSUMERS}
    ours[ARCHIVE] = [topic for topic in DOMAIN_TOPICS if topic.cleanup == "delete"]
    return {
        settings.physical(f"tradewind.{consumer}"): frozenset(settings.physical(topic) for topic in read)
        for consumer, read in {**ours, **_installed(settings)}.items()
    }


def sinks_of(settings: Settings) -> tuple[str, ...]:
    """Return the sinks that `up` runs, as far as the settings tell without asking the time-series store."""
    archive = (ARCHIVE,) if settings.archive.enabled else ()
    return (hinted(settings.influx) or "questdb", "postgres", *archive)


def unused_of(settings: Settings) -> frozenset[str]:
    """Return the groups of the sinks that the settings leave out; no time-series sink where they do not tell.

    Such a group has stood still since the settings were others. Its lag concerns nobody.
    """
    used = hinted(settings.influx)
    unused = [kind for kind in TITLES if used not in (None, kind)]
    archive = () if settings.archive.enabled else (ARCHIVE,)
    return frozenset(settings.physical(f"tradewind.{name}") for name in (*unused, *archive))


def readers() -> tuple[str, ...]:
    """Return the names of consumer groups in the order in which events pass them."""
    return (*(one.name for one in (*OURS, *installed())), *CALLER_NAMES, *SINK_NAMES)


def _consumers() -> tuple[str, ...]:
    return (*CONSUMERS, ARCHIVE, *(one.name for one in installed()))


def _installed(settings: Settings) -> dict[str, tuple[Topic, ...]]:
    """Return the inputs of each agent of another package; its module is imported."""
    return {one.name: one.declare(settings).inputs for one in installed()}


def events_of(settings: Settings) -> dict[tuple[str, type[Event] | None], str]:
    """Return (topic on the cluster, model of the record) -> the total that such a record adds to."""
    main = [((settings.physical(topic), topic.model), total) for topic, total in COUNTED.items()]
    letters = [
        ((settings.physical(f"{consumer}.{DEAD_LETTERS}"), DeadLetter), ALL_LETTERS) for consumer in _consumers()
    ]
    return dict([*main, *letters])
