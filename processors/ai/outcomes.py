"""What follows from each outcome of a call: for the request, for the breakers, and for the money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tradewind.schemas.ai import AiAttempt

Outcome: TypeAlias = Literal[
    "OK",
    "BUSY",
    "ERROR",
    "NO_CREDIT",
    "BAD_KEY",
    "TIMED_OUT",
    "UNREACHABLE",
    "BROKEN",
    "TRUNCATED",
    "EMPTY",
    "MALFORMED",
    "FILTERED",
    "BAD_REQUEST",
    "TOO_LONG",
    "NO_MODEL",
    "LOST",
    "RETURNED",
    "EXPIRED",
    "MISSED",
]
Move: TypeAlias = Literal["ANSWER", "AGAIN", "NEXT", "LARGER", "UNSENT", "END"]
"""For the request: answer it, call the same model again, another one, one with a larger context, repeat what was not
sent, or end it without an answer."""
Breaker: TypeAlias = Literal["SUCCESS", "FAILURE", "OPEN_MODEL", "OPEN_KEY", "NOTHING"]
Money: TypeAlias = Literal["RELEASE", "HOLD"]
"""Where the provider counted no tokens: the call cost nothing, or nobody knows and its bound stays in suspense."""
Code: TypeAlias = Literal["EXPIRED", "BAD_REQUEST", "FILTERED", "TOO_LONG", "EXHAUSTED"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from an outcome."""

    move: Move
    breaker: Breaker
    money: Money
    code: Code = "EXHAUSTED"
    """Of the response, where the request ends by this outcome."""


RULES: Final[Mapping[Outcome, Rule]] = {
    "OK": Rule("ANSWER", "SUCCESS", "HOLD"),
    "BUSY": Rule("AGAIN", "FAILURE", "RELEASE"),
    "ERROR": Rule("AGAIN", "FAILURE", "RELEASE"),
    "NO_CREDIT": Rule("NEXT", "OPEN_KEY", "RELEASE"),
    "BAD_KEY": Rule("NEXT", "OPEN_KEY", "RELEASE"),
    "TIMED_OUT": Rule("NEXT", "FAILURE", "HOLD"),
    "UNREACHABLE": Rule("NEXT", "FAILURE", "RELEASE"),
    "BROKEN": Rule("NEXT", "FAILURE", "HOLD"),
    "TRUNCATED": Rule("NEXT", "FAILURE", "HOLD"),
    "EMPTY": Rule("NEXT", "FAILURE", "HOLD"),
    "MALFORMED": Rule("NEXT", "FAILURE", "HOLD"),
    "FILTERED": Rule("END", "NOTHING", "RELEASE", "FILTERED"),
    "BAD_REQUEST": Rule("END", "NOTHING", "RELEASE", "BAD_REQUEST"),
    "TOO_LONG": Rule("LARGER", "NOTHING", "RELEASE", "TOO_LONG"),
    "NO_MODEL": Rule("NEXT", "OPEN_MODEL", "RELEASE"),
    "LOST": Rule("AGAIN", "NOTHING", "HOLD"),
    "RETURNED": Rule("UNSENT", "NOTHING", "RELEASE"),
    "EXPIRED": Rule("END", "NOTHING", "RELEASE", "EXPIRED"),
    "MISSED": Rule("NEXT", "NOTHING", "RELEASE"),
}
UNSENT: Final = frozenset({"UNREACHABLE", "RETURNED", "EXPIRED", "MISSED"})
"""Outcomes that say that nothing was sent. Of a LOST call they say nothing: another caller may have sent it."""
PACED: Final = frozenset({"BUSY", "ERROR"})
"""Outcomes after which the same model is called again only after a wait."""


def rule_of(attempt: AiAttempt) -> Rule:
    """Return what follows from an attempt, whose outcome is known."""
    assert attempt.outcome != "UNKNOWN"  # the processor has refused it
    return RULES[attempt.outcome]


def money_of(attempt: AiAttempt) -> Literal["SETTLE", "RELEASE", "HOLD"]:
    """Return what becomes of a call's reservation."""
    if attempt.source != "PROVIDER":
        return "RELEASE"  # a cache costs nothing, and a shared call is paid by the one that was made
    if attempt.counted:
        return "SETTLE" if _is_billed(attempt) else "RELEASE"
    if attempt.timeout == "CONNECT":
        return "RELEASE"  # there was no connection to send by
    return rule_of(attempt).money


def _is_billed(attempt: AiAttempt) -> bool:
    """Return whether the provider's bill has the call. Only a settlement by hand counts the tokens of a lost call."""
    counts = (attempt.input_tokens, attempt.cache_read_tokens, attempt.cache_write_tokens, attempt.output_tokens)
    return attempt.outcome != "LOST" or any(counts)
