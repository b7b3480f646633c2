"""Asks each service of the settings, embedded or external, whether it answers; any process may."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
from confluent_kafka import KafkaException
from redis import RedisError

from tradewind.connectors.postgres.connection import LOST
from tradewind.connectors.settings import Settings
from tradewind.connectors.timeseries.product import WrongProduct
from tradewind.infra.services.declaration import Service
from tradewind.infra.services.embedded import services
from tradewind.infra.services.service import ServiceHealth

UNHEALTHY = (*LOST, KafkaException, httpx.HTTPError, asyncpg.PostgresError, RedisError, ValueError, WrongProduct)
"""What clients raise of a service that does not answer as it should."""


def check(settings: Settings) -> list[ServiceHealth]:
    """Ask every service that is named or wanted, at once, within little more than `declaration.ASK_S`."""
    asked = [one for one in services().values() if one.at(settings) is not None or one.wanted(settings)]
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(lambda service: _asked(service, settings), asked))


def _asked(service: type[Service], settings: Settings) -> ServiceHealth:
    name, url = service.called(settings), service.at(settings)
    if url is None:
        return ServiceHealth(name, "", healthy=False, version="", detail="not running: start it with `./dev up`")
    begun = time.monotonic()
    try:
        version = service.ask(settings)
    except UNHEALTHY as error:
        return ServiceHealth(name, url, healthy=False, version="", detail=f"{type(error).__name__}: {error}")
    return ServiceHealth(name, url, healthy=True, version=version, detail=f"{(time.monotonic() - begun) * 1e3:.0f} ms")
