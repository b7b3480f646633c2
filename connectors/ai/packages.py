"""The adapters `openai` and `anthropic`: the providers' own packages send, without a retry, typed models or a limit.

Both packages retry twice unless told otherwise, which would send a call again behind the claim. Importing them takes
some seconds, so that happens when a call first needs them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

from tradewind.connectors.ai.addresses import allowed, connections
from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.ai.exchange import Exchange, Reply
from tradewind.connectors.ai.forms.anthropic import AnthropicForm
from tradewind.connectors.ai.forms.form import Form
from tradewind.connectors.ai.forms.openai import OpenAiForm
from tradewind.connectors.calls.kind import Sending
from tradewind.schemas.ai import AiCall

CONNECTIONS = 1_024
"""At once, over all hosts: twice what a caller has in flight. The packages allow 100, and calls beyond wait unseen."""
CLIENTS = 64
"""That are kept, each of a key and a base URL; they share the connections."""
OWN = (".openai.com", ".openai.azure.com")
"""Hosts of OpenAI's own models, which know its newer names of fields alone."""
RAW = {"X-Stainless-Raw-Response": "stream"}
"""Asks the packages for the answer as it comes."""


class Package(Protocol):
    """What a package is needed for."""

    name: str

    def client(self, key: str, base_url: str | None, http: Any) -> Any:
        """Return a client of the package for a key and a base URL."""
        ...

    def connections(self) -> Any:
        """Return the package's own aiohttp transport, with a raised limit."""
        ...

    def form(self, call: AiCall) -> Form:
        """Return the form of a call."""
        ...


class OpenAi:
    """The package `openai`."""

    name = "openai"

    def __init__(self, own: tuple[str, ...] = OWN) -> None:
        """Know the hosts of OpenAI's own models, each with a dot before it."""
        self._own = own

    def client(self, key: str, base_url: str | None, http: Any) -> Any:
        """Return `AsyncOpenAI`; its defaults from the environment do not hold, since another account is meant."""
        from openai import AsyncOpenAI  # noqa: PLC0415 - it takes seconds

        made = AsyncOpenAI(
            api_key=key, base_url=base_url or "https://api.openai.com/v1", max_retries=0, http_client=http, timeout=None
        )
        made.organization = made.project = None
        return made

    def connections(self) -> Any:
        """Return the transport."""
        import httpx2  # noqa: PLC0415 - comes with the package
        from openai import DefaultAioHttpClient  # noqa: PLC0415

        return DefaultAioHttpClient(limits=httpx2.Limits(max_connections=CONNECTIONS), timeout=None)

    def form(self, call: AiCall) -> Form:
        """Return OpenAI's own form, or the one that others understand."""
        host = urlsplit(call.base_url or "https://api.openai.com").hostname or ""
        return OpenAiForm(own=f".{host}".endswith(self._own))


class Anthropic:
    """The package `anthropic`."""

    name = "anthropic"

    def client(self, key: str, base_url: str | None, http: Any) -> Any:
        """Return `AsyncAnthropic`; a token from the environment is not sent beside the key."""
        from anthropic import AsyncAnthropic  # noqa: PLC0415 - it takes seconds

        made = AsyncAnthropic(
            api_key=key, base_url=base_url or "https://api.anthropic.com", max_retries=0, http_client=http, timeout=None
        )
        made.auth_token = None
        return made

    def connections(self) -> Any:
        """Return the transport."""
        import httpx2  # noqa: PLC0415 - comes with the package
        from anthropic import DefaultAioHttpClient  # noqa: PLC0415

        return DefaultAioHttpClient(limits=httpx2.Limits(max_connections=CONNECTIONS), timeout=None)

    def form(self, call: AiCall) -> Form:  # noqa: ARG002 - there is one
        """Return Anthropic's form."""
        return AnthropicForm()


class ByPackage:
    """An adapter that sends by a provider's own package."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._http: dict[bool, Any] = {}
        self._clients: OrderedDict[tuple[str, str | None, bool], Any] = OrderedDict()

    async def open(self) -> None:
        """Import the package, in a thread, so that other calls go on."""
        await asyncio.to_thread(import_module, self._package.name)
        for private in (True, False):
            http = self._package.connections()
            transport = http._transport
            transport.client = connections(CONNECTIONS, private=private, tls=transport.ssl_context)
            self._http[private] = http

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:
        """Send a call once, and return what came of it."""
        if key is None:
            return Answer("BAD_KEY", f"{self._package.name} needs a key, and the provider {call.provider} names none")
        if (why := await allowed(call.base_url, private=call.allow_private)) is not None:
            return Answer("UNREACHABLE", why)
        return await Exchange(self._package.form(call), self._post, call, sending).answer(key)

    async def close(self) -> None:
        """Close the connections."""
        for http in self._http.values():
            await http.aclose()

    @asynccontextmanager
    async def _post(self, call: AiCall, path: str, body: dict[str, Any], key: str | None) -> AsyncIterator[Reply]:
        client = self._client(key or "", call.base_url, private=call.allow_private)
        import httpx2  # noqa: PLC0415 - comes with the package, which is imported by now

        waits = httpx2.Timeout(None, connect=call.connect_timeout_ms / 1_000)
        options = {"headers": RAW, "timeout": waits, "follow_redirects": False}
        try:
            answer = await client.post(
                path, body=body, cast_to=object, options=options, stream=bool(body.get("stream")), stream_cls=object
            )
        except Exception as error:
            response = getattr(error, "response", None)
            if response is None:  # no answer of the provider
                raise
            yield _reply(response)
            return
        try:
            yield _reply(answer.http_response)
        finally:
            with suppress(Exception):  # the connection is given up, whatever it says to that
                await asyncio.shield(answer.close())

    def _client(self, key: str, base_url: str | None, *, private: bool) -> Any:
        at = key, base_url, private
        if at not in self._clients:
            self._clients[at] = self._package.client(key, base_url, self._http[private])
        self._clients.move_to_end(at)
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)
        return self._clients[at]


def _reply(response: Any) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, response.aiter_bytes())


def openai_adapter() -> ByPackage:
    """Return the adapter `openai`."""
    return ByPackage(OpenAi())


def anthropic_adapter() -> ByPackage:
    """Return the adapter `anthropic`."""
    return ByPackage(Anthropic())
