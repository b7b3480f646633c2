"""Adapters on aiohttp: any OpenAI-compatible URL, Gemini, and Ollama."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
from yarl import URL

from tradewind.connectors.ai.addresses import allowed, connections
from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.ai.batches import in_batches
from tradewind.connectors.ai.exchange import Exchange, Reply
from tradewind.connectors.ai.forms.completion import CompletionForm
from tradewind.connectors.ai.forms.form import Form, is_plain
from tradewind.connectors.ai.forms.gemini import MOST_INPUTS, GeminiForm
from tradewind.connectors.ai.forms.ollama import OllamaForm
from tradewind.connectors.ai.forms.openai import OpenAiForm
from tradewind.connectors.calls.kind import Sending
from tradewind.schemas.ai import AiCall

CONNECTIONS = 1_024
"""At once, over all hosts: twice what a caller has in flight."""


@dataclass(frozen=True, slots=True)
class Api:
    """What differs between the providers that are spoken to by HTTP."""

    name: str
    form: Callable[[AiCall], Form]
    key_header: Callable[[str], Mapping[str, str]]
    base_url: str | None = None
    """Where it is, unless the settings say otherwise; None if they must."""
    needs_key: bool = False
    most_inputs: int | None = None
    """Of one request for embeddings; more are sent in several, one after the other."""


class OverHttp:
    """An adapter that sends by aiohttp."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def open(self) -> None:
        """Make the connections: those that may lead to private addresses, and those that may not."""
        tls = httpx.create_ssl_context()  # with certificates of its own, where the system has none
        self._sessions = {private: connections(CONNECTIONS, private=private, tls=tls) for private in (True, False)}

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:
        """Send a call once, and return what came of it."""
        api, base_url = self._api, call.base_url or self._api.base_url
        if base_url is None:
            return Answer("UNREACHABLE", f"the provider {call.provider} needs a base_url: {api.name} is a form alone")
        if key is None and api.needs_key:
            return Answer("BAD_KEY", f"{api.name} needs a key, and the provider {call.provider} names none")
        if (why := await allowed(base_url, private=call.allow_private)) is not None:
            return Answer("UNREACHABLE", why)

        async def once(part: AiCall) -> Answer:
            return await Exchange(api.form(part), self._post, part, sending).answer(key)

        return await in_batches(call, api.most_inputs, once)

    async def close(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            await session.close()

    @asynccontextmanager
    async def _post(self, call: AiCall, path: str, body: dict[str, Any], key: str | None) -> AsyncIterator[Reply]:
        base_url = call.base_url or self._api.base_url or ""
        headers = {"content-type": "application/json", **({} if key is None else self._api.key_header(key))}
        session = self._sessions[call.allow_private]
        async with session.post(
            URL(base_url.rstrip("/") + path, encoded=True),
            data=json.dumps(body, ensure_ascii=False).encode(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, connect=call.connect_timeout_ms / 1_000),
            allow_redirects=False,
        ) as response:
            names = {name.lower(): value for name, value in response.headers.items()}
            yield Reply(response.status, names, response.content.iter_any())


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def _compatible_form(call: AiCall) -> Form:
    if call.kind == "COMPLETION" and is_plain(json.loads(call.body)) and "json_schema" not in json.loads(call.body):
        return CompletionForm()
    return OpenAiForm(own=False)


def compatible_adapter() -> OverHttp:
    """Return the adapter `openai-compatible`."""
    return OverHttp(Api("openai-compatible", _compatible_form, _bearer))


def gemini_adapter() -> OverHttp:
    """Return the adapter `gemini`."""
    return OverHttp(
        Api(
            "gemini",
            lambda _: GeminiForm(),
            lambda key: {"x-goog-api-key": key},
            "https://generativelanguage.googleapis.com/v1beta",
            needs_key=True,
            most_inputs=MOST_INPUTS,
        )
    )


def ollama_adapter() -> OverHttp:
    """Return the adapter `ollama`."""
    return OverHttp(Api("ollama", lambda _: OllamaForm(), _bearer, "http://127.0.0.1:11434"))
