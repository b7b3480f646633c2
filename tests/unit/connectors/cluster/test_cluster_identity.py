"""What was known of a cluster against what is there: differences with words, and none where nothing was lost."""

from __future__ import annotations

from tradewind.connectors.cluster.guard import alert_of
from tradewind.connectors.cluster.identity import ClusterDiffers, Found, Known, differences, summary
from tradewind.connectors.cluster.look import NO_ID, text_of, understood
from tradewind.connectors.settings import Settings

KNOWN = Known("one", {"market.ticks": "a", "risk.changelog": "b"})


def test_a_cluster_as_it_was_known_has_no_differences() -> None:
    """New topics are none either: a version that declares them has not recorded them yet."""
    assert differences(KNOWN, Found("one", {"market.ticks": "a", "risk.changelog": "b", "new": "c"})) == ()


def test_another_cluster_is_a_difference_though_its_topics_have_the_same_names() -> None:
    """Its topics have other ids, and each is said."""
    found = differences(KNOWN, Found("two", {"market.ticks": "x", "risk.changelog": "y"}))
    assert [(one.kind, one.name) for one in found] == [
        ("cluster", ""),
        ("recreated", "market.ticks"),
        ("recreated", "risk.changelog"),
    ]
    assert str(found[0]) == "the cluster's id was one and is two"
    assert str(found[1]) == "topic market.ticks was deleted and created again: its id was a and is x"


def test_a_known_topic_that_is_missing_is_a_difference() -> None:
    """Nothing would create it but `prepare`, which would hide the loss."""
    (found,) = differences(KNOWN, Found("one", {"market.ticks": "a"}))
    assert str(found) == "topic risk.changelog (id b) is missing"


def test_nothing_known_is_no_difference() -> None:
    """The first start, and one after PostgreSQL was lost instead of Kafka."""
    assert differences(Known(), Found("one", {"market.ticks": "a"})) == ()


def test_what_a_cluster_does_not_tell_is_no_difference() -> None:
    """External clusters may not authorise DESCRIBE, and old ones have no topic ids."""
    assert differences(KNOWN, Found(None, {}, frozenset({"market.ticks", "risk.changelog"}))) == ()


def test_a_refusal_says_what_was_known_what_is_there_what_it_means_and_what_to_do() -> None:
    """All in one message, which `prepare`, workers and the alert share."""
    message = str(ClusterDiffers(differences(KNOWN, Found("two", {"market.ticks": "a"})), "broker:9092"))
    for part in ("broker:9092", "was one and is two", "risk.changelog (id b) is missing", "kill switches"):
        assert part in message
    for remedy in ("--accept-cluster", "./dev reset", "Nothing was created"):
        assert remedy in message


def test_a_summary_names_a_few_topics_and_counts_the_rest() -> None:
    """A lost disk takes 45 topics."""
    many = Known("one", {f"topic{number:02}": "a" for number in range(45)})
    text = summary(differences(many, Found("one", {})))
    assert "topic04" in text
    assert "topic05" not in text
    assert text.endswith("and 40 more topics")


def test_an_answer_is_told_apart_as_there_absent_or_untold() -> None:
    """Error 3 is an absent topic, 29 one that is not authorised; an id of zeros is none."""
    some = bytes(range(16))
    topics = [
        (0, "there", some, False, [1, 2], 0),
        (3, "absent", NO_ID, False, [], 0),
        (29, "closed", NO_ID, False, [], 0),
        (0, "old", NO_ID, False, [1], 0),
    ]
    look = understood("one", ["there", "absent", "closed", "old"], topics)
    assert look.found == Found("one", {"there": text_of(some)}, frozenset({"closed", "old"}))
    assert look.partitions == {"there": 2}


def test_every_process_alerts_of_the_same_differences_under_the_same_id() -> None:
    """So whoever keeps alerts by id has it once."""
    settings = Settings(_env_file=None, kafka={"bootstrap": "broker:9092"})
    found = differences(KNOWN, Found("two", {}))
    first, second = alert_of(found, settings, 1), alert_of(found, settings, 2)
    assert first.event_id == second.event_id
    assert (first.code, first.severity) == ("CLUSTER_DIFFERS", "CRITICAL")
