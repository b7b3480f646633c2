"""Settings: which services to use, and how. From `TRADEWIND_...` variables, `.env`, and what `tradewind up` started.

If the URL of a service is set, Tradewind uses that service and starts none in its place. Otherwise `tradewind up`
starts an embedded service. It writes the address and password to `endpoints.json` (mode 0600) in the data folder, where
workers find them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError
from pydantic_settings.sources import JsonConfigSettingsSource

from tradewind.connectors.ai.keys.master import master_bytes
from tradewind.processors.execution.costs import MOST_FEE_BPS, MOST_SLIPPAGE_TICKS
from tradewind.processors.market.instruments import Instrument
from tradewind.processors.money import ZERO
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS, Tenant, refuse_twins
from tradewind.topics import Topic

DEFAULT_DATA = Path(".tradewind")
ENDPOINTS = "endpoints.json"
SHORTEST_RETENTION_S = 3600
"""InfluxDB refuses a bucket with less (`MinRetentionPolicyDuration`)."""


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
    answer_s: float = Field(default=15.0, gt=0)
    """How long Kafka may take to answer a question about topics, s. A killed broker is back within some 13 s."""


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
    """File with the ids of the registered schemas. `up` sets it for the embedded registry. Leave it out for a registry
    that somebody may empty or restore."""


class InfluxSettings(_Part):
    """A time-series store that takes line protocol: QuestDB, or InfluxDB 2 or 3."""

    url: str | None = None
    """`http://host:port`; None starts an embedded QuestDB."""
    kind: Literal["questdb", "influxdb"] | None = None
    """The product that listens there. None: the sink asks the server."""
    user: str = "tradewind"
    """User of QuestDB, with `password`."""
    password: SecretStr | None = None
    token: SecretStr | None = None
    """Token of InfluxDB, with `org` and `bucket`."""
    org: str | None = None
    """Name of InfluxDB's organisation; InfluxDB 3 has none."""
    bucket: str = Field(default="tradewind", min_length=1)
    """The bucket to write to. If it is missing and the token allows it, the sink creates it."""
    retention_s: int = Field(default=0, ge=0)
    """How long a bucket that the sink creates keeps events, s; 0 keeps all. InfluxDB compares with the event's time, so
    a bucket with a retention refuses a file of 2014."""
    retention_bytes: int = Field(default=8 * 1024**3, ge=64 * 1024**2)
    """Bytes that a table of QuestDB may take on disk before its oldest partitions are dropped."""

    @field_validator("retention_s")
    @classmethod
    def _is_long_enough(cls, retention_s: int) -> int:
        if 0 < retention_s < SHORTEST_RETENTION_S:
            raise ValueError(f"InfluxDB keeps nothing for less than {SHORTEST_RETENTION_S} s; 0 keeps all")
        return retention_s


class RedisSettings(_Part):
    """A Valkey or Redis."""

    url: str | None = None
    """`redis://host:port` or `rediss://host:port`. None: `up` starts a Valkey, unless `embedded` is false."""
    user: str = "default"
    password: SecretStr | None = None
    embedded: bool = True
    """Whether a stack starts a Valkey of its own, for answers of AI that are kept, or shown while they come."""


class MetricsSettings(_Part):
    """The address at which a worker, sink or feed serves `/metrics`, `/live` and `/ready`."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    """0: not served."""


class OtlpSettings(_Part):
    """The collector that gets metrics and traces by OTLP over HTTP."""

    endpoint: str | None = None
    """Such as `http://collector:4318`; None: OTEL_EXPORTER_OTLP_ENDPOINT. Without both, nothing is sent."""
    sample_ratio: float = Field(default=0.1, ge=0, le=1)
    """Part of the traces that is sent. The trace's id decides, so every process keeps the same traces."""


