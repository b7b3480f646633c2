"""Cursors: where the next page of a list begins, signed, so that nobody can begin in another tenant's."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from tradewind.connectors.gateway.problems import Problem

Place: TypeAlias = tuple[datetime, str]
"""Time and id of the last row of a page."""
TAG_BYTES: Final = 16
LONGEST: Final = 400


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
        body = json.dumps([place[0].isoformat(), place[1]]).encode()
        return base64.urlsafe_b64encode(self._tag(of, tenant_id, body) + body).decode()

    def read(self, of: str, tenant_id: str | None, text: str | None) -> Cursor:
        """Return where a text says to go on; raises `Problem` (400) for one of another list, tenant or make."""
        if text is None:
            return Cursor()
        try:
            whole = base64.b64decode(text[:LONGEST], altchars=b"-_", validate=True)
            tag, body = whole[:TAG_BYTES], whole[TAG_BYTES:]
            if not hmac.compare_digest(tag, self._tag(of, tenant_id, body)):
                raise _foreign()
            at, event_id = json.loads(body)
            return Cursor((datetime.fromisoformat(at), event_id))
        except (binascii.Error, ValueError):
            raise _foreign() from None

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
