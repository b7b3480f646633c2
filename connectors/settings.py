"""Settings: which services to use, and how. From `TRADEWIND_...` variables, `.env`, and what `tradewind up` started.

A service whose URL is set is external: none is started for it. Otherwise `tradewind up` starts an embedded one and
writes where it listens, with its password, to `endpoints.json` (mode 0600) in the data folder, where workers find it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import JsonConfigSettingsSource

from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS, Tenant
from tradewind.topics import Topic

DEFAULT_DATA = Path(".tradewind")
ENDPOINTS = "endpoints.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Part):
    """A Kafka cluster."""

    bootstrap: str | None = None
    """`host:port,...`; None starts an embedded broker."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    replication_factor: int = Field(default=1, ge=1)


class PostgresSettings(_Part):
    """A PostgreSQL server."""

    url: str | None = None
    """`postgresql://host:port/database`; None starts an embedded server."""
    user: str = "tradewind"
    password: SecretStr | None = None


class RegistrySettings(_Part):
    """A schema registry that speaks Confluent's API."""

    url: str | None = None
    """Such as `http://host:port/apis/ccompat/v7`; None starts an embedded one."""
    user: str | None = None
    password: SecretStr | None = None
    ids_file: Path | None = None
    """Where the ids of the committed schemas are kept once they are registered; the embedded registry says where.
    Leave it out for a registry that may be emptied, or restored, behind it."""


class InfluxSettings(_Part):
    """A time-series store that takes line protocol through influxdb-client: QuestDB."""

    url: str | None = None
    """`http://host:port`; None starts an embedded QuestDB."""
    user: str = "tradewind"
    password: SecretStr | None = None
    retention_bytes: int = Field(default=8 * 1024**3, ge=64 * 1024**2)
    """Bytes that a table may take on disk before its oldest partitions are dropped."""


class MetricsSettings(_Part):
    """Where a worker, sink or feed answers `/metrics`, `/live` and `/ready`."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    """0 answers nowhere."""


class OtlpSettings(_Part):
    """Where metrics and traces are sent by OTLP over HTTP."""

    endpoint: str | None = None
    """Such as `http://collector:4318`; None takes OTEL_EXPORTER_OTLP_ENDPOINT, and without that nothing is sent."""
    sample_ratio: float = Field(default=0.1, ge=0, le=1)
    """Part of the traces that is sent. The trace's id decides, so that every process keeps the same ones."""


class WatchdogSettings(_Part):
    """How long something may stand still before a worker says so: log, metrics, `/ready`, an alert."""

    position_s: float = Field(default=60.0, gt=0)
    """A partition that has records to read, and whose committed position does not move."""
    transaction_s: float = Field(default=30.0, gt=0)
    """A batch that was begun, while none commits: three times what the broker grants a transaction."""
    restore_s: float = Field(default=30.0, gt=0)
    """A restore that reads nothing more: longer than a transaction of a worker that is gone keeps the group's offsets
    from being stable, and half of what a worker waits for them before it stops, so that it is told before that."""
    broker_s: float = Field(default=15.0, gt=0)
    """A broker that does not answer: more than a restart takes."""


class Settings(BaseSettings):
    """Everything that a process of Tradewind is told from outside."""

    model_config = SettingsConfigDict(
        env_prefix="TRADEWIND_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
    )

    data: Path = DEFAULT_DATA
    namespace: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9_-]*\.)?$")
    """Prefix of every topic, group and table, ending in a dot, so that several Tradewinds share one cluster."""
    optimise_java: bool = False
    """Have embedded Java servers compile what they run often: for a stack that lives for long, under load. They are up
    some 3 s later, and take up to a core more in their first minute."""
    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    registry: RegistrySettings = RegistrySettings()
    influx: InfluxSettings = InfluxSettings()
    metrics: MetricsSettings = MetricsSettings()
    otlp: OtlpSettings = OtlpSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    tenants: tuple[Tenant, ...] = DEFAULT_TENANTS
    bar_grace_ms: int = Field(default=500, ge=0)
    """How long after its end, in event time, a bar still takes quotes."""
    tick_leap_s: int = Field(default=3600, ge=1)
    """How far a tick may be ahead of its instrument's event time before another one has to agree with it."""
    venue_latency_ms: int = Field(default=50, ge=1)
    """Simulated venue: event time between an order and the first quote that can fill it."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Prefer arguments, then variables, then `.env`, then what an embedded service said of itself."""
        given: dict[str, Any] = init_settings()
        data = Path(
            given.get("data") or os.environ.get("TRADEWIND_DATA") or dotenv_settings().get("data") or DEFAULT_DATA
        )
        endpoints = JsonConfigSettingsSource(settings_cls, json_file=data / ENDPOINTS)
        return init_settings, env_settings, dotenv_settings, endpoints, file_secret_settings

    def physical(self, topic: Topic | str) -> str:
        """Return the name that a topic (or a group, or a table) has on this cluster."""
        return self.namespace + (topic if isinstance(topic, str) else topic.name)

    @property
    def bootstrap(self) -> str:
        """Where Kafka listens; raises `ServiceNotConfigured` where none is known."""
        return _known(self.kafka.bootstrap, "Kafka", "TRADEWIND_KAFKA__BOOTSTRAP")

    def librdkafka(self) -> dict[str, Any]:
        """Return the connection part of a confluent-kafka configuration."""
        kafka = self.kafka
        options = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": kafka.security_protocol,
            "sasl.mechanism": kafka.sasl_mechanism,
            "sasl.username": kafka.username,
            "sasl.password": _revealed(kafka.password),
            "ssl.ca.location": _text(kafka.ca_file),
            "ssl.certificate.location": _text(kafka.certificate_file),
            "ssl.key.location": _text(kafka.key_file),
        }
        return {name: value for name, value in options.items() if value is not None}


class ServiceNotConfigured(RuntimeError):
    """A service that is needed has no URL, and none was started."""


def _known(url: str | None, service: str, variable: str) -> str:
    if url is None:
        raise ServiceNotConfigured(f"no {service} is known: start one with `./dev up`, or set {variable}")
    return url


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
