"""Whether `up` can do its work here: what was found, and what to do where it is in the way."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psutil

from tradewind.connectors.cluster.file import FileUnreadable, noted
from tradewind.connectors.cluster.identity import ACCEPT
from tradewind.connectors.settings import Settings, strangers
from tradewind.infra.services import endpoints
from tradewind.infra.services.disk import Level, existing, look
from tradewind.infra.services.embedded import services
from tradewind.infra.services.folder import check_folder
from tradewind.infra.services.java import artifacts
from tradewind.infra.services.kafka_logs.files import missing
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import DEFAULT_BASE, holder, is_free, kept_base, ports
from tradewind.infra.services.service import UnusableFolder
from tradewind.infra.services.stack import check, embedded
from tradewind.infra.status.standing import standing
from tradewind.infra.up.finding import Finding
from tradewind.infra.up.holder import holder as runner
from tradewind.infra.up.holder import killed
from tradewind.infra.up.processes import ask_processes, findings

OLDEST, NEWEST = (3, 11), (3, 14)
MEMORY_MB = 2_500
"""Four services take 1.1 GB, six workers 0.8 GB; the rest is for the page cache that Kafka reads from."""
DISK_MB = 4_000
"""A full set of topics: retention keeps 256 MB of ticks on each of four partitions, and 64 MB on most others."""
FILES = 1_024
"""Files that a process may open: Kafka holds three for each segment, PostgreSQL and QuestDB some hundred."""
MB = 1_000_000
BLOCK = 512
"""What `st_blocks` counts in, on every system."""


def examine(settings: Settings, data: Path, base_port: int | None) -> list[Finding]:
    """Look at everything; takes a few seconds at the most."""
    running = runner(data)
    return [
        _python(),
        _files(),
        *_strangers(),
        _memory(running),
        _disk(settings, data),
        _java(settings, data),
        *([] if running is not None else _ports(settings, data, base_port)),
        _up(running, data),
        *(_services(settings, data) if running is not None else []),
        *(_cluster(settings) if running is not None else _kafka_files(settings, data)),
        *findings(ask_processes(data)),
    ]


def _python() -> Finding:
    version = sys.version_info[:2]
    return Finding(
        "Python",
        f"{sys.version.split()[0]} in {sys.prefix}",
        "install Python 3.11 to 3.14 and choose it by PYTHON=python3.13 ./dev doctor",
        well=OLDEST <= version <= NEWEST,
    )


def _strangers() -> list[Finding]:
    return [
        Finding(
            name,
            "is set, but no such setting exists",
            f"it changes nothing: remove it{f', or name it {meant}' if meant else ''}",
        )
        for name, meant in strangers(os.environ).items()
    ]


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    well = soft == resource.RLIM_INFINITY or soft >= FILES
    return Finding("open files", f"{soft} allowed", f"raise the limit: ulimit -n {min(hard, 8 * FILES)}", well=well)


def _memory(running: int | None) -> Finding:
    free = psutil.virtual_memory().available // MB
    return Finding(
        "memory",
        f"{free:,} MB available" + ("" if running is None else " beside what runs"),
        f"`up` takes some {MEMORY_MB:,} MB: close what you can spare",
        well=running is not None or free >= MEMORY_MB,
    )


def _disk(settings: Settings, data: Path) -> Finding:
    try:
        check_folder(data)
    except UnusableFolder as error:
        return Finding("disk", str(error), "nothing can be started there")
    verdict = look(data, settings.disk)
    if verdict.level is not Level.ROOM:
        return Finding("disk", verdict.message, "choose another folder by --data DIR, or make room: `up` needs it")
    place = existing(data)
    free, taken = verdict.bytes_free // MB, _taken(data) // MB
    writable = os.access(place, os.W_OK)
    return Finding(
        "disk",
        f"{free:,} MB free for {data}, which holds {taken:,} MB" + ("" if writable else ", not writable"),
        f"topics take up to {DISK_MB:,} MB: make room, or choose another folder by --data DIR",
        well=free + taken >= DISK_MB and writable,
    )


def _taken(data: Path) -> int:
    """Return the bytes that the data folder takes on its disk; what goes away meanwhile counts as nothing."""
    taken = 0
    for folder, _, files in os.walk(data):
        for file in files:
            with suppress(OSError):
                taken += (Path(folder) / file).lstat().st_blocks * BLOCK
    return taken


def _java(settings: Settings, data: Path) -> Finding:
    external = endpoints.external(settings, data)
    folder = artifacts.cache() / "java"
    missing = [
        file
        for name, locked in artifacts.locked().items()
        if services()[name].part not in external
        for file in locked.files
        if not (folder / file.file).exists()
    ]
    size = sum(file.bytes for file in missing) // MB
    found = f"{len(missing)} files, {size} MB, are still to be fetched" if missing else f"in {folder}"
    return Finding("Java servers", found, well=True)


def _ports(settings: Settings, data: Path, asked: int | None) -> list[Finding]:
    where = ports(asked or kept_base(data) or DEFAULT_BASE)
    chosen = embedded(settings, endpoints.external(settings, data))
    wanted = {name: service(Place(data, where)).listens for name, service in chosen.items()}
    taken = {port: name for name, of in wanted.items() for port in of if not is_free(port)}
    if not taken:
        return [Finding("ports", f"free from {where.base} on", well=True)]
    if asked is None:
        port = min(taken)
        return [
            Finding("ports", f"{port} is in use by {holder(port)}; `up` takes free ones from another base", well=True)
        ]
    return [
        Finding(
            "ports",
            f"{port}, which {name} needs, is in use by {holder(port)}",
            "end that process, or choose other ports by --base-port N",
        )
        for port, name in taken.items()
    ]


def _up(running: int | None, data: Path) -> Finding:
    if running is not None:
        return Finding("up", f"runs in {data} (pid {running})", well=True)
    if killed(data) is not None:
        return Finding("up", f"was killed in {data}", "start it again by ./dev up, which ends what it has left")
    return Finding("up", f"does not run in {data}", well=True)


def _services(settings: Settings, data: Path) -> list[Finding]:
    external = endpoints.external(settings, data)
    return [
        Finding(
            service.name,
            f"{service.version} at {service.url}" if service.healthy else f"{service.url} {service.detail}",
            _mend(service.name, external, data),
            well=service.healthy,
        )
        for service in check(data, settings)
    ]


def _mend(service: str, external: Collection[str], data: Path) -> str:
    """Return what to do where a service does not answer."""
    parts = {"influxdb": "influx", **{name: one.part for name, one in services().items()}}
    if parts[service] in external:
        return "it is not of this data folder: start it where it runs, or correct its settings"
    return f"read {data / 'logs' / service}.log; `up` starts it again by itself, else ./dev down and ./dev up"


def _cluster(settings: Settings) -> list[Finding]:
    """Say whether Kafka is the known cluster, and whether every halt is in force."""
    found = standing(settings)
    known = found.differences or found.unchecked or "is the known one"
    halted = ", ".join(halt.whom for halt in found.halts) or "nobody is halted"
    lost = f"; Kafka has lost the switches of {', '.join(found.lost)}" if found.lost else ""
    return [
        Finding("cluster", known, found.remedy, well=not found.differences),
        Finding(
            "kill switches",
            halted + lost,
            "run `./dev prepare`, which engages them again: until then orders pass",
            well=not found.lost,
        ),
    ]


def _kafka_files(settings: Settings, data: Path) -> list[Finding]:
    """Say whether the embedded Kafka that does not run could start on its files."""
    if "kafka" in endpoints.external(settings, data):
        return []
    try:
        lost = missing(data / "kafka" / "1" / "data", noted(data), every_partition=True)
    except FileUnreadable as error:
        lost = [str(error)]
    return [
        Finding(
            "Kafka's files",
            "; ".join(lost) or "nothing that was known is missing",
            f"put a copy of Kafka's folder back, or go on without what is lost by ./dev up {ACCEPT}",
            well=not lost,
        )
    ]
