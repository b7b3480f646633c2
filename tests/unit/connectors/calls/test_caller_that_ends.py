"""A caller that has ended waits for nothing when its consumer gives the partitions back."""

from __future__ import annotations

import threading

from calls.calling import call
from runtime.records import CODEC, NOWHERE

from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.calls.call import Call, Ending, Unsent
from tradewind.connectors.calls.limits import Limits
from tradewind.connectors.calls.loop import Caller

HANDOVER_S = 60.0
"""What it would wait for a turn that nobody takes."""


def test_partitions_are_given_back_at_once_although_an_attempt_is_unpublished() -> None:
    """As after a stop while Kafka was too slow to take it; the next caller reports the call."""
    caller = Caller(NOWHERE, AiCalls(Keys({})), CODEC, Limits(handover_s=HANDOVER_S))
    caller.book._ended[("calls", 0), 0] = Ending(Call((("calls", 0), 0), "a", call(), 0, 1, 1), Unsent.LOST)
    caller._over = True
    revoking = threading.Thread(target=caller._revoking, daemon=True)
    revoking.start()
    revoking.join(HANDOVER_S / 2)
    assert not revoking.is_alive()
