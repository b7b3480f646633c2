"""What clients send on the WebSocket, read strictly: a frame is a command, or says what is wrong with it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

from tradewind.connectors.gateway.stream.feed import EVENT_CHANNELS, EventChannel
from tradewind.connectors.gateway.stream.hub import ALL, CHANNELS, Channel

SYMBOL: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
MOST_SYMBOLS: Final = 50
"""Of one command; a connection may not hold more subscriptions than that anyway."""
LONGEST_ACCOUNT: Final = 256
LONGEST_TOKEN: Final = 2_000
EVERY_CHANNEL = (*CHANNELS, *EVENT_CHANNELS)
OPS = ("auth", "subscribe", "unsubscribe", "resume", "ping")
FIELDS = {
    "auth": frozenset({"op", "token"}),
    "subscribe": frozenset({"op", "channel", "symbols", "account"}),
    "unsubscribe": frozenset({"op", "channel", "symbols"}),
    "resume": frozenset({"op", "channel", "symbols", "account", "at"}),
    "ping": frozenset({"op"}),
}


class BadFrame(ValueError):
    """A frame that is no command; the message says what is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class Auth:
    """The first frame."""

    token: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """Asks for frames of a channel, or no more of them."""

    op: Literal["subscribe", "unsubscribe"]
    channel: Channel
    symbols: tuple[str, ...]
    """`*` alone is every symbol; of the channel `flow`, which has none, the empty text."""


@dataclass(frozen=True, slots=True)
class Following:
    """Asks for every event of a channel, or no more of them."""

    op: Literal["subscribe", "unsubscribe", "resume"]
    channel: EventChannel
    symbols: tuple[str, ...]
    """Empty: all."""
    account: str | None = None
    at: str | None = None
    """The token to go on with; of `resume` alone."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks whether the server is there, for clients that cannot send WebSocket's own pings."""


def parse(text: str) -> Auth | Subscription | Following | Ping:
    """Return the command of a frame; raises `BadFrame`."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"the frame is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadFrame('a frame is an object, such as {"op": "subscribe", "channel": "ticks", "symbols": ["EURUSD"]}')
    op = found.get("op")
    if op not in OPS:
        raise BadFrame(f"op: expected one of {', '.join(OPS)}, got {_shown(op)}")
    if unknown := sorted(found.keys() - FIELDS[op]):
        raise BadFrame(f"{unknown[0][:64]}: {op} has no such field; it has {', '.join(sorted(FIELDS[op]))}")
    if op == "ping":
        return Ping()
    if op == "auth":
        return Auth(_text(found, "token", "the access token as a string"))
    channel = _channel(found.get("channel"))
    if channel in EVENT_CHANNELS:
        return _following(op, channel, found)
    if op == "resume":
        raise BadFrame(f"channel: {channel} keeps the last of each symbol alone: subscribe to it")
    if "account" in found:
        raise BadFrame(f"account: {channel} are of no account")
    return Subscription(op, channel, _symbols(channel, found.get("symbols")))


def _following(op: Any, channel: Any, found: dict[str, Any]) -> Following:
    symbols = () if found.get("symbols") is None else _symbols(channel, found["symbols"])
    account = _text(found, "account", "its name", LONGEST_ACCOUNT) if "account" in found else None
    at = _text(found, "at", f"the `at` of the last frame of {channel}") if op == "resume" else None
    return Following(op, channel, symbols, account, at)


def _text(found: dict[str, Any], name: str, what: str, longest: int = LONGEST_TOKEN) -> str:
    given = found.get(name)
    if not isinstance(given, str) or not 1 <= len(given) <= longest:
        raise BadFrame(f"{name}: expected {what}, of 1 to {longest:,} characters")
    return given


def _channel(given: object) -> Any:
    if given not in EVERY_CHANNEL:
        close = get_close_matches(str(given), EVERY_CHANNEL, n=1)
        hint = f" (is it {close[0]}?)" if close else ""
        raise BadFrame(f"channel: got {_shown(given)}{hint}, expected one of {', '.join(EVERY_CHANNEL)}")
    return given


def _symbols(channel: Channel | EventChannel, given: object) -> tuple[str, ...]:
    if channel == "flow":
        if given is not None:
            raise BadFrame("symbols: the channel flow has none: leave them out")
        return ("",)
    if given is None:
        return (ALL,)
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_SYMBOLS:
        raise BadFrame(f"symbols: expected a list of 1 to {MOST_SYMBOLS} symbols, or none of them for all")
    for symbol in given:
        if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
            raise BadFrame(f"symbols: {_shown(symbol)} is no symbol: letters, digits and . _ : - up to 64")
    return tuple(dict.fromkeys(given))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 64 else f"{text[:64]}..."
