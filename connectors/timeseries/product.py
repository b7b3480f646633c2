"""Which time-series store answers at an address: QuestDB, InfluxDB 2 or InfluxDB 3.

Both products answer `/ping` with the header `X-Influxdb-Version`, so that header alone tells nothing:

| asked | InfluxDB 2 | InfluxDB 3 | QuestDB |
|---|---|---|---|
| `/health` | JSON whose `name` is `influxdb` (`http/health.go` of 2.7) | the text `OK` (`influxdb3_server/src/http.rs`) | no page |
| `/ping` | `X-Influxdb-Build: OSS` beside the version | `X-Influxdb-Build: Core` or `Enterprise` | the version alone (`LineHttpPingProcessor.java`) |
"""  # noqa: E501 - a table

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import httpx

from tradewind.connectors.certificates import certificates
from tradewind.connectors.settings import InfluxSettings

Kind = Literal["questdb", "influxdb"]
TITLES: dict[Kind, str] = {"questdb": "QuestDB", "influxdb": "InfluxDB"}
ANSWER_S = 3.0  # a store that does not say its name in this time is of no use to a stream
VERSION, BUILD = "x-influxdb-version", "x-influxdb-build"
SIGNED_OUT = "the request was not authenticated"  # InfluxDB 3 says so on every page if the token is wrong
Answer = httpx.Response | None


@dataclass(frozen=True, slots=True)
class Product:
    """A time-series store that answers."""

    kind: Kind
    version: str = ""
    """Such as `2.7.12`; empty if the store does not say, as QuestDB on these pages."""

    def __str__(self) -> str:
        """Return its name, such as `InfluxDB 2.7.12`."""
        return f"{TITLES[self.kind]} {self.version}".rstrip()

    @property
    def reads_flux(self) -> bool:
        """Whether it has buckets, organisations and Flux, as InfluxDB 2 does and 3 does not."""
        return self.kind == "influxdb" and not self.version.startswith("3")


class NoTimeSeriesStore(ValueError):
    """What answers at the address is neither QuestDB nor InfluxDB."""


class WrongProduct(RuntimeError):
    """Another product answers than the settings, or the sink, are for."""


def ask(settings: InfluxSettings, timeout_s: float = ANSWER_S) -> Product:
    """Return the product that answers; raises `httpx.TransportError` if none does, or `NoTimeSeriesStore`."""
    token = "" if settings.token is None else settings.token.get_secret_value()
    headers = {"Authorization": f"Token {token}"} if token else {}  # InfluxDB 3 tells its name to nobody else
    with httpx.Client(base_url=str(settings.url), headers=headers, timeout=timeout_s, verify=certificates()) as client:
        health = client.get("/health")
        found = product_of(health, None)
        return found or _ask_ping(client, health)


def _ask_ping(client: httpx.Client, health: httpx.Response) -> Product:
    ping = client.get("/ping")
    found = product_of(health, ping)
    if found is None:
        raise NoTimeSeriesStore(
            f"{client.base_url} is neither QuestDB nor InfluxDB: /health answers {health.status_code} and /ping "
            f"{ping.status_code}. Correct TRADEWIND_INFLUX__URL"
        )
    return found


def product_of(health: httpx.Response, ping: Answer) -> Product | None:
    """Return the product that gives these answers; None if they do not tell. `ping` is None before it is asked."""
    said = _json(health)
    if said.get("name") == "influxdb":
        return Product("influxdb", str(said.get("version", "")).removeprefix("v"))
    if ping is None:
        return None
    version = ping.headers.get(VERSION, "").removeprefix("v")
    if BUILD in ping.headers:
        return Product("influxdb", version)
    if SIGNED_OUT in (said.get("error"), _json(ping).get("error")):
        return Product("influxdb", "3")
    return Product("questdb") if version else None


def _json(answer: httpx.Response) -> dict[str, object]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def hinted(influx: InfluxSettings) -> Kind | None:
    """Return the product that settings mean without asking it; None if they do not tell."""
    if influx.kind is not None:
        return influx.kind
    if influx.token is not None or influx.org is not None:
        return "influxdb"
    return "questdb" if influx.url is None or influx.password is not None else None


def kind_of(influx: InfluxSettings) -> Kind:
    """Return the product of an external store: as the settings say, or as it answers; one that is silent is QuestDB."""
    known = hinted(influx)
    if known is not None:
        return known
    try:
        return ask(influx).kind
    except (httpx.TransportError, NoTimeSeriesStore):
        return "questdb"


def require(settings: InfluxSettings, wanted: Kind, found: Product) -> None:
    """Raise `WrongProduct` if another product answers than the wanted one."""
    if found.kind == wanted:
        return
    also = "" if found.kind == "questdb" else ", with TRADEWIND_INFLUX__TOKEN, __ORG and __BUCKET"
    raise WrongProduct(
        f"{found} answers at {settings.url}, where {TITLES[wanted]} is expected: correct TRADEWIND_INFLUX__URL, or set "
        f"TRADEWIND_INFLUX__KIND={found.kind}{also}"
    )
