"""What a command says of itself: who gives it, on which route, under which key, and with which body."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header, Request
from pydantic import BaseModel

from tradewind.connectors.gateway.auth.roles import Who
from tradewind.processors.identity import derive_id

KEY_HEADER: Final = "Idempotency-Key"
LONGEST_KEY: Final = 200
KeyText: TypeAlias = Annotated[
    str,
    Header(
        alias=KEY_HEADER,
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=r"^[\x21-\x7e]+$",
        description="A name of your own for this command, such as a UUID. Repeat it if you repeat the command.",
    ),
]
ADDRESS_CHARACTERS: Final = 64
"""An IPv6 address with a scope is shorter."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who gives a command, and how."""

    who: Who
    action: str
    """Method and route."""
    key: str
    """Empty where a request has none, and is refused for that."""
    address: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it came in."""

    caller: Caller
    digest: bytes
    """Of the body, in whatever order its members came."""

    @property
    def id(self) -> str:
        """The id of the event that the command leads to: the same from any process."""
        return derive_id("command", self.caller.who.tenant_id or "", self.caller.action, self.caller.key)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command is answered with."""

    status: int
    body: dict[str, Any]


def caller_of(request: Request, action: str) -> Caller:
    """Return who gives a command; to be called once the route's roles are checked."""
    who: Who = request.state.who
    key = request.headers.get(KEY_HEADER, "")[:LONGEST_KEY]
    return Caller(who, action, key, (request.client.host if request.client else "")[:ADDRESS_CHARACTERS])


def asked_of(request: Request, action: str, body: BaseModel) -> Asked:
    """Return the command of a request."""
    told = json.dumps(body.model_dump(mode="json"), sort_keys=True)
    return Asked(caller_of(request, action), hashlib.sha256(told.encode()).digest())
