"""All embedded services of one data folder: started at once, watched, stopped at once; one stack per data folder.

DATA/run/<service>.json   the process          DATA/passwords/<service>   mode 0600
DATA/logs/<service>.log   bounded              DATA/<service>/            its data
DATA/endpoints.json       mode 0600, for the settings of every process
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tradewind.connectors.settings import Settings
from tradewind.infra.services import endpoints, health
from tradewind.infra.services.declaration import Service
from tradewind.infra.services.disk import refuse_full
from tradewind.infra.services.embedded import services
from tradewind.infra.services.ending import undivided
from tradewind.infra.services.folder import check_folder, check_format, note_format
from tradewind.infra.services.java import artifacts
from tradewind.infra.services.java.runtime import Java
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import DEFAULT_BASE, check_free, ports
from tradewind.infra.services.process import end_recorded
from tradewind.infra.services.service import Running, ServiceHealth, StackRunning, StartCancelled


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
        only: Collection[str] | None = None,
        java: Java | None = None,
        accept_cluster: bool = False,
    ) -> None:
        """Prepare. If `only` names services, the stack has these and those that they need.

        With `accept_cluster` Kafka starts though its files are not those that the folder knew.
        """
        self.data, self.settings, self._progress = data.resolve(), settings, progress
        self._base_port, self._brokers, self._accept_cluster = base_port, brokers, accept_cluster
        self._only = only
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
        check_folder(self.data)
        check_format(self.data)
        refuse_full(self.data, self.settings.disk)
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
        if self._lock is not None:  # else what runs, if anything does, is another process's
            with undivided():
                self._stop(self._lock)

    def _stop(self, lock: IO[str]) -> None:
        self._closing.set()
        endpoints.withdraw(self.data)
        servers = [server for service in self._services.values() for server in service.servers]
        with ThreadPoolExecutor(max(1, len(servers))) as pool:
            list(pool.map(lambda server: server.stop(), servers))
        end_recorded(self._run)  # what a signal kept from becoming known here, though it was started and recorded
        lock.close()
        self._lock = None

    def call_off(self) -> None:
        """Have whoever waits for a service that is coming up give up; the start then raises `StartCancelled`."""
        self._closing.set()

    def health(self) -> list[ServiceHealth]:
        """Ask every service, external ones too."""
        return check(self.data, self.settings)

    def dead(self) -> list[str]:
        """Return the services of which a process has ended."""
        return [name for name, service in self._services.items() if not all(server.alive for server in service.servers)]

    def restart(self, name: str) -> Running:
        """Start a service again, with its data, on the same ports, and then those that need it.

        Pooled connections of those ended with it, and each would fail one more request. Raises `DiskFull` where the
        disk has no room: a restart would cost Kafka's records, and cure nothing.
        """
        refuse_full(self.data, self.settings.disk)
        running = self._services[name].start()
        for other in self._services.values():
            if name in other.after:
                other.start()
        return running

    def renew(self, name: str) -> Running:
        """Stop a service in order, and start it again. Raises as `restart` does."""
        refuse_full(self.data, self.settings.disk)
        for server in self._services[name].servers:
            server.stop()
        return self.restart(name)

    def embeds(self, name: str) -> bool:
        """Whether a service is one of the embedded ones, and not one of yours."""
        return name in self._services

    def service(self, name: str) -> Service:
        """Return one of the embedded services by its name."""
        return self._services[name]

    def tend(self) -> None:
        """Keep the logs within bounds, and remove what a start has left; to be called every few seconds."""
        for service in self._services.values():
            service.tend()

    def _prepare_folder(self) -> None:
        # Root's PostgreSQL runs as another user and has to pass through; the folders inside are closed to it.
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for name in ("run", "logs", "passwords"):
            (self.data / name).mkdir(mode=0o700, exist_ok=True)
        note_format(self.data)

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
        """Return the services to start, each behind those that it needs."""
        self._external = endpoints.external(self.settings, self.data)
        place = Place(
            self.data,
            ports(self._base_port),
            self._java,
            self._closing,
            brokers=self._brokers,
            accept_cluster=self._accept_cluster,
            disk=self.settings.disk,
        )
        return {name: service(place) for name, service in embedded(self.settings, self._external, self._only).items()}

    def _start_all(self) -> list[Running]:
        """Start each service in a thread of its own, behind those that it needs."""
        started: dict[str, Future[Running]] = {}
        with ThreadPoolExecutor(max(1, len(self._services))) as pool:
            for name, service in self._services.items():
                needed = [started[other] for other in service.after]
                started[name] = pool.submit(self._start_one, service, needed)
            try:
                wait(started.values())
            except BaseException:  # such as Ctrl-C
                self._closing.set()
                raise
        errors = [error for future in started.values() if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, StartCancelled)):
            raise error  # the cause, rather than that the others were called off for it
        return [future.result() for future in started.values()]

    def _start_one(self, service: Service, needed: Sequence[Future[Running]]) -> Running:
        try:
            for other in needed:
                other.result()
            running = service.start()
        except BaseException:
            self._closing.set()  # the others need not come up any more
            raise
        self._progress(Step(service.name, running=running))
        return running

    def _endpoints(self) -> endpoints.Endpoints:
        return {one.part: one.endpoint() for one in self._services.values() if one.part not in self._external}


def embedded(
    settings: Settings, external: Collection[str], only: Collection[str] | None = None
) -> dict[str, type[Service]]:
    """Return the services to start where the settings name the `external` parts, each behind those that it needs.

    If `only` names services, no other is started, except those that they need.
    """
    known = services()
    wanted = {
        name
        for name, one in known.items()
        if one.part not in external and one.wanted(settings) and (only is None or name in only)
    }
    for name in reversed(known):  # whoever needs one comes after it
        wanted.update(known[name].after if name in wanted else ())
    return {name: one for name, one in known.items() if name in wanted}


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
