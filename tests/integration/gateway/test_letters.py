"""Dead letters are counted, and sent back once, to the agent whose name somebody has typed. On a real Kafka."""

from __future__ import annotations

from typing import Any

import pytest

from tradewind.connectors.dead_letters import Owner, Returns
from tradewind.connectors.dead_letters.topic import letter_topic
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.letters import Letters, Redrive
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.kafka import consume, publish
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.processors.identity import derive_id
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime.agent import Agent, redrive_topic, redriven_topic, skips_topic
from tradewind.topics import BARS, TICKS

AGENT = Agent(name="a", inputs=(TICKS,), outputs=(BARS,), processor=lambda state, segment: [])
RETURNS = Returns(redrive_topic(AGENT), redriven_topic(AGENT), skips_topic(AGENT), frozenset({TICKS.name}))
OWNERS = (Owner("a", letter_topic("a"), RETURNS), Owner("store", letter_topic("store")))
OPERATOR = Who("u", "operator", None, "s", 0)
SENT, GARBAGE = 5, 2


def letter(owner: str, offset: int, error: Any) -> DeadLetter:
    """Return a letter of a tick."""
    return DeadLetter(
        event_id=derive_id(owner, offset),
        agent=owner,
        error=error,
        reason=f"no price in {offset}",
        topic=TICKS.name,
        partition=offset % 4,
        offset=offset,
        ts_ingest=1_767_000_000_000_000,
        key=b"k",
        value=b"v",
        headers=(),
    )


@pytest.fixture
def letters(settings: Settings) -> Letters:
    """Give the letters of an agent and of a sink."""
    codec = open_codec(settings)
    ensure(settings, (*(one.letters for one in OWNERS), RETURNS.redrive, RETURNS.redriven, RETURNS.skips))
    kinds = ["POISON"] * SENT + ["UNDECODABLE"] * GARBAGE
    publish(OWNERS[0].letters, [letter("a", at, kind) for at, kind in enumerate(kinds)], settings)
    publish(OWNERS[1].letters, [letter("store", 0, "POISON")], settings)
    return Letters.of(settings, codec, lambda: OWNERS)


async def test_letters_are_counted_and_sent_once(letters: Letters) -> None:
    """The name must be typed; a repeat sends nothing; a sink has no way back."""
    found = await letters.groups()
    assert {
        (one["agent"], one["error"]): (one["letters"], one["waiting"], one["returns"]) for one in found["groups"]
    } == {
        ("a", "POISON"): (SENT, SENT, True),
        ("a", "UNDECODABLE"): (GARBAGE, GARBAGE, True),
        ("store", "POISON"): (1, 1, False),
    }
    assert (found["owners"], found["unreadable"]) == (["a", "store"], 0)
    asked = Redrive(agent="a", error="POISON")
    told = await letters.redrive(asked, OPERATOR)
    assert (told["would_send"], told["sent"], told["left_out"]) == (SENT, 0, [])
    assert list(consume(RETURNS.redrive, settings=letters.settings)) == [], "nothing is sent before the name is typed"
    for body, code in (
        (Redrive(agent="a", confirm="b"), "NOT_CONFIRMED"),
        (Redrive(agent="aa"), "UNKNOWN_AGENT"),
        (Redrive(agent="store", confirm="store"), "NO_WAY_BACK"),
    ):
        with pytest.raises(Problem) as refused:
            await letters.redrive(body, OPERATOR)
        assert refused.value.code == code
    assert (await letters.redrive(asked.model_copy(update={"confirm": "a"}), OPERATOR))["sent"] == SENT
    sent = [record.event for record in consume(RETURNS.redrive, settings=letters.settings)]
    assert sorted(one.offset for one in sent if isinstance(one, DeadLetter)) == list(range(SENT))
    with pytest.raises(Problem) as refused:
        await letters.redrive(asked.model_copy(update={"confirm": "a"}), OPERATOR)
    assert refused.value.code == "NOTHING_TO_SEND"
    told = await letters.redrive(Redrive(agent="a"), OPERATOR)
    assert (told["would_send"], told["left_out"]) == (GARBAGE, [{"count": SENT, "why": "were sent before"}])
    groups = (await letters.groups())["groups"]
    assert {(one["agent"], one["error"]): one["waiting"] for one in groups}["a", "POISON"] == 0
