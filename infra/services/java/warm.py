"""Makes the Java servers start with a third of the work: runs each once, and keeps what it had loaded and linked.

    python -m tradewind.infra.services.java.warm

Takes about 40 s on two cores, once for a set of versions, and 230 MB in the cache folder. Everything works without it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tradewind.connectors.settings import Settings
from tradewind.infra.services import endpoints
from tradewind.infra.services.ending import ended_by_signals
from tradewind.infra.services.guard import temporary_folder
from tradewind.infra.services.java import artifacts
from tradewind.infra.services.java.runtime import Java
from tradewind.infra.services.service import ServiceError, ServiceFailed
from tradewind.infra.services.stack import Stack

WRITING_S = 300.0
"""How long a server may take to stop while it writes its cache: 7 s usually, 70 s were seen on busy cores."""
RECORDS = 1000


def warm(said: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Record a warm cache for each Java server, and return the files. Raises `ServiceError`."""
    with ended_by_signals(), temporary_folder("tradewind-warm-") as data:
        stack = Stack(data, Settings.model_construct(data=data), base_port=None, java=Java(recording=True))
        said("starting the services, recording")
        names = [running.name for running in stack.start()]
        try:
            _exercise(endpoints.published(data))
            return [kept for name in names for kept in _written(stack, name, said)]
        finally:
            stack.stop()
            for draft in (artifacts.cache() / "warm").glob(f"*.{os.getpid()}*"):
                draft.unlink()


def _exercise(found: endpoints.Endpoints) -> None:
    """Do once what streams do all day, so that its classes are in the caches."""
    options = {"bootstrap.servers": found["kafka"]["bootstrap"]}
    admin = AdminClient(options)
    admin.create_topics([NewTopic("warm", 1, 1)])["warm"].result(WRITING_S)
    producer = Producer({**options, "transactional.id": "warm", "compression.type": "lz4"})
    producer.init_transactions(WRITING_S)
    producer.begin_transaction()
    for number in range(RECORDS):
        producer.produce("warm", str(number).encode())
    producer.commit_transaction(WRITING_S)
    influx = found["influx"]
    with httpx.Client(timeout=WRITING_S, trust_env=False) as client:
        schema = {"schema": '{"type": "record", "name": "Warm", "fields": []}'}
        client.post(f"{found['registry']['url']}/subjects/warm/versions", json=schema).raise_for_status()
        lines = "".join(f"warm,symbol=A bid={n}.5,seq={n}i {n}\n" for n in range(RECORDS))
        auth = (influx["user"], influx["password"])
        client.post(f"{influx['url']}/write?precision=u", content=lines, auth=auth).raise_for_status()


def _written(stack: Stack, name: str, said: Callable[[str], None]) -> list[Path]:
    """Stop a service, which writes its cache, and put the cache in its place."""
    kept = []
    for server in stack.service(name).servers:
        prefix = "-XX:AOTCacheOutput="
        for draft in [Path(part.removeprefix(prefix)) for part in server.command.argv if part.startswith(prefix)]:
            said(f"writing the warm cache of {name}")
            server.stop(grace_s=WRITING_S)
            if not draft.exists():
                raise ServiceFailed(f"{name} wrote no warm cache; its log says:\n{server.tail()}")
            cache = draft.with_suffix(".aot")
            draft.replace(cache)
            kept.append(cache)
    return kept


def main() -> int:
    """Record the warm caches, and print what was kept."""
    try:
        for path in warm(lambda text: print(text, flush=True)):
            print(f"{path} ({path.stat().st_size / 1e6:.0f} MB)")
    except ServiceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.nice(19)  # whatever else runs comes first
    sys.exit(main())
