"""Apicurio Registry: Avro schemas behind Confluent's API, stored in PostgreSQL so that their ids outlive a restart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from tradewind.connectors.registered_ids import forget_ids
from tradewind.infra.services import archive, artifacts
from tradewind.infra.services.passwords import password
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import connect
from tradewind.infra.services.postgres import REGISTRY, Postgres
from tradewind.infra.services.process import Command, Server
from tradewind.infra.services.service import LOOPBACK, Running

API = "/apis/ccompat/v7"
COMPATIBILITY = "FULL_TRANSITIVE"
"""Every version of a schema reads what every other version wrote: topics are replayed from their beginning."""
TIMEOUT_S = 5.0


class Registry:
    """One Apicurio Registry on the embedded PostgreSQL."""

    name = "registry"

    def __init__(self, place: Place, postgres: Postgres) -> None:
        self._place, self._data, self._ports, self._postgres = place, place.data, place.ports, postgres
        self.servers: list[Server] = []

    @property
    def url(self) -> str:
        """Base URL of Confluent's API."""
        return f"http://{LOOPBACK}:{self._ports.registry}{API}"

    @property
    def ids_file(self) -> Path:
        """Where the ids of registered schemas are kept while it runs."""
        return self._data / self.name / "schema-ids.json"

    @property
    def listens(self) -> Sequence[int]:
        """The ports that it needs."""
        return (self._ports.registry, self._ports.registry_management)

    def start(self) -> Running:
        """Start it (PostgreSQL must be up) and demand compatibility of all versions of a schema."""
        begun = time.monotonic()
        folder = self._place.folder(self.name)
        forget_ids(self.ids_file)
        jar = archive.unpacked(artifacts.ensure(["registry"])["registry"][0]) / "quarkus-run.jar"
        server = Server(
            Command(
                self.name,
                self._place.java.command(folder, [jar], "-Xmx160m", "-jar", str(jar)),
                folder,
                self._place.log(self.name),
                self._environment(),
            ),
            self._place.run,
            self._place.closing,
        )
        self.servers = [server]
        pid = server.start()
        version = server.wait_ready(self._probe)
        return Running(self.name, self.url, pid, version, time.monotonic() - begun, server.command.log)

    def _environment(self) -> dict[str, str]:
        return {
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "postgresql",
            "APICURIO_DATASOURCE_URL": f"jdbc:{self._postgres.url_of(REGISTRY)}",
            "APICURIO_DATASOURCE_USERNAME": REGISTRY,
            "APICURIO_DATASOURCE_PASSWORD": password(self._data, f"postgres-{REGISTRY}"),
            # One user's schemas: its default of 20 connections is 20 processes of PostgreSQL.
            "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "1",
            "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "1",
            "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "8",
            "QUARKUS_HTTP_HOST": LOOPBACK,
            "QUARKUS_HTTP_PORT": str(self._ports.registry),
            "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
            "QUARKUS_MANAGEMENT_PORT": str(self._ports.registry_management),
            "QUARKUS_LOG_CONSOLE_COLOR": "false",
            "QUARKUS_LOG_CONSOLE_LEVEL": "WARN",  # it logs every request otherwise
        }

    def _probe(self) -> str:
        """Return Apicurio's version once it answers and holds schemas to the compatibility rule."""
        connect(self._ports.registry)
        try:
            # Loading certificates, which plain HTTP has no use for, takes 30 ms.
            with httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=False) as client:  # noqa: S501
                answer = client.put(f"{self.url}/config", json={"compatibility": COMPATIBILITY}).raise_for_status()
                if answer.json().get("compatibility") != COMPATIBILITY:
                    raise ConnectionError(f"the compatibility rule was not taken: {answer.text}")
                info = client.get(f"http://{LOOPBACK}:{self._ports.registry}/apis/registry/v3/system/info")
                return str(info.raise_for_status().json()["version"])
        except httpx.HTTPError as error:
            raise ConnectionError(str(error)) from error
