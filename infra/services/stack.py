"""All embedded services of one data folder: started at once, watched, stopped at once; one stack per data folder.

DATA/run/<service>.json   the process          DATA/passwords/<service>   mode 0600
DATA/logs/<service>.log   bounded              DATA/<service>/            its data
DATA/endpoints.json       mode 0600, for the settings of every process
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from tradewind.connectors.settings import Settings
from tradewind.infra.services import artifacts, endpoints, health
from tradewind.infra.services.java import Java
from tradewind.infra.services.kafka import Kafka
from tradewind.infra.services.passwords import password
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import DEFAULT_BASE, check_free, ports
from tradewind.infra.services.postgres import USER, Postgres
from tradewind.infra.services.process import Server, end_recorded
from tradewind.infra.services.questdb import USER as QUESTDB_USER
from tradewind.infra.services.questdb import QuestDB
from tradewind.infra.services.registry import Registry
from tradewind.infra.services.service import Running, ServiceHealth, StackRunning, StartCancelled


class Service(Protocol):
    """An embedded service, of one server or several."""

    name: str

    @property
    def listens(self) -> Sequence[int]:
        """The ports that it needs."""

    @property
    def servers(self) -> list[Server]:
        """Its processes."""

    def start(self) -> Running:
        """Start it, and return once it is ready; raises `ServiceError`."""


@dataclass(frozen=True, slots=True)
class Step:
    """Progress of a start: of the files (`fetched`), or of one service (`running`)."""

    name: str
    fetched: artifacts.Fetched | None = None
    running: Running | None = None


class Stack:
    """The embedded services of a data folder: those that the settings do not name as external ones."""

    def __init__(
        self,
        data: Path,
        settings: Settings,
        base_port: int | None = DEFAULT_BASE,
        progress: Callable[[Step], None] = lambda _: None,
        *,
        brokers: int = 1,
        java: Java | None = None,
    ) -> None:
        self.data, self.settings, self._progress = data.resolve(), settings, progress
        self._base_port, self._brokers = base_port, brokers
        self._java = java or Java(optimising=settings.optimise_java)
        self._run = self.data / "run"
        self._closing = threading.Event()
        self._lock: IO[str] | None = None
        self._services: dict[str, Service] = {}
        self._external: frozenset[str] = frozenset()

    def start(self, begun: Callable[[], None] = lambda: None) -> list[Running]:
        """Start the services, and publish where they listen. Raises `ServiceError`, with nothing left running.

        `begun` is called once all is there that they need, and nothing of an earlier stack is left.

        What an earlier stack of this data folder left running, because it was killed, is stopped first.
        """
        self._prepare_folder()
        self._hold_lock()
        self._closing.clear()
        try:
            end_recorded(self._run)
            self._services = self._chosen()
            for service in self._services.values():
                for port in service.listens:
                    check_free(port, service.name)
            files = [name for name in self._services if name in artifacts.ROOTS]
            artifacts.ensure(files, lambda fetched: self._progress(Step("java", fetched=fetched)))
            begun()
            running = self._start_all()
            endpoints.publish(self.data, self._endpoints())
        except BaseException:
            self.stop()
            raise
        return running

    def stop(self) -> None:
        """Stop all services at once, withdraw the endpoints and give the data folder free; takes 9 s at the most."""
        if self._lock is None:
            return  # what runs, if anything does, is another process's
        self._closing.set()
        endpoints.withdraw(self.data)
        servers = [server for service in self._services.values() for server in service.servers]
        with ThreadPoolExecutor(max(1, len(servers))) as pool:
            list(pool.map(lambda server: server.stop(), servers))
        self._lock.close()
        self._lock = None

    def health(self) -> list[ServiceHealth]:
        """Ask every service, external ones too."""
        return check(self.data, self.settings)

    def dead(self) -> list[str]:
        """Return the services of which a process has ended."""
        return [name for name, service in self._services.items() if not all(server.alive for server in service.servers)]

    def restart(self, name: str) -> Running:
        """Start a service again, with its data, on the same ports; with PostgreSQL the registry, too.

        The registry's pooled connections ended with PostgreSQL, and each would fail one more request.
        """
        running = self._services[name].start()
        if name == "postgres" and "registry" in self._services:
            self._services["registry"].start()
        return running

    def service(self, name: str) -> Service:
        """Return one of the embedded services: kafka, postgres, registry, questdb."""
        return self._services[name]

    def tend(self) -> None:
        """Keep the logs within bounds; to be called every few seconds."""
        for service in self._services.values():
            for server in service.servers:
                server.tend()

    def _prepare_folder(self) -> None:
        # Root's PostgreSQL runs as another user and has to pass through; the folders inside are closed to it.
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for name in ("run", "logs", "passwords"):
            (self.data / name).mkdir(mode=0o700, exist_ok=True)

    def _hold_lock(self) -> None:
        """Hold the folder's lock, which the kernel takes away from a process that is killed."""
        lock = (self._run / "stack.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise StackRunning(
                f"the services of {self.data} are already run by pid {holder}: use them, stop them, "
                f"or choose another data folder (TRADEWIND_DATA)"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _chosen(self) -> dict[str, Service]:
        """Return the services to start; the registry brings PostgreSQL with it, which stores its schemas."""
        self._external = external = endpoints.external(self.settings, self.data)
        place = Place(self.data, ports(self._base_port), self._java, self._closing)
        chosen: dict[str, Service] = {}
        if "kafka" not in external:
            chosen["kafka"] = Kafka(place, self._brokers)
        if "influx" not in external:
            chosen["questdb"] = QuestDB(place)
        if not {"postgres", "registry"} <= external:
            postgres = Postgres(place)
            chosen["postgres"] = postgres
            if "registry" not in external:
                chosen["registry"] = Registry(place, postgres)
        return chosen

    def _start_all(self) -> list[Running]:
        """Start each service in a thread of its own; the registry's follows PostgreSQL's."""
        chains = [["kafka"], ["postgres", "registry"], ["questdb"]]
        with ThreadPoolExecutor(len(chains)) as pool:
            started = [pool.submit(self._start_chain, chain) for chain in chains]
            try:
                wait(started)
            except BaseException:  # such as Ctrl-C
                self._closing.set()
                raise
        errors = [error for future in started if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, StartCancelled)):
            raise error  # the cause, rather than that the others were called off for it
        return [running for future in started for running in future.result()]

    def _start_chain(self, names: list[str]) -> list[Running]:
        done = []
        try:
            for name in names:
                if name in self._services:
                    done.append(self._services[name].start())
                    self._progress(Step(name, running=done[-1]))
        except BaseException:
            self._closing.set()  # the others need not come up any more
            raise
        return done

    def _endpoints(self) -> endpoints.Endpoints:
        found: endpoints.Endpoints = {}
        for name, service in self._services.items():
            if isinstance(service, Kafka):
                found["kafka"] = {"bootstrap": service.bootstrap, "replication_factor": service.replication}
            elif isinstance(service, Postgres) and "postgres" not in self._external:
                secret = password(self.data, f"postgres-{USER}")
                found["postgres"] = {"url": service.url, "user": USER, "password": secret}
            elif isinstance(service, Registry):
                found["registry"] = {"url": service.url, "ids_file": str(service.ids_file)}
            elif isinstance(service, QuestDB):
                found["influx"] = {"url": service.url, "user": QUESTDB_USER, "password": password(self.data, name)}
        return found


def check(data: Path, settings: Settings) -> list[ServiceHealth]:
    """Ask every service: the external ones of the settings, and those that the data folder's stack published."""
    return health.check(settings.model_copy(update=_current(data, settings)))


def _current(data: Path, settings: Settings) -> dict[str, object]:
    """Return the parts that the data folder's stack has published, except those that the settings name as external."""
    external = endpoints.external(settings, data)
    parts = Settings.model_fields
    return {
        part: parts[part].annotation(**values)  # type: ignore[misc]
        for part, values in endpoints.published(data).items()
        if part not in external
    }
