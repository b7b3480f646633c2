"""The form of Google's Gemini API: contents with parts, and streams without a mark at their end."""

from __future__ import annotations

import json
import mimetypes
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tradewind.connectors.ai.answer import Answer, Finish, Tokens
from tradewind.connectors.ai.forms.form import Message
from tradewind.schemas.ai import AiCall

FILTERS = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE")
FINISHES: Mapping[str, Finish] = {"STOP": "STOP", "MAX_TOKENS": "LENGTH", **dict.fromkeys(FILTERS, "FILTER")}
CHOICES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
NAMES = {"temperature": "temperature", "top_p": "topP", "seed": "seed", "stop": "stopSequences"}
MOST_INPUTS = 100
"""Texts of one request for embeddings; Gemini refuses more."""
NO_SIGNATURE = "skip_thought_signature_validator"
"""Stands for the signature of a tool's call, which we do not keep. Gemini 3 refuses calls without one."""
UNSIGNED = re.compile(r"gemini-[12][.-]")
"""Models that know no signature."""


class GeminiForm:
    """Translates calls."""

    def path(self, call: AiCall) -> str:
        """Return the path below `/v1beta`."""
        model = f"/models/{quote(call.model, safe='')}"
        if call.kind == "EMBEDDING":
            return f"{model}:batchEmbedContents"
        return f"{model}:generateContent" if call.stream == "NONE" else f"{model}:streamGenerateContent?alt=sse"

    def body(self, call: AiCall) -> dict[str, Any]:
        """Return the request."""
        asked: dict[str, Any] = json.loads(call.body)
        if call.kind == "EMBEDDING":
            model = f"models/{call.model}"
            return {"requests": [{"model": model, "content": _texts([text])} for text in asked["inputs"]]}
        signed = UNSIGNED.match(call.model) is None
        body: dict[str, Any] = {"contents": _turns(asked["messages"], signed=signed)}
        if system := [one["content"] for one in asked["messages"] if one["role"] == "system"]:
            body["systemInstruction"] = _texts(system)
        if tools := asked.get("tools"):
            body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in tools]}]
        if (choice := asked.get("tool_choice")) is not None:
            named = {"mode": "ANY", "allowedFunctionNames": [choice]}
            body["toolConfig"] = {"functionCallingConfig": {"mode": CHOICES[choice]} if choice in CHOICES else named}
        config: dict[str, Any] = {"maxOutputTokens": call.max_tokens}
        config |= {theirs: asked[ours] for ours, theirs in NAMES.items() if ours in asked}
        if (schema := asked.get("json_schema")) is not None:
            config |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
        return {**body, "generationConfig": config}

    def whole(self, call: AiCall, payload: Mapping[str, Any]) -> Answer:
        """Return the answer of one JSON object."""
        if call.kind == "EMBEDDING":
            return _embeddings(call, payload)
        stream = self.stream(call)
        stream.feed(payload)
        return stream.message().answer()

    def stream(self, call: AiCall) -> GeminiStream:  # noqa: ARG002 - all streams of this form are alike
        """Return what reads a stream of answers, each with further parts."""
        return GeminiStream()


