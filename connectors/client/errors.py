"""What a client raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """A call that did not succeed."""


class GatewayAway(ClientError):
    """No answer within the client's patience. A command may have been carried out: ask again with the same key."""


class Refused(ClientError):
    """The gateway said no: a problem of RFC 9457."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: float = 0.0) -> None:
        self.status, self.retry_after_s = status, retry_after_s
        self.code = str(problem.get("code") or status)
        self.detail = str(problem.get("detail") or problem.get("title") or "no reason was given")
        self.remedy = str(problem.get("remedy") or "")
        self.pointer = problem.get("pointer")
        where = f" ({self.pointer})" if self.pointer else ""
        remedy = f": {self.remedy}" if self.remedy else ""
        super().__init__(f"{self.code}{where}: {self.detail}{remedy}")
