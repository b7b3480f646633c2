"""Remembers the known cluster in the data folder, for a Kafka that runs there: beside its files, not among them."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tradewind.connectors.cluster.identity import Known
from tradewind.connectors.settings import ENDPOINTS, Settings

FILE = "known-cluster.json"


class FileUnreadable(RuntimeError):
    """The file is no such file: somebody edited it, or a disk lost it."""


@dataclass(frozen=True, slots=True)
class NotedTopic:
    """A topic, as it was accepted last."""

    id: str
    partitions: int
    namespace: str


@dataclass(frozen=True, slots=True)
class Noted:
    """What the file says. Namespaces that share the Kafka of a data folder share the file."""

    cluster_id: str | None = None
    topics: Mapping[str, NotedTopic] = field(default_factory=dict)
    """By their names on the cluster."""


def is_embedded(settings: Settings) -> bool:
    """Whether the settings' Kafka is the one that runs in their data folder."""
    try:
        endpoints = json.loads((settings.data / ENDPOINTS).read_text())
    except FileNotFoundError:
        return False
    own = endpoints.get("kafka", {}).get("bootstrap")
    return own is not None and own == settings.kafka.bootstrap


def noted(data: Path) -> Noted:
    """Return what the file of a data folder says, nothing where there is none; raises `FileUnreadable`."""
    path = data / FILE
    try:
        found = json.loads(path.read_text())
        return Noted(found["cluster_id"], {name: NotedTopic(**topic) for name, topic in found["topics"].items()})
    except FileNotFoundError:
        return Noted()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileUnreadable(
            f"{path} is not a record of a known cluster ({error!r}): restore it, or remove it if you know that Kafka's "
            "files are whole; PostgreSQL keeps the same ids"
        ) from error


def known_by_file(settings: Settings) -> Known:
    """Return what the file says of the namespace's topics; nothing where the Kafka is not the folder's own."""
    if not is_embedded(settings):
        return Known()
    found = noted(settings.data)
    own = {name: topic.id for name, topic in found.topics.items() if topic.namespace == settings.namespace}
    return Known(found.cluster_id, own)


def others_in_file(settings: Settings) -> dict[str, NotedTopic]:
    """Return what the file says of other namespaces' topics; nothing where the Kafka is not the folder's own."""
    if not is_embedded(settings):
        return {}
    return {name: topic for name, topic in noted(settings.data).topics.items() if topic.namespace != settings.namespace}


def keep_in_file(
    settings: Settings, known: Known, partitions: Mapping[str, int], dropped: Collection[str] = ()
) -> None:
    """Replace what the file says of the namespace's topics, where the Kafka is the folder's own.

    Of other namespaces' topics, those of `dropped` go, and the counts of `partitions` are taken over. Their ids stay:
    whether those are accepted is for their own namespace to say.
    """
    if not is_embedded(settings):
        return
    try:
        before = noted(settings.data)
    except FileUnreadable:
        before = Noted()
    topics = dict(before.topics) if before.cluster_id == known.cluster_id else {}
    others = {
        name: replace(topic, partitions=partitions.get(name) or topic.partitions)
        for name, topic in topics.items()
        if topic.namespace != settings.namespace and name not in dropped
    }
    own = {
        name: NotedTopic(topic_id, partitions.get(name) or topics[name].partitions, settings.namespace)
        for name, topic_id in known.topics.items()
        if name in partitions or name in topics
    }
    text = {"cluster_id": known.cluster_id, "topics": {name: asdict(of) for name, of in {**others, **own}.items()}}
    path = settings.data / FILE
    draft = path.with_name(f".{FILE}.{os.getpid()}")
    with draft.open("w") as file:
        json.dump(text, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
