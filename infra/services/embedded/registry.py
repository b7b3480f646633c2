"""Apicurio Registry: Avro schemas behind Confluent's API, stored in PostgreSQL so that their ids outlive a restart."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from tradewind.connectors.certificates import certificates
from tradewind.connectors.registered_ids import forget_ids
from tradewind.connectors.settings import Settings, revealed
from tradewind.infra.services.declaration import ASK_S, Service
from tradewind.infra.services.embedded.postgres import REGISTRY, url_of
from tradewind.infra.services.java import archive, artifacts
from tradewind.infra.services.passwords import password
from tradewind.infra.services.ports import connect
from tradewind.infra.services.process import Command
from tradewind.infra.services.service import LOOPBACK, Running

API = "/apis/ccompat/v7"
COMPATIBILITY = "FULL_TRANSITIVE"
"""Every version of a schema reads what every other version wrote: topics are replayed from their beginning."""
TIMEOUT_S = 5.0


class Registry(Service):
    """One Apicurio Registry on the embedded PostgreSQL, whose restart ends its pooled connections."""

    name = "registry"
    part = "registry"
    offsets = (8, 9)
    """Its API; its health checks and metrics."""
    after = ("postgres",)

    @property
    def url(self) -> str:
        """Base URL of Confluent's API."""
        return f"http://{LOOPBACK}:{self.port()}{API}"

    @property
    def ids_file(self) -> Path:
        """Where the ids of registered schemas are kept while it runs."""
        return self.place.data / self.name / "schema-ids.json"

    def endpoint(self) -> dict[str, Any]:
        """Return where it is, and where processes find the ids of schemas without asking it."""
        return {"url": self.url, "ids_file": str(self.ids_file)}

    @classmethod
    def ask(cls, settings: Settings) -> str:
        """Return Apicurio's version; other registries tell none."""
        part = settings.registry
        auth = None if part.user is None else (part.user, revealed(part.password) or "")
        with httpx.Client(timeout=ASK_S, auth=auth, verify=certificates()) as client:
            client.get(f"{part.url}/config").raise_for_status()
            own = client.get(str(httpx.URL(str(part.url)).copy_with(path="/apis/registry/v3/system/info")))
            return str(own.json()["version"]) if own.is_success else "Confluent API"

    def start(self) -> Running:
        """Start it (PostgreSQL must be up) and demand compatibility of all versions of a schema."""
        begun = time.monotonic()
        folder = self.place.folder(self.name)
        forget_ids(self.ids_file)
        jar = archive.unpacked(artifacts.ensure(["registry"])["registry"][0]) / "quarkus-run.jar"
        command = Command(
            self.name,
            self.place.java.command(folder, [jar], "-Xmx160m", "-jar", str(jar)),
            folder,
            self.place.log(self.name),
            self._environment(),
        )
        return self.run(command, self._probe, begun, self.url)

    def _environment(self) -> dict[str, str]:
        return {
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "postgresql",
            "APICURIO_DATASOURCE_URL": f"jdbc:{url_of(self.place, REGISTRY)}",
            "APICURIO_DATASOURCE_USERNAME": REGISTRY,
            "APICURIO_DATASOURCE_PASSWORD": password(self.place.data, f"postgres-{REGISTRY}"),
            # One user's schemas: its default of 20 connections is 20 processes of PostgreSQL.
            "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "1",
            "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "1",
            "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "8",
            "QUARKUS_HTTP_HOST": LOOPBACK,
            "QUARKUS_HTTP_PORT": str(self.port()),
            "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
            "QUARKUS_MANAGEMENT_PORT": str(self.port(1)),
            "QUARKUS_LOG_CONSOLE_COLOR": "false",
            "QUARKUS_LOG_CONSOLE_LEVEL": "WARN",  # it logs every request otherwise
        }

    def _probe(self) -> str:
        """Return Apicurio's version once it answers and holds schemas to the compatibility rule."""
        connect(self.port())
        try:
            with httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=certificates()) as client:
                answer = client.put(f"{self.url}/config", json={"compatibility": COMPATIBILITY}).raise_for_status()
                if answer.json().get("compatibility") != COMPATIBILITY:
                    raise ConnectionError(f"the registry refused the compatibility rule: {answer.text}")
                info = client.get(f"http://{LOOPBACK}:{self.port()}/apis/registry/v3/system/info")
                return str(info.raise_for_status().json()["version"])
        except httpx.HTTPError as error:
            raise ConnectionError(str(error)) from error