class GeminiStream:
    """Answers of a stream."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: list[dict[str, str]] = []
        self._finish: Finish | None = None
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._id: str | None = None

    def feed(self, payload: Mapping[str, Any]) -> str | None:
        """Take an answer; each tells the tokens so far."""
        self._model = payload.get("modelVersion") or self._model
        self._id = payload.get("responseId") or self._id
        self._usage.update(payload.get("usageMetadata") or {})
        if (payload.get("promptFeedback") or {}).get("blockReason"):
            self._finish = "FILTER"
        candidates = payload.get("candidates") or ()
        if not candidates and not {"promptFeedback", "usageMetadata"} & payload.keys():
            raise KeyError("candidates")
        parts: Sequence[Mapping[str, Any]] = ()
        before = len(self._text)
        for candidate in candidates[:1]:
            parts = (candidate.get("content") or {}).get("parts") or ()
            self._take(parts)
            if (finish := candidate.get("finishReason")) is not None:
                self._finish = self._finish or FINISHES.get(finish)
        return "".join(self._text[before:]) if parts else None

    def message(self) -> Message:
        """Return what came in all."""
        finish: Finish | None = "TOOL_CALLS" if self._finish == "STOP" and self._calls else self._finish
        tokens = _tokens(self._usage)
        return Message("".join(self._text), tuple(self._calls), finish, tokens, self._model, self._id)

    def _take(self, parts: Iterable[Mapping[str, Any]]) -> None:
        for part in parts:
            if (call := part.get("functionCall")) is not None:
                id_ = str(call.get("id") or f"call-{len(self._calls)}")
                arguments = json.dumps(call.get("args") or {})
                self._calls.append({"id": id_, "name": str(call["name"]), "arguments": arguments})
            elif not part.get("thought"):
                self._text.append(part.get("text") or "")


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    """Return the tokens by class: the prompt's count holds those of the cache; thoughts are paid as output."""
    if "promptTokenCount" not in usage:
        return None
    prompt = int(usage["promptTokenCount"])
    cached = min(prompt, int(usage.get("cachedContentTokenCount") or 0))
    return Tokens(
        input=prompt - cached + int(usage.get("toolUsePromptTokenCount") or 0),
        cache_read=cached,
        output=int(usage.get("candidatesTokenCount") or 0) + int(usage.get("thoughtsTokenCount") or 0),
    )


def _embeddings(call: AiCall, payload: Mapping[str, Any]) -> Answer:
    vectors = tuple(struct.pack(f"<{len(one['values'])}f", *one["values"]) for one in payload["embeddings"])
    wanted = len(json.loads(call.body)["inputs"])
    if len(vectors) != wanted:
        return Answer("MALFORMED", f"{wanted} inputs have {len(vectors)} embeddings", http_status=200)
    tokens = _tokens(payload.get("usageMetadata") or {})
    return Answer("OK", embeddings=vectors, finish="STOP", tokens=tokens, model=call.model, http_status=200)


def _texts(texts: Iterable[str]) -> dict[str, Any]:
    return {"parts": [{"text": text} for text in texts]}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": tool["name"],
        "description": tool["description"] or "",
        "parametersJsonSchema": tool["parameters"],
    }


def _turns(messages: Iterable[Mapping[str, Any]], *, signed: bool) -> list[dict[str, Any]]:
    """Return the messages that are no system's; results of tools are parts of a user's turn, by the tool's name."""
    turns: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        if message["role"] == "system":
            continue
        for call in message.get("tool_calls") or ():
            names[call["id"]] = call["name"]
        if message["role"] == "tool":
            id_ = message["tool_call_id"]
            name = message.get("name") or names.get(id_, id_)
            result = {"name": name, "response": {"result": message["content"]}}
            role, parts = "user", [{"functionResponse": result}]
        else:
            role = "model" if message["role"] == "assistant" else "user"
            parts = _parts(message, signed=signed)
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        else:
            turns.append({"role": role, "parts": parts})
    return turns


def _parts(message: Mapping[str, Any], *, signed: bool) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [_image(image) for image in message.get("images") or ()]
    if message["content"]:
        parts.append({"text": message["content"]})
    for at, call in enumerate(message.get("tool_calls") or ()):
        made: dict[str, Any] = {"functionCall": {"name": call["name"], "args": json.loads(call["arguments"] or "{}")}}
        if signed and at == 0:  # of calls made together, the first has the signature
            made["thoughtSignature"] = NO_SIGNATURE
        parts.append(made)
    return parts


def _image(image: str) -> dict[str, Any]:
    """Return an image as a part: what a `data:` address holds, or an address."""
    if image.startswith("data:") and ";base64," in image:
        kind, _, data = image[5:].partition(";base64,")
        return {"inlineData": {"mimeType": kind, "data": data}}
    kind = mimetypes.guess_type(image.partition("?")[0])[0] or "image/jpeg"
    return {"fileData": {"mimeType": kind, "fileUri": image}}
