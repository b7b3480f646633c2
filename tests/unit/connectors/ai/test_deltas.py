"""Deltas in memory: the claims that hold on Valkey too, lost entries, and a server that hangs."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from calls.calling import call
from deltas.contract import DeltaContract, Links, Scene, Scripted, response
from deltas.in_memory import MemoryValkey
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.ai.deltas.entries import Entry, pieces
from tradewind.connectors.ai.deltas.limits import DeltaLimits
from tradewind.connectors.ai.deltas.merging import Delta, Done, Merging, Reset
from tradewind.connectors.ai.deltas.reader import DeltaReader
from tradewind.connectors.ai.deltas.writer import DeltaWriter

ENTRIES = st.builds(Entry, st.integers(1, 3), st.integers(1, 4), st.sampled_from(["a", "b", "ab", "ä"]), st.booleans())
SLACK_S = 15.0
"""Of a busy machine; what would hang takes longer."""


@pytest.fixture
def links() -> Links:
    """Give a server in memory."""
    return MemoryValkey().link


class TestInMemory(DeltaContract):
    """The contract."""


@given(st.lists(ENTRIES, max_size=12), st.sampled_from(["", "a", "ab", "aba", "äab", "bab"]))
def test_whatever_is_lost_or_repeated_the_client_ends_with_the_response(entries: list[Entry], text: str) -> None:
    """Entries of any attempts, in any order."""
    merging, asked = Merging(), call()
    shown = [one for entry in entries for one in merging.entry(entry)] + merging.done(response(asked, text))
    have = ""
    for one in shown:
        have = "" if isinstance(one, Reset) else have + one.text if isinstance(one, Delta) else have
    assert have == text
    assert [one for one in shown if isinstance(one, Done)] == [shown[-1]]


def test_entries_in_order_are_shown_once_and_nothing_is_reset() -> None:
    """Else the response alone would make the client's text right."""
    merging = Merging()
    entries = [Entry(1, 1, "a"), Entry(1, 2, "b"), Entry(1, 2, "b"), Entry(1, 3, "c")]
    assert [merging.entry(entry) for entry in entries] == [[Delta("a")], [Delta("b")], [], [Delta("c")]]
    asked = response(call(), "abc")
    assert merging.done(asked) == [Done(asked)]


def test_a_missing_number_ends_the_deltas_of_an_attempt() -> None:
    """The text behind it would be wrong; the response brings the rest."""
    merging, asked = Merging(), response(call(), "abc")
    assert [merging.entry(Entry(1, 1, "a")), merging.entry(Entry(1, 3, "c"))] == [[Delta("a")], []]
    assert merging.done(asked) == [Delta("bc"), Done(asked)]


@given(st.text(max_size=40), st.integers(4, 12))
def test_pieces_are_short_and_make_up_the_text(text: str, most: int) -> None:
    """In bytes of UTF-8, with no character cut."""
    found = pieces(text, most)
    assert "".join(found) == text
    assert all(len(piece.encode()) <= most for piece in found)


class Hanging:
    """A server that takes commands and never answers."""

    asked = 0

    async def ask(self, commands: list[Any], within_s: float) -> list[Any]:
        self.asked += 1
        async with asyncio.timeout(within_s):
            await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None: ...


async def test_a_server_that_hangs_slows_no_call_and_is_left_alone() -> None:
    """A hundred answers come as fast as without it; one write waited, and the others did not."""
    server = Hanging()
    limits = DeltaLimits(answer_s=0.05, close_s=0.01)
    async with Scene(lambda: server, limits) as scene:
        providers = [Scripted() for _ in range(100)]
        for provider in providers:
            provider.may_end.set()
        begun = time.monotonic()
        attempts = [await scene.perform(provider, call(stream="LIVE")) for provider in providers[:3]]
        assert time.monotonic() - begun < SLACK_S
        assert {attempt.text for attempt in attempts} == {"the market is calm"}
    writer = DeltaWriter(server, limits=limits)
    server.asked = 0
    for _ in range(100):
        telling = writer.begin(call(stream="LIVE"))
        assert telling is not None
        telling.text("word")
        await asyncio.sleep(0.002)
    await writer.close()
    assert server.asked == 1


async def test_text_that_waits_is_bounded() -> None:
    """Beyond the bound an answer comes whole at its end."""
    writer = DeltaWriter(Hanging(), limits=DeltaLimits(waiting_bytes=10, close_s=0.01))
    tellings = [writer.begin(call(stream="LIVE")) for _ in range(3)]
    for telling in tellings:
        assert telling is not None
        telling.text("8 bytes.")
    assert [telling.over for telling in tellings if telling is not None] == [False, True, True]
    await writer.close()


async def test_without_a_server_the_answer_is_the_same() -> None:
    """It comes whole, with its response."""
    asked = call(stream="LIVE")
    async with DeltaReader(None) as reader:
        following = reader.follow("alpha", asked.request_id)
        answered = response(asked, "the market is calm")
        following.answered(answered)
        assert [one async for one in following] == [Delta("the market is calm"), Done(answered)]


async def test_a_schema_in_sure_has_no_deltas() -> None:
    """The agent may still refuse the answer."""
    writer = DeltaWriter(Hanging())
    assert writer.begin(call(stream="SURE", body={"json_schema": {"type": "object"}})) is None
    assert writer.begin(call(stream="LIVE", body={"json_schema": {"type": "object"}})) is not None
    assert writer.begin(call(stream="NONE")) is None
