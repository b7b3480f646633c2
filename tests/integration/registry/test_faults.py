"""A registry that is away, unwell or no registry: what the client does then."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from processes.pipeline import environment
from pydantic import SecretStr

from tradewind.connectors.registry import (
    ATTEMPTS,
    RegistryRefused,
    RegistryUnavailable,
    SchemaRegistry,
    UnknownSchema,
    open_codec,
)
from tradewind.connectors.settings import PostgresSettings, RegistrySettings, ServiceNotConfigured, Settings


class Scripted(ThreadingHTTPServer):
    """A server that gives the answers it was told, then the last one again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, Any]] = []
        self.seen: list[tuple[str, str, str | None]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(size)
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization")))
        status, body = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    """Give a scripted server."""
    with Scripted() as scripted:
        thread = threading.Thread(target=scripted.serve_forever, daemon=True)
        thread.start()
        yield scripted
        scripted.shutdown()
        thread.join()


def client(server: Scripted, **options: Any) -> SchemaRegistry:
    """Return a client of the scripted server, which does not wait long."""
    part = RegistrySettings(url=f"http://127.0.0.1:{server.server_port}/apis/ccompat/v7", **options)
    return SchemaRegistry(Settings(_env_file=None, registry=part), first_pause_s=0.001)


def test_a_registry_that_recovers_is_asked_again(server: Scripted) -> None:
    """Errors that pass are waited for."""
    server.answers = [(503, "starting"), (500, "still"), (429, "slow down"), (200, {"schema": '"string"'})]
    with client(server) as registry:
        assert registry.schema(1) == '"string"'
    assert [path for _, path, _ in server.seen] == ["/apis/ccompat/v7/schemas/ids/1"] * 4


def test_a_registry_that_stays_unwell_is_unavailable(server: Scripted) -> None:
    """The attempts are counted, and the error says what the registry said."""
    server.answers = [(503, "no leader")]
    with client(server) as registry, pytest.raises(RegistryUnavailable, match="HTTP 503 no leader"):
        registry.schema(1)
    assert len(server.seen) == ATTEMPTS


def test_a_registry_that_nobody_runs_is_unavailable() -> None:
    """A closed port is said to be so."""
    unused = Scripted()
    port = unused.server_port
    unused.server_close()
    settings = Settings(_env_file=None, registry=RegistrySettings(url=f"http://127.0.0.1:{port}"))
    with pytest.raises(RegistryUnavailable, match=f"127.0.0.1:{port}.*in {ATTEMPTS} attempts: ConnectError"):
        open_codec(settings, first_pause_s=0.001)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((401, "who are you"), "HTTP 401 who are you"),
        ((200, "<html>"), "not a schema registry: it answered HTTP 200 <html>"),
        ((200, [1]), "not a schema registry: it answered"),
        ((200, {"other": 1}), "not a schema registry: its answer has no schema"),
        ((422, {"message": "no Avro"}), "HTTP 422"),
    ],
)
def test_an_answer_that_will_not_change_is_refused_at_once(server: Scripted, answer: Any, reason: str) -> None:
    """What does not pass is not repeated."""
    server.answers = [answer]
    with client(server) as registry, pytest.raises(RegistryRefused, match=reason):
        registry.schema(1)
    assert len(server.seen) == 1


def test_what_is_not_there_is_unknown(server: Scripted) -> None:
    """A missing schema is an answer like any other."""
    server.answers = [(404, {"error_code": 40403})]
    with client(server) as registry, pytest.raises(UnknownSchema):
        registry.schema(1)


def test_an_id_that_is_no_number_is_refused(server: Scripted) -> None:
    """Nothing else is taken for an id."""
    server.answers = [(200, {"id": "seven"})]
    with client(server) as registry, pytest.raises(RegistryRefused, match="'seven' is no id"):
        registry.register({"a.B": ["{}"]})


def test_credentials_are_sent(server: Scripted) -> None:
    """User and password are given with every request."""
    server.answers = [(200, {"schema": "{}"})]
    with client(server, user="ann", password=SecretStr("s3cret")) as registry:
        registry.schema(1)
    assert server.seen[0][2] == "Basic " + b64encode(b"ann:s3cret").decode()


def test_without_an_address_the_error_says_what_to_set() -> None:
    """No registry is guessed."""
    settings = Settings(_env_file=None, data="/nonexistent", registry=RegistrySettings())
    with pytest.raises(ServiceNotConfigured, match="TRADEWIND_REGISTRY__URL"):
        SchemaRegistry(settings)


def test_each_process_says_that_the_registry_is_of_another_format_and_changes_nothing(
    server: Scripted, settings: Settings, database: PostgresSettings
) -> None:
    """An external registry that holds schemas of before refuses today's: exit code 1, what to do, and no topic."""
    server.answers = [(409, {"error_code": 409, "message": "Incompatible schema"})]
    url = f"http://127.0.0.1:{server.server_port}/apis/ccompat/v7"
    given = environment(settings.model_copy(update={"postgres": database, "registry": RegistrySettings(url=url)}))
    commands = (("prepare",), ("worker", "market"), ("sink", "postgres"), ("feed", "simulator", "--rate", "10"))
    running = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "tradewind.infra.cli", *command], env=given, stderr=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    for command, process in zip(commands, running, strict=True):
        _, said = process.communicate(timeout=120)
        assert process.returncode == 1, (command, said)
        assert "tradewind." in said, command
        assert "the registry holds those of another format of Tradewind" in said, (command, said)
        assert "use another registry and another Kafka" in said, command
        assert "Traceback" not in said, (command, said)
    topics = AdminClient(settings.librdkafka()).list_topics(timeout=30).topics
    assert not [name for name in topics if name.startswith(settings.namespace)]
