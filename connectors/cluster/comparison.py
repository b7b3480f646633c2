"""Compares a cluster with what was known of it, and takes it over where a person accepts it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tradewind.connectors.cluster.file import keep_in_file, known_by_file, others_in_file
from tradewind.connectors.cluster.identity import ClusterDiffers, Difference, Known, differences
from tradewind.connectors.cluster.kept import KeptAway, keep_in_postgres, known_by_postgres
from tradewind.connectors.cluster.look import Look, look
from tradewind.connectors.cluster.timings import USUAL, LookTimings
from tradewind.connectors.settings import Settings


@dataclass(frozen=True, slots=True)
class Comparison:
    """A cluster as it is, and as it was known."""

    known: tuple[Known, ...]
    """By each place that knows it."""
    look: Look
    differences: tuple[Difference, ...]
    away: str | None = None
    """Why PostgreSQL could not be asked; None where it was."""

    @property
    def checked(self) -> bool:
        """Whether any place said which cluster is known, or that none is."""
        return self.away is None or any(known.cluster_id is not None for known in self.known)


def compare(settings: Settings, names: Iterable[str], timings: LookTimings = USUAL) -> Comparison:
    """Compare the cluster with what PostgreSQL and, for an embedded Kafka, the data folder know of it.

    `names` are topics, by their names on the cluster, to be looked at besides the known ones. Raises
    `BrokerUnavailable` after `timings.answer_s`, and `FileUnreadable` where the folder's file is damaged.
    """
    known, away = [known_by_file(settings)], None
    try:
        known.append(known_by_postgres(settings))
    except KeptAway as reason:
        away = str(reason)
    wanted = {*names, *(name for of in known for name in of.topics)}
    deadline = time.monotonic() + timings.settle_s
    while True:
        seen = look(settings, wanted, timings.answer_s)
        found = tuple(dict.fromkeys(one for of in known for one in differences(of, seen.found)))
        if all(one.kind != "missing" for one in found) or time.monotonic() > deadline:
            return Comparison(tuple(known), seen, found, away)
        time.sleep(timings.again_s)


def require_known(settings: Settings, names: Iterable[str]) -> Comparison:
    """Return the comparison; raises `ClusterDiffers` where the cluster is not the known one, and as `compare` does."""
    found = compare(settings, names)
    if found.differences:
        raise ClusterDiffers(found.differences, settings.bootstrap)
    return found


def remember(
    settings: Settings,
    names: Iterable[str],
    before: Comparison,
    *,
    accepted: bool = False,
    timings: LookTimings = USUAL,
) -> tuple[str, ...]:
    """Take the cluster as it is for the known one.

    `names` are the declared topics, by their names on the cluster. Of topics that the cluster tells nothing of, what
    was known stays. Where a person `accepted` the cluster, the data folder also forgets topics of other namespaces
    that are not there, else its Kafka could not be started for want of them; returns those. Raises
    `BrokerUnavailable`, `KeptAway` and `FileUnreadable`.
    """
    declared = set(names)
    others = set(others_in_file(settings)) - declared if accepted else set()
    deadline = time.monotonic() + timings.settle_s
    while True:
        seen = look(settings, declared | others, timings.answer_s)
        gone = tuple(sorted(others - seen.found.topics.keys() - seen.found.untold))
        if not gone or time.monotonic() > deadline:
            break
        time.sleep(timings.again_s)
    topics = {name: of for name, of in seen.found.topics.items() if name in declared}
    earlier = {name: of for known in before.known for name, of in known.topics.items() if name in seen.found.untold}
    cluster_id = seen.found.cluster_id or next((of.cluster_id for of in before.known if of.cluster_id), None)
    known = Known(cluster_id, {**earlier, **topics})
    keep_in_postgres(settings, known)
    keep_in_file(settings, known, seen.partitions, gone)
    return gone
