"""The form of OpenAI's older completions, which servers of open models still have: one prompt, one text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tradewind.connectors.ai.answer import Answer, Finish
from tradewind.connectors.ai.forms.form import Message, plain_prompt
from tradewind.connectors.ai.forms.openai import FINISHES, PASSED_ON, tokens_of
from tradewind.schemas.ai import AiCall


class CompletionForm:
    """Translates calls of plain text."""

    def path(self, call: AiCall) -> str:  # noqa: ARG002 - there is one
        """Return the path below `/v1`."""
        return "/completions"

    def body(self, call: AiCall) -> dict[str, Any]:
        """Return the request."""
        asked: dict[str, Any] = json.loads(call.body)
        body = {"model": call.model, "prompt": plain_prompt(asked), "max_tokens": call.max_tokens}
        body |= {name: asked[name] for name in PASSED_ON if name in asked}
        if call.stream != "NONE":
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def whole(self, call: AiCall, payload: Mapping[str, Any]) -> Answer:
        """Return the answer of one JSON object."""
        stream = self.stream(call)
        stream.feed(payload)
        return stream.message().answer()

    def stream(self, call: AiCall) -> CompletionStream:  # noqa: ARG002 - all streams of this form are alike
        """Return what reads a stream of chunks."""
        return CompletionStream()


class CompletionStream:
    """Chunks of a completion."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._finish: Finish | None = None
        self._head: dict[str, Any] = {}

    def feed(self, payload: Mapping[str, Any]) -> str | None:
        """Take a chunk; the last one has the usage and no choice."""
        self._head |= {name: payload[name] for name in ("model", "id", "usage") if payload.get(name)}
        if not payload["choices"]:
            return None
        choice = payload["choices"][0]
        self._text.append(choice.get("text") or "")
        self._finish = FINISHES.get(choice.get("finish_reason") or "") or self._finish
        return choice.get("text") or None

    def message(self) -> Message:
        """Return what came in all."""
        tokens = tokens_of(self._head.get("usage"))
        return Message("".join(self._text), (), self._finish, tokens, self._head.get("model"), self._head.get("id"))
