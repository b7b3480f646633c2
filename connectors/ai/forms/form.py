"""A form: how a provider writes requests and answers, without how they travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tradewind.connectors.ai.answer import Answer, Finish, Tokens
from tradewind.schemas.ai import AiCall

TEXT_BYTES = 512 * 1024
"""Of an answer's text: Kafka takes records of 1 MB, and what a model writes in one answer is far below."""


class Unreadable(ValueError):
    """An answer that has not the provider's form; the message says where."""


class Unfit(ValueError):
    """A request that the provider cannot carry out; the message says why. Another one may."""


def is_plain(asked: Mapping[str, Any]) -> bool:
    """Return whether a request is nothing but text, so that one prompt says all of it."""
    return not asked.get("tools") and not any(
        one["role"] not in {"system", "user"} or one.get("images") for one in asked["messages"]
    )


def plain_prompt(asked: Mapping[str, Any]) -> str:
    """Return the messages of a plain request as one prompt."""
    return "\n\n".join(one["content"] for one in asked["messages"])


@dataclass(frozen=True, slots=True)
class Message:
    """What an answer says, in our own form."""

    text: str
    tool_calls: tuple[Mapping[str, str], ...]
    finish: Finish | None
    tokens: Tokens | None
    model: str | None
    request_id: str | None
    flaw: str | None = None
    """Why it is not what the request asked for."""

    def answer(self) -> Answer:
        """Return it with its outcome: whole, or what it lacks."""
        common = {"tokens": self.tokens, "model": self.model, "request_id": self.request_id, "http_status": 200}
        if self.finish is None:
            return Answer("TRUNCATED", "the answer ended without a reason to end", **common)  # type: ignore[arg-type]
        if self.finish == "FILTER":
            return Answer("FILTERED", "the provider's filter ended the answer", finish="FILTER", **common)  # type: ignore[arg-type]
        if len(self.text.encode()) > TEXT_BYTES:
            return Answer("TRUNCATED", f"the answer has more than {TEXT_BYTES:,} bytes", **common)  # type: ignore[arg-type]
        if self.flaw is not None:
            return Answer("MALFORMED", self.flaw, **common)  # type: ignore[arg-type]
        if not self.text.strip() and not self.tool_calls:
            return Answer("EMPTY", "the answer is empty", finish=self.finish, **common)  # type: ignore[arg-type]
        return Answer(
            "OK",
            text=self.text,
            tool_calls=self.tool_calls,
            finish=self.finish,
            tokens=self.tokens,
            model=self.model,
            request_id=self.request_id,
            http_status=200,
        )


class Stream(Protocol):
    """An answer that comes in events."""

    def feed(self, payload: Mapping[str, Any]) -> str | None:
        """Take an event, and return its part of the text: empty if its tokens are others, None if it holds none.

        Raises `KeyError` and the like if it has another form.
        """
        ...

    def message(self) -> Message:
        """Return what came in all."""
        ...


class Form(Protocol):
    """How one family of providers writes."""

    def path(self, call: AiCall) -> str:
        """Return where the call is sent, below the base URL."""
        ...

    def body(self, call: AiCall) -> dict[str, Any]:
        """Return the request in the provider's form."""
        ...

    def whole(self, call: AiCall, payload: Mapping[str, Any]) -> Answer:
        """Return the answer of one JSON object. Raises `KeyError` and the like if it has another form."""
        ...

    def stream(self, call: AiCall) -> Stream:
        """Return what reads an answer in events."""
        ...