class WatchdogSettings(_Part):
    """How long something may make no progress before a worker or sink reports it: log, metrics, `/ready`, an alert."""

    position_s: float = Field(default=60.0, gt=0)
    """For a partition that has records to read and whose committed position does not move, s."""
    assignment_s: float = Field(default=60.0, gt=0)
    """For a worker or sink without partitions, or that cannot begin to read one, s. A rebalance may take 20 s."""
    transaction_s: float = Field(default=30.0, gt=0)
    """For a batch that has begun while no batch commits, s: three times the timeout of a transaction."""
    restore_s: float = Field(default=30.0, gt=0)
    """For a restore that reads nothing more, s. Longer than a pending transaction of a dead worker keeps offsets from
    being stable. Half of the time after which a worker stops, so that the alert comes first."""
    broker_s: float = Field(default=15.0, gt=0)
    """For a broker that does not answer, s: longer than a restart takes."""


class DiskSettings(_Part):
    """How much of a disk of the data folder must stay free. None: 1 % of it, at least 16 MB, at most 256 MB."""

    stop_bytes: int | None = Field(default=None, ge=0)
    """With less than this free, `up` stops everything in order, and does not start. It keeps a reserve as large."""
    warning_bytes: int | None = Field(default=None, ge=0)
    """With less than this free, `up`, `status`, `doctor` and an alert warn. None: four times `stop_bytes`."""


class ArchiveSettings(_Part):
    """The archive of topics, in Parquet files."""

    enabled: bool = False
    """Whether `up` runs the sink `archive`."""
    folder: Path | None = None
    """Where its files are. None: the folder `archive` of the data folder."""
    file_s: float = Field(default=300.0, gt=0)
    """How long a record waits for others of its partition before it is in a file, s. Until then, Kafka has it."""
    retention_bytes: int = Field(default=16 * 1024**3, ge=64 * 1024**2)
    """Bytes that all files may take. Beyond them, the sink removes the oldest."""


