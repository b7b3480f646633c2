"""What clients see of answers while they come: claims that are run in memory and on Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Self

import pytest
from calls.calling import call

from tradewind.connectors.ai.answer import Answer, Outcome
from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.deltas.entries import stream_key
from tradewind.connectors.ai.deltas.limits import DeltaLimits
from tradewind.connectors.ai.deltas.merging import Delta, Done, Reset, Shown
from tradewind.connectors.ai.deltas.reader import DeltaReader, Following
from tradewind.connectors.ai.deltas.writer import Asked, DeltaWriter
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.calls.kind import Sending
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiCall, AiResponse

Links = Callable[[], Asked]
WORDS = ("the ", "market ", "is ", "calm")
SEEN_S = 60.0
PATIENT = partial(DeltaLimits, answer_s=20.0, close_s=20.0)
"""Limits under which a server on a busy machine is not left alone."""


@dataclass(eq=False)
class Scripted:
    """A provider that says words, waits until it may go on, and ends as it is told."""

    words: Sequence[str] = WORDS
    outcome: Outcome = "OK"

    def __post_init__(self) -> None:
        self.told, self.may_end = asyncio.Event(), asyncio.Event()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:
        sending.sent = True
        for word in self.words:
            sending.text(word)
            await asyncio.sleep(0)
        self.told.set()
        await self.may_end.wait()
        if self.outcome != "OK":
            return Answer(self.outcome, "the line broke")
        return Answer("OK", text="".join(self.words), finish="STOP")


def response(asked: AiCall, text: str = "", **changes: Any) -> AiResponse:
    """Make the committed response to the request of a call."""
    values: dict[str, Any] = {
        "event_id": derive_id("response", asked.request_id), "tenant_id": asked.tenant_id, "ts_event": 1,
        "ts_ingest": 1, "correlation_id": "c", "causation_id": "c", "request_id": asked.request_id, "kind": "CHAT",
        "request_type": "test", "reply_key": "test", "status": "ANSWERED" if text else "FAILED",
        "code": None if text else "EXHAUSTED", "reason": "" if text else "every model failed", "text": text,
        "tool_calls": (), "embeddings": (), "attempts": 1, "input_tokens": 0, "cache_read_tokens": 0,
        "cache_write_tokens": 0, "output_tokens": 0, "cost": 0, "suspense": 0, "currency": "USD",
        "text_sha256": sha256(text.encode()).hexdigest(), "latency_us": 1, "makes_orders": False,
    }  # fmt: skip
    return AiResponse(**{**values, **changes})


class Scene:
    """A caller that writes, a reader, and what a client has seen."""

    def __init__(self, links: Links, limits: DeltaLimits | None = None) -> None:
        self.links, self.limits = links, limits or PATIENT()
        self.reader = DeltaReader(links, limits=self.limits)
        self.seen: list[Shown] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.reader.__aexit__(None, None, None)

    async def perform(self, provider: Scripted, asked: AiCall) -> AiAttempt:
        """Perform a call as a caller of its own does."""
        kind = AiCalls(Keys({}), {"paper": lambda: provider}, DeltaWriter(self.links(), limits=self.limits))
        try:
            return await kind.perform(asked, Sending())  # type: ignore[return-value]
        finally:
            await kind.close()

    def follow(self, tenant: str, request_id: str) -> Following:
        """Have a client look at an answer."""
        following = self.reader.follow(tenant, request_id)

        async def look() -> None:
            async for one in following:
                self.seen.append(one)

        self._tasks.append(asyncio.create_task(look()))
        return following

    @property
    def text(self) -> str:
        """What the client has by now."""
        text = ""
        for one in self.seen:
            text = "" if isinstance(one, Reset) else text + one.text if isinstance(one, Delta) else text
        return text

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is seen."""
        try:
            async with asyncio.timeout(SEEN_S):
                while not holds():  # noqa: ASYNC110 - what is seen has no event of its own
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pytest.fail(f"not seen within {SEEN_S} s; seen is {self.seen}")


