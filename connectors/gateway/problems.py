"""Errors as RFC 9457 problems: what is wrong, where (a JSON pointer or a header), and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:tradewind:problem:"


def meant(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the remedy for a name that is not known: the nearest one, or `otherwise`."""
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else otherwise


class Problem(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        remedy: str,
        *,
        pointer: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take what is wrong (`detail`), where (`pointer`, such as `#/quantity` or `header: Host`), and the way out."""
        super().__init__(detail)
        self.status, self.code, self.detail, self.remedy, self.pointer = status, code, detail, remedy, pointer
        self.headers = dict(headers or {})

    @property
    def title(self) -> str:
        """What the status means."""
        return HTTPStatus(self.status).phrase

    def body(self) -> bytes:
        """Return the problem as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False).encode()

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the problem."""
        found: dict[str, Any] = {
            "type": TYPE + self.code.lower().replace("_", "-"),
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "remedy": self.remedy,
            "message": f"{self.detail}: {self.remedy}",
        }
        return found if self.pointer is None else {**found, "pointer": self.pointer}