class GatewaySettings(_Part):
    """The gateway: HTTP and WebSocket for people and programs. It listens on loopback alone."""

    port: int = Field(default=3001, ge=1, le=65_535)
    """Under `up`, it is the base port."""
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Names that a request may address it by, without the port. Others are refused, so that no page of another site can
    reach it through a name that leads to loopback."""


class AiSettings(_Part):
    """What processes know of AI beside the events on `ai.settings`: keys, files, and who asks for strategies."""

    keys: dict[str, SecretStr] = {}
    """Key of a provider by its id, such as TRADEWIND_AI__KEYS__OPENAI. Events hold the id alone."""
    recording_file: Path | None = None
    """File of `./dev ai record` that the provider `recording` answers from."""
    master_key: SecretStr | None = None
    """Opens the keys that PostgreSQL keeps: 32 random bytes in base64. None: there are only those of `keys`."""

    tenant: str = Field(default="alpha", min_length=1, max_length=256)
    """The tenant as which strategies ask models, and that pays."""
    explain: bool = False
    """Whether a model explains each signal. Each explanation costs."""
    prompts_folder: Path | None = None
    """Folder with prompts of your own, `name@version.toml`."""

    @field_validator("master_key")
    @classmethod
    def _is_a_master_key(cls, master_key: SecretStr | None) -> SecretStr | None:
        if master_key is not None:
            master_bytes(master_key.get_secret_value())
        return master_key


class Settings(BaseSettings):
    """All settings of a process, from `TRADEWIND_` variables and `.env`. `__` separates the parts of a name.

    Raises `SettingsRefused`, which names the wrong variable.
    """

    model_config = SettingsConfigDict(
        env_prefix="TRADEWIND_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
    )

    data: Path = DEFAULT_DATA
    namespace: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9_-]*\.)?$")
    """Prefix of every topic, group and table. It ends in a dot, so that several stacks can share a cluster."""
    optimise_java: bool = False
    """Let embedded Java servers use the optimising compiler, for a stack that runs for long under load. They start
    about 3 s later, and take up to a core more in their first minute."""
    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    registry: RegistrySettings = RegistrySettings()
    influx: InfluxSettings = InfluxSettings()
    redis: RedisSettings = RedisSettings()
    metrics: MetricsSettings = MetricsSettings()
    otlp: OtlpSettings = OtlpSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    disk: DiskSettings = DiskSettings()
    archive: ArchiveSettings = ArchiveSettings()
    gateway: GatewaySettings = GatewaySettings()
    ai: AiSettings = AiSettings()
    tenants: tuple[Tenant, ...] = DEFAULT_TENANTS
    instruments: dict[str, Instrument] = {}
    """symbol -> instrument, with tick size, lot size and currencies. Adds instruments, or replaces known ones."""
    bar_grace_ms: int = Field(default=500, ge=0)
    """How long after its end a bar still accepts quotes, in ms of event time."""
    tick_leap_s: int = Field(default=3600, ge=1)
    """How far a tick may be ahead of its instrument, in s of event time, before the next tick must agree with it."""
    venue_latency_ms: int = Field(default=50, ge=1)
    """Simulated venue: ms of event time between an order and the first quote that can fill the order."""
    venue_slippage_ticks: int = Field(default=0, ge=0, le=MOST_SLIPPAGE_TICKS)
    """Simulated venue: by how many ticks an order that takes liquidity fills worse than the quote."""
    venue_fee_bps: Decimal = Field(default=ZERO, ge=0, le=MOST_FEE_BPS)
    """Simulated venue: fee of each fill, in hundredths of a percent of what it is worth."""

    def __init__(self, **given: Any) -> None:
        """Read the settings; raises `SettingsRefused`, which names the variable that is wrong."""
        try:
            super().__init__(**given)
        except (ValidationError, SettingsError) as error:
            raise SettingsRefused(_refusal(error)) from error
        except UnicodeDecodeError as error:
            raise SettingsRefused(f".env is not UTF-8: {error}; save it as UTF-8") from error
        except json.JSONDecodeError as error:
            raise SettingsRefused(
                f"{ENDPOINTS} of the data folder is no JSON: {error}; remove it, and ./dev up writes it again"
            ) from error

    @field_validator("tenants")
    @classmethod
    def _accounts_are_apart(cls, tenants: tuple[Tenant, ...]) -> tuple[Tenant, ...]:
        refuse_twins(tenants)
        return tenants

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Prefer arguments, then variables, then `.env`, then `endpoints.json` of embedded services."""
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
    def archive_folder(self) -> Path:
        """The folder of the archive."""
        return self.archive.folder or self.data / "archive"

    @property
    def bootstrap(self) -> str:
        """The addresses of Kafka, `host:port,...`. Raises `ServiceNotConfigured` if none is known."""
        return _known(self.kafka.bootstrap, "Kafka", "TRADEWIND_KAFKA__BOOTSTRAP")

    def librdkafka(self) -> dict[str, Any]:
        """Return the connection part of a confluent-kafka configuration."""
        kafka = self.kafka
        options = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": kafka.security_protocol,
            "sasl.mechanism": kafka.sasl_mechanism,
            "sasl.username": kafka.username,
            "sasl.password": revealed(kafka.password),
            "ssl.ca.location": _text(kafka.ca_file),
            "ssl.certificate.location": _text(kafka.certificate_file),
            "ssl.key.location": _text(kafka.key_file),
        }
        return {name: value for name, value in options.items() if value is not None}


class SettingsRefused(ValueError):
    """A setting is wrong; the message names its variable and what is wrong."""


PREFIX = "TRADEWIND_"
SECRETS = (
    "password",
    "token",
    "url",
    "endpoint",
    "keys",
    "master_key",
)  # settings whose values are not repeated: they may hold a password
SHOWN_CHARACTERS = 60


