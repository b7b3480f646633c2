"""The small server of a process: `/metrics` for Prometheus, `/live` and `/ready` with reasons as JSON."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from tradewind.connectors.telemetry.health import Health

REQUEST_S = 5.0  # for a client to say what it wants
STOP_S = 0.1  # how soon the server sees that it is to end
BACKLOG = 16  # clients that wait to be served: scrapes come one at a time, people a few
JSON = "application/json"
log = logging.getLogger(__name__)
Answer = tuple[HTTPStatus, str, bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = BACKLOG

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the standard library's signature
        """Log what went wrong instead of writing it to standard error: a client that went away, mostly."""
        log.debug("a request of %s failed", client_address, exc_info=True)


class Endpoint:
    """Answers on one address, in threads of its own, until closed."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        """Listen; raises `OSError` where the port is taken."""
        self._registry, self._health = registry, health
        self._server = _Server((host, port), self._handler())
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_S,), name="telemetry", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        routes: dict[str, Callable[[str], Answer]] = {
            "/metrics": self._metrics,
            "/live": lambda _: _verdict("live", self._health.not_live()),
            "/ready": lambda _: _verdict("ready", self._health.not_ready(), self._health.details()),
        }

        class Handler(_Handler):
            answers = routes

        return Handler

    def _metrics(self, accepted: str) -> Answer:
        encode, content_type = choose_encoder(accepted)
        return HTTPStatus.OK, content_type, encode(self._registry)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    timeout = REQUEST_S
    server_version, sys_version = "Tradewind", ""
    answers: ClassVar[dict[str, Callable[[str], Answer]]] = {}

    def do_GET(self) -> None:
        """Answer with what the path asks for."""
        answer = self.answers.get(self.path.partition("?")[0])
        if answer is None:
            found = HTTPStatus.NOT_FOUND, JSON, _json({"paths": sorted(self.answers)})
        else:
            found = answer(self.headers.get("Accept", ""))
        status, content_type, body = found
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's signature
        """Say nothing: a scrape every few seconds is no news."""


def _verdict(name: str, wrong: dict[str, list[str]], details: Mapping[str, object] | None = None) -> Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
    return status, JSON, _json({name: not wrong, "reasons": wrong, **(details or {})})


def _json(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
