"""Cursors: where the next page of a list begins, signed, so that nobody can begin in another tenant's."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from tradewind.connectors.gateway.problems import Problem

Place: TypeAlias = tuple[datetime, str]
"""Time and id of the last row of a page."""
TAG_BYTES: Final = 16
LONGEST: Final = 2_000
"""A search has an offset for each partition."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on; at the newest row where `last` is None."""

    last: Place | None = None

    @property
    def place(self) -> tuple[datetime | None, str | None]:
        """The arguments of a query."""
        return (None, None) if self.last is None else self.last


class Cursors:
    """Makes cursors, and reads those that it made."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def made(self, of: str, tenant_id: str | None, place: Place | None) -> str | None:
        """Return the text of a cursor; None where there is no further page. `of` names the list."""
        if place is None:
            return None
        return self.token(of, tenant_id, [place[0].isoformat(), place[1]])

    def read(self, of: str, tenant_id: str | None, text: str | None) -> Cursor:
        """Return where a text says to go on; raises `Problem` (400) for one of another list, tenant or make."""
        if text is None:
            return Cursor()
        at, event_id = self.opened(of, tenant_id, text)
        return Cursor((datetime.fromisoformat(at), event_id))

    def token(self, of: str, tenant_id: str | None, value: Any) -> str:
        """Return a text that holds a value, of JSON, for one list and tenant."""
        body = json.dumps(value, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._tag(of, tenant_id, body) + body).decode()

    def opened(self, of: str, tenant_id: str | None, text: str) -> Any:
        """Return the value of a text; raises `Problem` (400) for one of another list, tenant or make."""
        try:
            whole = base64.b64decode(text[:LONGEST], altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _foreign() from None
        tag, body = whole[:TAG_BYTES], whole[TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(of, tenant_id, body)):
            raise _foreign()
        return json.loads(body)

    def _tag(self, of: str, tenant_id: str | None, body: bytes) -> bytes:
        bound = json.dumps([of, tenant_id]).encode()
        return hmac.digest(self._key, bound + b"\0" + body, "sha256")[:TAG_BYTES]


def _foreign() -> Problem:
    return Problem(
        400,
        "FOREIGN_CURSOR",
        "this cursor is not one of this list",
        "begin without a cursor, and follow `next`",
        pointer="query: cursor",
    )