def _refusal(error: ValidationError | SettingsError) -> str:
    """Say which variables are wrong, and how."""
    where = "set it in the environment or in .env"
    if isinstance(error, SettingsError):
        field = re.search(r'field "(\w+)" from source "(\w+)"', str(error))
        name = variable((field[1],)) if field else "a setting"
        if field and field[2] == JsonConfigSettingsSource.__name__:
            name = f"{name}, which stands in {ENDPOINTS} of the data folder,"
        return f"{name} is no JSON: {error.__cause__ or error}; {where} as JSON, such as '{EXAMPLES.get(name, '{}')}'"
    found = []
    for one in error.errors(include_url=False, include_context=False):
        place, given = one["loc"], one["input"]
        shown = "" if _is_secret(place, given) else f" (it is {str(given)[:SHOWN_CHARACTERS]!r})"
        known = (
            f": there is no such setting{_closest(place)}" if one["type"] == "extra_forbidden" else f": {one['msg']}"
        )
        found.append(f"{variable(place)}{known}{shown}")
    return f"{'; '.join(found)}; {where}"


def variable(place: Sequence[int | str]) -> str:
    """Return the name of the variable that sets a place in the settings; what is in a list follows in brackets."""
    at = next((at for at, part in enumerate(place) if isinstance(part, int)), len(place))
    inner = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place[at:])
    return PREFIX + "__".join(str(part).upper() for part in place[:at]) + inner


def strangers(environment: Mapping[str, str], dotenv: Path = Path(".env")) -> dict[str, str]:
    """Return variables that look like settings but are none -> the setting that may be meant, or an empty text."""
    found = [name.upper() for name in (*environment, *(dotenv_values(dotenv) if dotenv.is_file() else ()))]
    own = {name for name in found if name.startswith(PREFIX)}
    fields = {f"{PREFIX}{name.upper()}": field for name, field in Settings.model_fields.items()}
    known = {*fields, *(f"{PREFIX}{name}" for name in BESIDE)}
    for name, field in fields.items():
        known.update(f"{name}__{part.upper()}" for part in getattr(field.annotation, "model_fields", ()))
    return {
        name: next(iter(get_close_matches(name, known, n=1)), "")
        for name in sorted(own - known)
        if name.partition("__")[0] not in fields  # that one is refused, with the other settings
    }


BESIDE = (
    "CACHE", "BASE_PORT", "MAVEN_MIRROR", "GATE", "TEST_STACK", "REPLAY_CHILD", "HELD_WORKER_TIMINGS", "KEY",
    *(f"TEST_IMAGE_{service}" for service in ("INFLUXDB", "POSTGRES", "KAFKA", "VALKEY")),
)  # fmt: skip
"""Variables of commands that are no settings of processes."""
EXAMPLES = {
    f"{PREFIX}TENANTS": '[{"tenant_id": "alpha", "accounts": ["main"], "sizing": {...}, "limits": {...}}]',
    f"{PREFIX}INSTRUMENTS": (
        '{"ETHUSD": {"tick_size": "0.01", "lot_size": "0.001", "min_quantity": "0.001", "base": "ETH", "quote": "USD"}}'
    ),
}


def _is_secret(place: Sequence[int | str], given: object) -> bool:
    return isinstance(given, dict | list) or any(word in str(part).lower() for part in place for word in SECRETS)


def _closest(place: Sequence[int | str]) -> str:
    """Suggest the setting that was meant."""
    part = Settings.model_fields.get(str(place[0]))
    fields = getattr(part.annotation, "model_fields", {}) if part is not None else {}
    close = get_close_matches(str(place[-1]), fields, n=1)
    return f"; is it {variable((*place[:-1], close[0]))}?" if close else ""


class ServiceNotConfigured(RuntimeError):
    """A service that is needed has no URL, and none was started."""


def _known(url: str | None, service: str, variable: str) -> str:
    if url is None:
        raise ServiceNotConfigured(f"no {service} is known: start one with `./dev up`, or set {variable}")
    return url


def revealed(secret: SecretStr | None) -> str | None:
    """Return a secret as text; None where there is none."""
    return None if secret is None else secret.get_secret_value()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
