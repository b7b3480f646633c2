"""The server: health, ping, organisations, buckets, write and query, with InfluxDB's own error bodies.

Bodies are `{"code":C,"message":M}` with the header `X-Platform-Error-Code` (`kit/transport/http/error_handler.go`). The
order of checks in a write is that of `http/write_handler.go`: token, precision, organisation, bucket, permission, body.
InfluxDB's open-source server sends no 429 by itself; InfluxDB Cloud does, with `Retry-After` (its API reference).
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from influx_double import flux
from influx_double.lines import NS_OF, parse
from influx_double.store import Bucket

STATUS_OF = {  # influxDBErrorToStatusCode
    "internal error": 500,
    "invalid": 400,
    "unprocessable entity": 422,
    "conflict": 422,
    "not found": 404,
    "unavailable": 503,
    "forbidden": 403,
    "too many requests": 429,
    "unauthorized": 401,
    "request too large": 413,
}
ALL = frozenset({"read", "write", "create"})


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(slots=True)
class Fault:
    """What writes are answered instead, for some time."""

    code: str
    message: str
    times: int
    headers: Mapping[str, str]


@dataclass(eq=False)
class Double:
    """A server on loopback, from `with` on."""

    org: str = "trading"
    token: str = "all-access"
    """A token that may do all."""
    version: str = "v2.8.0"
    port: int = 0
    tokens: dict[str, frozenset[str]] = field(default_factory=dict)
    """Token -> what it may do: read, write, create."""
    buckets: dict[str, Bucket] = field(default_factory=dict)
    most_bytes: int = 0
    """The largest body that a write may have, unpacked; 0 is any, as it is by default."""
    latency_s: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and status of each request, in order."""
    write_sizes: list[int] = field(default_factory=list)
    """Lines of each write that was taken whole."""
    clock: Callable[[], int] = time.time_ns
    queries: list[str] = field(default_factory=list)
    third: bool = False
    """Whether it answers as InfluxDB 3 does on the endpoint that it shares (`influxdb3_server/src/http.rs`)."""

    def __enter__(self) -> Self:
        """Begin to listen."""
        self.tokens.setdefault(self.token, ALL)
        self._lock, self._connections = threading.Lock(), set[socket.socket]()
        double = self

        class Handler(_Handler):
            of = double

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more; what was written stays, for the next `with`."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def add_bucket(self, name: str, retention_s: int = 0) -> Bucket:
        """Make a bucket by hand."""
        return self.buckets.setdefault(name, Bucket(name, f"{len(self.buckets) + 1:016x}", retention_s))

    def fail(self, code: str, message: str, times: int, **headers: str) -> None:
        """Answer the next writes with an error."""
        self.faults.append(Fault(code, message, times, {name.replace("_", "-"): of for name, of in headers.items()}))

    # -- what the handlers do -----------------------------------------------------------------------------------------

    def find_org(self, name: str) -> None:
        """Raise where there is no such organisation (`tenant/error_org.go`)."""
        if name != self.org:
            raise Refusal("not found", f'organization name "{name}" not found')

    def write_as_third(self, query: Mapping[str, str], body: bytes) -> None:
        """Take a write whole or not at all; a database is made by the first one, and there are no organisations."""
        points, failed = parse(body.decode(), query["precision"], self.clock())
        if failed:
            reason = failed[0].rpartition("': ")[2]
            raise Refusal("invalid", f"write buffer error: line protocol parse failed: {reason}")
        with self._lock:
            assert self.add_bucket(query["bucket"]).write(points, self.clock()) is None
        self.write_sizes.append(len(points))

    def write(self, query: Mapping[str, str], body: bytes, may: frozenset[str]) -> None:
        """Take a write."""
        if self.third:
            self.write_as_third(query, body)
            return
        if (precision := query.get("precision", "ns")) not in NS_OF:
            raise Refusal("invalid", "invalid precision; valid precision units are ns, us, ms, and s")
        if not query.get("bucket"):
            raise Refusal("not found", "bucket not found")
        self.find_org(query.get("org", ""))
        bucket = self.buckets.get(query["bucket"])
        if bucket is None:
            raise Refusal("not found", f"bucket {json.dumps(query['bucket'])} not found")
        if "write" not in may:
            raise Refusal("forbidden", "insufficient permissions for write")
        if self.most_bytes and len(body) > self.most_bytes:
            raise Refusal("request too large", "unable to read data: points batch is too large")
        if not body:
            raise Refusal("invalid", "writing requires points")
        now = self.clock()
        points, failed = parse(body.decode(), precision, now)
        if failed:
            raise Refusal("invalid", "\n".join(failed))  # nothing is written
        with self._lock:
            partial = bucket.write(points, now)
        if partial is not None:
            raise Refusal("unprocessable entity", f"failure writing points to database: {partial}")
        self.write_sizes.append(len(points))

    def create(self, asked: Mapping[str, Any], may: frozenset[str]) -> dict[str, Any]:
        """Make a bucket (`tenant/http_server_bucket.go`, `authorizer/bucket.go`)."""
        if asked.get("orgID") != self.org_id:
            raise Refusal("invalid", "organization id must be provided")
        if "create" not in may:
            raise Refusal("unauthorized", f"write:orgs/{self.org_id}/buckets is unauthorized")
        name = asked["name"]
        if name in self.buckets:
            raise Refusal("conflict", f"bucket with name {name} already exists")
        rules = asked.get("retentionRules") or []
        return self.shown(self.add_bucket(name, int(rules[0]["everySeconds"]) if rules else 0))

    @property
    def org_id(self) -> str:
        """The organisation's id: 16 hex digits."""
        return "043e0780ee2b1000"

    def shown(self, bucket: Bucket) -> dict[str, Any]:
        """Return a bucket as the API shows it."""
        rules = [{"type": "expire", "everySeconds": bucket.retention_s, "shardGroupDurationSeconds": 604_800}]
        return {"id": bucket.id, "orgID": self.org_id, "type": "user", "name": bucket.name, "retentionRules": rules}

    def query(self, asked: Mapping[str, Any], may: frozenset[str]) -> str:
        """Answer a query; what a token may not read is not there for it (`query/stdlib/.../provider.go`)."""
        self.queries.append(asked["query"])
        try:
            with self._lock:
                return flux.run(asked["query"], self.buckets.get if "read" in may else lambda _: None)
        except flux.FluxError as error:
            raise Refusal("invalid", str(error)) from error
        except flux.NoBucket as error:
            message = f"failed to initialize execute state: could not find bucket {json.dumps(str(error))}"
            raise Refusal("not found", message) from error


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    of: Double
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def setup(self) -> None:
        """Take a connection."""
        super().setup()
        self.of._connections.add(self.connection)

    def finish(self) -> None:
        """Give it up."""
        self.of._connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers: Mapping[str, str] = {}
        try:
            status, kind, text = self._routed(parts.path, query, body)
        except Refusal as error:
            status, kind = STATUS_OF[error.code], "application/json; charset=utf-8"
            text = json.dumps({"code": error.code, "message": error.message}, separators=(",", ":"))
            headers = {"X-Platform-Error-Code": error.code, **getattr(error, "headers", {})}
        self.of.requests.append((self.command, parts.path, status))
        self._send(status, kind, text.encode(), headers)

    def _send(self, status: int, kind: str, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        build = "Core" if self.of.third else "OSS"
        own = {"X-Influxdb-Build": build, "X-Influxdb-Version": self.of.version}
        if status != 204:
            own |= {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in {**own, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if status != 204:
            self.wfile.write(content)

    def _routed(self, path: str, query: Mapping[str, str], body: bytes) -> tuple[int, str, str]:
        of, method = self.of, self.command
        if (method, path) == ("GET", "/health"):
            return self._health()
        if (method, path) == ("GET", "/ping"):
            return 204, "", ""
        may = self._may()
        if (method, path) == ("POST", "/api/v2/write"):
            self._delay_or_fail()
            packed = self.headers.get("Content-Encoding") == "gzip"
            of.write(query, gzip.decompress(body) if packed else body, may)
            return 204, "", ""
        if (method, path) == ("POST", "/api/v2/query") and not of.third:
            of.find_org(query.get("org", ""))
            return 200, "text/csv; charset=utf-8", of.query(json.loads(body), may)
        if (method, path) == ("POST", "/api/v2/buckets") and not of.third:
            return 201, "application/json", json.dumps(of.create(json.loads(body), may))
        if (method, path) == ("GET", "/api/v2/orgs") and not of.third:
            of.find_org(query.get("org", of.org))
            shown = [{"id": of.org_id, "name": of.org}] if "read" in may else []
            return 200, "application/json", json.dumps({"orgs": shown})
        raise Refusal("not found", "path not found")  # http/api_handler.go

    def _health(self) -> tuple[int, str, str]:
        """Answer as `http/health.go` of InfluxDB 2.7 and 2.8 does, and as InfluxDB 3."""
        if self.of.third:
            return 200, "text/plain; charset=utf-8", "OK"
        health = {"name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": []}
        told = {**health, "version": self.of.version, "commit": "0"}
        return 200, "application/json; charset=utf-8", json.dumps(told)

    def _may(self) -> frozenset[str]:
        """Return what the request's token may do (`http/authentication_middleware.go`)."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme not in ("Token", "Bearer") or token not in self.of.tokens:
            raise Refusal("unauthorized", "unauthorized access")
        return self.of.tokens[token]

    def _delay_or_fail(self) -> None:
        of = self.of
        time.sleep(of.latency_s)
        if of.faults:
            fault = of.faults[0]
            fault.times -= 1
            if fault.times == 0:
                of.faults.pop(0)
            refusal = Refusal(fault.code, fault.message)
            refusal.headers = fault.headers  # type: ignore[attr-defined]
            raise refusal
