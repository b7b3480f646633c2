"""Deltas on a real Valkey, and a Valkey that is killed while an answer comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calls.calling import call
from deltas.contract import PATIENT, DeltaContract, Links, Scene, Scripted, response
from harness.shared_stack import SharedStack

from tradewind.connectors.ai.deltas.merging import Delta, Done
from tradewind.connectors.ai.valkey import Link
from tradewind.connectors.settings import RedisSettings
from tradewind.infra.services import endpoints
from tradewind.infra.services.embedded.valkey import Valkey
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import ports


@pytest.fixture
def links(stack: SharedStack) -> Links:
    """Give connections to the Valkey of the tests."""
    part = RedisSettings(**endpoints.published(stack.data)["redis"])
    return lambda: Link(part)


class TestOnValkey(DeltaContract):
    """The contract."""


async def test_whoever_is_cancelled_while_it_asks_has_ended(links: Links) -> None:
    """Wherever the question is by then: a reader that read on would hold up the end of its process."""
    link = links()
    await link.ask([("CLIENT", "ID")], 20.0)
    for steps in range(8):
        asking = asyncio.create_task(link.ask([("XREAD", "BLOCK", 0, "STREAMS", f"none-{steps}", "$")], 60.0))
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking}, timeout=2.0)
        assert asking.cancelled(), f"it reads on after {steps} steps"
        await link.ask([("CLIENT", "ID")], 20.0)
    await link.close()


@pytest.fixture
def own(new_data: Callable[[], Path]) -> Iterator[Valkey]:
    """Give a Valkey of the test's own, to be killed."""
    data = new_data()
    valkey = Valkey(Place(data, ports(None)))
    for folder in (data / "run", data / "logs"):
        folder.mkdir(exist_ok=True)
    valkey.start()
    try:
        yield valkey
    finally:
        for server in valkey.servers:
            server.stop()


async def test_a_valkey_that_is_killed_takes_no_answer_with_it(own: Valkey) -> None:
    """What it showed stays, the rest comes with the response, and deltas come again once it is back."""
    part = RedisSettings(**own.endpoint())
    provider, asked = Scripted(), call(stream="LIVE")
    async with Scene(lambda: Link(part), PATIENT(pause_s=0.1)) as scene:
        following = scene.follow("alpha", asked.request_id)
        performing = asyncio.create_task(scene.perform(provider, asked))
        await scene.until(lambda: scene.text == "the market is calm")
        own.servers[0].kill()
        provider.may_end.set()
        attempt = await performing
        assert (attempt.outcome, attempt.text) == ("OK", "the market is calm")
        meanwhile = call(stream="LIVE")
        assert (await scene.perform(provider, meanwhile)).text == "the market is calm"
        following.answered(response(asked, f"{attempt.text}."))
        await scene.until(lambda: isinstance(scene.seen[-1], Done))
        assert scene.text == "the market is calm."
        await asyncio.to_thread(own.start)
        scene.seen.clear()
        again = call(stream="LIVE")
        scene.follow("alpha", again.request_id)
        await scene.perform(provider, again)
        await scene.until(lambda: scene.text == "the market is calm")
        assert {type(one) for one in scene.seen} == {Delta}