class DeltaContract:
    """The claims; a subclass gives `links`."""

    async def test_live_shows_tokens_at_once_and_done_comes_last(self, links: Links) -> None:
        """Before the attempt has ended; `done` has the digest of what was shown."""
        provider, asked = Scripted(), call(stream="LIVE")
        async with Scene(links) as scene:
            following = scene.follow("alpha", asked.request_id)
            performing = asyncio.create_task(scene.perform(provider, asked))
            await scene.until(lambda: scene.text == "the market is calm")
            assert not performing.done()
            provider.may_end.set()
            attempt = await performing
            assert not any(isinstance(one, Done) for one in scene.seen)
            following.answered(response(asked, attempt.text))
            await scene.until(lambda: isinstance(scene.seen[-1], Done))
            assert [type(one) for one in scene.seen if not isinstance(one, Delta)] == [Done]
            (done,) = (one for one in scene.seen if isinstance(one, Done))
            assert done.response.text_sha256 == sha256(scene.text.encode()).hexdigest()

    async def test_a_broken_attempt_is_reset_and_the_next_models_tokens_follow(self, links: Links) -> None:
        """The client ends with the answer alone."""
        broken, whole = Scripted(("it ", "rises"), "BROKEN"), Scripted()
        first = call(stream="LIVE")
        second = call(stream="LIVE", attempt=2, request_id=first.request_id)
        async with Scene(links) as scene:
            following = scene.follow("alpha", first.request_id)
            broken.may_end.set()
            await scene.perform(broken, first)
            await scene.until(lambda: any(isinstance(one, Reset) for one in scene.seen))
            assert scene.seen[-1] == Reset("BROKEN: the line broke")
            whole.may_end.set()
            attempt = await scene.perform(whole, second)
            await scene.until(lambda: scene.text == "the market is calm")
            following.answered(response(first, attempt.text))
            await scene.until(lambda: isinstance(scene.seen[-1], Done))
            assert scene.text == "the market is calm"

    async def test_a_caller_that_died_is_reset_by_its_successor_and_writes_no_more(self, links: Links) -> None:
        """A caller that thaws after its call was given up cannot write between the tokens of the next attempt."""
        asked = call(stream="LIVE")
        async with Scene(links) as scene:
            scene.follow("alpha", asked.request_id)
            late = DeltaWriter(links(), limits=PATIENT())
            telling = late.begin(asked)
            assert telling is not None
            telling.text("it rises")
            await scene.until(lambda: scene.text == "it rises")
            whole = Scripted()
            whole.may_end.set()
            await scene.perform(whole, call(stream="LIVE", attempt=2, request_id=asked.request_id))
            await scene.until(lambda: scene.text == "the market is calm")
            telling.text(" and falls")
            await late.close()
            assert telling.over
            await asyncio.sleep(0.05)
            assert scene.text == "the market is calm"

    async def test_sure_shows_nothing_of_an_attempt_before_it_is_whole(self, links: Links) -> None:
        """So a broken one is never seen."""
        broken, whole = Scripted(("it ", "rises"), "BROKEN"), Scripted()
        first = call(stream="SURE")
        second = call(stream="SURE", attempt=2, request_id=first.request_id)
        async with Scene(links) as scene:
            scene.follow("alpha", first.request_id)
            broken.may_end.set()
            await scene.perform(broken, first)
            performing = asyncio.create_task(scene.perform(whole, second))
            await whole.told.wait()
            await asyncio.sleep(0.05)
            assert scene.seen == []
            whole.may_end.set()
            await performing
            await scene.until(lambda: scene.text == "the market is calm")
            assert [type(one) for one in scene.seen] == [Delta]

    async def test_no_tenant_sees_a_delta_of_another(self, links: Links) -> None:
        """Not by the id of the request, and not by a name that looks like another tenant's key."""
        provider, asked = Scripted(), call(stream="LIVE", tenant_id="alpha/-")
        provider.may_end.set()
        async with Scene(links) as scene:
            for stranger in ("beta", "alpha", "alpha%2F-"):
                following = scene.follow(stranger, asked.request_id)
                with pytest.raises(ValueError, match="another request"):
                    following.answered(response(asked, "the market is calm"))
            scene.follow("alpha", f"-/deltas/{asked.request_id}")
            await scene.perform(provider, asked)
            await asyncio.sleep(0.05)
            assert scene.seen == []
            scene.follow("alpha/-", asked.request_id)
            await scene.until(lambda: scene.text == "the market is calm")

    async def test_a_client_that_leaves_ends_nothing_and_may_come_back(self, links: Links) -> None:
        """The call goes on; who comes back sees all of it."""
        provider, asked = Scripted(), call(stream="LIVE")
        async with Scene(links) as scene:
            following = scene.follow("alpha", asked.request_id)
            performing = asyncio.create_task(scene.perform(provider, asked))
            await scene.until(lambda: provider.told.is_set() or performing.done())
            scene.reader.leave(following)
            provider.may_end.set()
            async with asyncio.timeout(SEEN_S):
                assert (await performing).text == "the market is calm"
            scene.seen.clear()
            scene.follow("alpha", asked.request_id)
            await scene.until(lambda: scene.text == "the market is calm")

    async def test_what_is_kept_is_bounded_and_expires(self, links: Links) -> None:
        """A delta by its bytes, a stream by its bytes and by time; the rest comes with the response."""
        limits = PATIENT(delta_bytes=8, stream_bytes=20, kept_s=60)
        provider, asked = Scripted(("twelve bytes", "and more", "and too much")), call(stream="LIVE")
        provider.may_end.set()
        async with Scene(links, limits) as scene:
            following = scene.follow("alpha", asked.request_id)
            attempt = await scene.perform(provider, asked)
            await scene.until(lambda: len(scene.text) == 20)
            assert all(len(one.text) <= 8 for one in scene.seen if isinstance(one, Delta))
            (left_ms,) = await links().ask([("PTTL", stream_key("", "alpha", asked.request_id))], 1.0)
            assert 170_000 < left_ms < 181_000
            following.answered(response(asked, attempt.text))
            await scene.until(lambda: isinstance(scene.seen[-1], Done))
            assert scene.text == "twelve bytesand moreand too much"
