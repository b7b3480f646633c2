"""What was known of a cluster against what is there now. It asks nobody and decides by values alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

SHOWN = 5  # topics that a message names; the rest is counted
ACCEPT = "--accept-cluster"
"""The option of `prepare` and `up` that goes on with what is there now."""


@dataclass(frozen=True, slots=True)
class Known:
    """A cluster as it was accepted last."""

    cluster_id: str | None = None
    """None where none has been accepted yet."""
    topics: Mapping[str, str] = field(default_factory=dict)
    """Name on the cluster -> Kafka's id of the topic."""


@dataclass(frozen=True, slots=True)
class Found:
    """A cluster as it is now."""

    cluster_id: str | None
    """None where the cluster does not tell it."""
    topics: Mapping[str, str] = field(default_factory=dict)
    """Name on the cluster -> id, of the topics that are there and were asked for."""
    untold: frozenset[str] = frozenset()
    """Topics of which the cluster tells nothing: it may not authorise us to describe them, or has no ids."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was known."""

    kind: Literal["cluster", "missing", "recreated"]
    name: str
    """The topic's name on the cluster; empty for the cluster itself."""
    known: str
    found: str
    """Empty where the topic is missing."""

    def __str__(self) -> str:
        if self.kind == "cluster":
            return f"the cluster's id was {self.known} and is {self.found}"
        if self.kind == "missing":
            return f"topic {self.name} (id {self.known}) is missing"
        return f"topic {self.name} was deleted and created again: its id was {self.known} and is {self.found}"


def differences(known: Known, found: Found) -> tuple[Difference, ...]:
    """Return how a cluster differs from the known one: another id, topics that are missing or were created again.

    A topic that was not known is no difference: a new version declares it. One of which the cluster tells nothing is
    none either, nor is one that retention has emptied: its id stays.
    """
    cluster = []
    if None not in {known.cluster_id, found.cluster_id} and known.cluster_id != found.cluster_id:
        cluster.append(Difference("cluster", "", str(known.cluster_id), str(found.cluster_id)))
    return (*cluster, *_of_topics(known, found))


def _of_topics(known: Known, found: Found) -> Iterable[Difference]:
    for name, topic_id in sorted(known.topics.items()):
        if name in found.untold:
            continue
        now = found.topics.get(name)
        if now is None:
            yield Difference("missing", name, topic_id, "")
        elif now != topic_id:
            yield Difference("recreated", name, topic_id, now)


def summary(found: Iterable[Difference]) -> str:
    """Return differences in one sentence: the first few by name, the rest counted."""
    listed = [str(difference) for difference in found]
    more = len(listed) - SHOWN
    return "; ".join(listed[:SHOWN]) + (f"; and {more} more topics" if more > 0 else "")


def refusal(found: Iterable[Difference], bootstrap: str) -> str:
    """Return why nothing goes on: what was known, what is there, what that means and what to do."""
    return (
        f"Kafka at {bootstrap} is not the cluster that this Tradewind knew: {summary(found)}. "
        "Records, state, consumer offsets and kill switches of these topics are gone or belong to another cluster. "
        "Nothing was created or changed. "
        "If the address or the data folder is wrong, correct it (TRADEWIND_KAFKA__BOOTSTRAP, --data). "
        "If Kafka can be restored from a backup, restore it and start again. "
        f"To go on without what is lost, run `./dev prepare {ACCEPT}` (or `./dev up {ACCEPT}`): it records the new "
        "ids, and engages again the kill switches that PostgreSQL kept. `./dev reset` begins from nothing."
    )


class ClusterDiffers(RuntimeError):
    """Kafka is not the cluster that was known; the message says what differs, what it means and what to do."""

    def __init__(self, found: Iterable[Difference], bootstrap: str) -> None:
        self.differences = tuple(found)
        super().__init__(refusal(self.differences, bootstrap))
