"""Asks models for clients: a request is written, its response awaited, and its text shown while it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from tradewind.connectors.ai.asking import GRACE_S
from tradewind.connectors.ai.deltas.merging import Shown
from tradewind.connectors.ai.deltas.reader import DeltaReader, Following
from tradewind.connectors.ai.in_force import InForce, in_force
from tradewind.connectors.ai.valkey import Link
from tradewind.connectors.gateway.ai.responses import Responses
from tradewind.connectors.gateway.ai.sending import FAILURES, Sending
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views.view import View
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.settings import Settings
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.codec import Codec
from tradewind.topics import AI_REQUESTS

AT_ONCE: Final = 1_000
"""Requests of this process that wait for their responses."""
KNOWN_S: Final = 5.0
"""How old the settings may be by which a model's name is understood."""

ONCE: Final = {"x-should-retry": "false"}
"""Tells OpenAI's clients that another try is another request, which costs again."""


class Asker:
    """For one event loop, on which it is made."""

    def __init__(
        self, responses: Responses, sending: Sending, deltas: DeltaReader, in_force: Callable[[], InForce]
    ) -> None:
        """`in_force` reads the settings, in a thread; it may raise `StreamError`."""
        self._responses, self._sending, self._deltas, self._in_force = responses, sending, deltas, in_force
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, Following | asyncio.Future[AiResponse]] = {}
        self._known: tuple[float, InForce] | None = None
        self._reading = asyncio.Lock()
        responses.answered = self._heard
        self.grace_s = GRACE_S
        """How long a response may come after the deadline of its request."""

    @property
    def views(self) -> Iterable[View]:
        """The threads that it needs."""
        return self._responses, self._sending

    @property
    def reply_key(self) -> str:
        """What requests of this process have as their reply key."""
        return self._responses.reply_key

    async def known(self) -> InForce:
        """Return the settings in force, some seconds old at the most. Raises `Problem`."""
        async with self._reading:  # those who come meanwhile wait for the same reading
            now = self._loop.time()
            if self._known is None or now - self._known[0] > KNOWN_S:
                try:
                    self._known = now, await asyncio.to_thread(self._in_force)
                except StreamError as error:
                    if self._known is None:
                        raise _away(str(error)) from error
            return self._known[1]

    async def ask(self, request: AiRequest) -> AiResponse:
        """Write a request and return its response. Raises `Problem`."""
        answer: asyncio.Future[AiResponse] = self._loop.create_future()
        self._wait_for(request, answer)
        try:
            await self._write(request)
            async with asyncio.timeout(self._patience(request)):
                return await answer
        except TimeoutError:
            raise _unanswered(request) from None
        finally:
            del self._waiting[request.event_id]

    async def begin(self, request: AiRequest) -> Following:
        """Write a request whose answer is shown while it comes; `leave` ends that. Raises `Problem`."""
        following = self._deltas.follow(request.tenant_id, request.event_id)
        try:
            self._wait_for(request, following)
            await self._write(request)
        except BaseException:
            self.leave(request, following)
            raise
        return following

    async def shown(self, request: AiRequest, following: Following) -> AsyncIterator[Shown]:
        """Yield what is to be shown of an answer, the response last. Raises `Problem`."""
        until = self._loop.time() + self._patience(request)
        coming = aiter(following)
        while True:
            try:
                async with asyncio.timeout_at(until):
                    one = await anext(coming)
            except TimeoutError:
                raise _unanswered(request) from None
            except StopAsyncIteration:
                return
            yield one

    def leave(self, request: AiRequest, following: Following) -> None:
        """Look at an answer no more. The request goes on, and costs the same."""
        self._waiting.pop(request.event_id, None)
        self._deltas.leave(following)

    async def close(self) -> None:
        """Close the connections; the threads are closed as all views are."""
        await self._deltas.__aexit__(None, None, None)

    def _patience(self, request: AiRequest) -> float:
        return request.deadline_ms / 1_000 + self.grace_s

    def _wait_for(self, request: AiRequest, answer: Following | asyncio.Future[AiResponse]) -> None:
        if self._responses.trouble is not None:
            raise _away(self._responses.trouble)
        if len(self._waiting) >= AT_ONCE:
            raise Problem(
                503,
                "TOO_MANY_REQUESTS",
                f"{AT_ONCE} requests to models wait for their answers already",
                "try again later",
                headers={"Retry-After": "1"},
            )
        self._waiting[request.event_id] = answer

    async def _write(self, request: AiRequest) -> None:
        try:
            await asyncio.wrap_future(self._sending.put(request))
        except FAILURES as error:
            raise Problem(
                503,
                "UNKNOWN",
                f"whether request {request.event_id} was written is not known: {error}",
                "it may be answered and paid; if you ask again, that is another request",
                headers=ONCE,
            ) from error

    def _heard(self, response: AiResponse) -> None:
        """Take a response, from its thread."""
        self._loop.call_soon_threadsafe(self._take, response)

    def _take(self, response: AiResponse) -> None:
        found = self._waiting.get(response.request_id)
        if isinstance(found, Following):
            found.answered(response)
        elif found is not None and not found.done():
            found.set_result(response)


def make_asker(settings: Settings, codec: Codec) -> Asker:
    """Return what asks through Kafka and Valkey; its threads are not started."""
    links = None if settings.redis.url is None else lambda: Link(settings.redis)
    return Asker(
        Responses(settings, codec),
        Sending(settings, codec, AI_REQUESTS),
        DeltaReader(links, settings.namespace),
        lambda: in_force(settings, codec),
    )


def _unanswered(request: AiRequest) -> Problem:
    return Problem(
        504,
        "UNANSWERED",
        f"no response to request {request.event_id} has come within its deadline",
        "it may still be answered and paid: ./dev doctor says whether `usage` and `caller` are up",
        headers=ONCE,
    )


def _away(reason: str) -> Problem:
    return Problem(
        503,
        "KAFKA_AWAY",
        f"nothing was asked: {reason}",
        "try again; ./dev status says what is away",
        headers={"Retry-After": "2"},
    )
