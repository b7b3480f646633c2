"""What an adapter is: it translates one call, sends it once, and says what came of it."""

from __future__ import annotations

from typing import Protocol

from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.calls.kind import Sending
from tradewind.schemas.ai import AiCall


class Adapter(Protocol):
    """How a kind of provider is spoken to."""

    async def open(self) -> None:
        """Prepare, once, before the first call; no wait of a call has begun."""
        ...

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:
        """Send a call once, and return what came of it. `key` is secret, and may stand in no text of the answer.

        The time-outs of the call hold. Set `sending.sent` before the first byte of the request leaves.
        Give `sending.text` each part of the text as it comes, if the call asks for a stream.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
