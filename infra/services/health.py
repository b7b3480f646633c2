"""Asks each service of the settings, embedded or external, whether it answers; any process may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import asyncpg
import httpx
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr

from tradewind.connectors.settings import Settings
from tradewind.infra.services import artifacts
from tradewind.infra.services.questdb import version_of
from tradewind.infra.services.service import ServiceHealth

TIMEOUT_S = 3.0
"""A service that does not answer in this time is of no use to a stream; a check of all takes no longer."""


def check(settings: Settings) -> list[ServiceHealth]:
    """Ask Kafka, PostgreSQL, the registry and the time-series store, at once, within little more than `TIMEOUT_S`."""
    asked: list[tuple[str, str | None, Callable[[], str]]] = [
        ("kafka", settings.kafka.bootstrap, partial(_kafka, settings)),
        ("postgres", settings.postgres.url, partial(_postgres, settings)),
        ("registry", settings.registry.url, partial(_registry, settings)),
        ("questdb", settings.influx.url, partial(_timeseries, settings)),
    ]
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(lambda one: _asked(*one), asked))


def _asked(name: str, url: str | None, ask: Callable[[], str]) -> ServiceHealth:
    if url is None:
        return ServiceHealth(name, "", healthy=False, version="", detail="not running: start it with `./dev up`")
    begun = time.monotonic()
    try:
        version = ask()
    except (OSError, KafkaException, httpx.HTTPError, asyncpg.PostgresError, TimeoutError, ValueError) as error:
        return ServiceHealth(name, url, healthy=False, version="", detail=f"{type(error).__name__}: {error}")
    return ServiceHealth(name, url, healthy=True, version=version, detail=f"{(time.monotonic() - begun) * 1e3:.0f} ms")


def _kafka(settings: Settings) -> str:
    cluster = AdminClient({**settings.librdkafka(), "log_level": 0}).list_topics("__absent", timeout=TIMEOUT_S)
    if cluster.controller_id < 0:
        raise ConnectionError("the cluster has no controller")
    embedded = artifacts.locked()["kafka"].version  # the protocol does not tell
    return embedded if str(settings.kafka.bootstrap).startswith("127.0.0.1") else f"{len(cluster.brokers)} brokers"


def _postgres(settings: Settings) -> str:
    async def ask() -> str:
        part = settings.postgres
        connection = await asyncpg.connect(
            part.url, user=part.user, password=_revealed(part.password), timeout=TIMEOUT_S, command_timeout=TIMEOUT_S
        )
        try:
            return str(await connection.fetchval("SHOW server_version")).split()[0]
        finally:
            await connection.close(timeout=TIMEOUT_S)

    return asyncio.run(ask())


def _registry(settings: Settings) -> str:
    part = settings.registry
    auth = None if part.user is None else (part.user, _revealed(part.password) or "")
    with httpx.Client(timeout=TIMEOUT_S, auth=auth) as client:
        client.get(f"{part.url}/config").raise_for_status()
        own = client.get(str(httpx.URL(str(part.url)).copy_with(path="/apis/registry/v3/system/info")))
        return str(own.json()["version"]) if own.is_success else "Confluent API"


def _timeseries(settings: Settings) -> str:
    part = settings.influx
    auth = (part.user, _revealed(part.password) or "")
    answer = httpx.get(f"{part.url}/exec", params={"query": "select build()"}, auth=auth, timeout=TIMEOUT_S)
    return version_of(answer.raise_for_status().json()["dataset"][0][0])


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
