"""Whether `up` can do its work here: what was found, and what to do where it is in the way."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from tradewind.connectors.settings import Settings
from tradewind.infra.services import artifacts, endpoints
from tradewind.infra.services.ports import DEFAULT_BASE, Ports, holder, is_free, ports
from tradewind.infra.services.stack import check
from tradewind.infra.up.holder import holder as runner
from tradewind.infra.up.state import read_state

OLDEST, NEWEST = (3, 11), (3, 14)
MEMORY_MB = 2_500
"""Four services take 1.1 GB, six workers 0.8 GB; the rest is for the page cache that Kafka reads from."""
DISK_MB = 4_000
"""A full set of topics: retention keeps 256 MB of ticks on each of four partitions, and 64 MB on most others."""
FILES = 1_024
"""Files that a process may open: Kafka holds three for each segment, PostgreSQL and QuestDB some hundred."""
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    remedy: str = ""
    """What to do where it is in the way."""
    well: bool = False


def examine(settings: Settings, data: Path, base_port: int | None) -> list[Finding]:
    """Look at everything; takes a few seconds at the most."""
    running = runner(data)
    return [
        _python(),
        _files(),
        _memory(running),
        _disk(data),
        _java(settings, data),
        *([] if running is not None else _ports(settings, data, ports(base_port or DEFAULT_BASE))),
        _up(running, data),
        *(_services(settings, data) if running is not None else []),
        *_workers(data),
    ]


def _python() -> Finding:
    version = sys.version_info[:2]
    return Finding(
        "Python",
        f"{sys.version.split()[0]} in {sys.prefix}",
        "install Python 3.11 to 3.14 and choose it by PYTHON=python3.13 ./dev doctor",
        well=OLDEST <= version <= NEWEST,
    )


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


def _disk(data: Path) -> Finding:
    place = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(place).free // MB
    writable = os.access(place, os.W_OK)
    return Finding(
        "disk",
        f"{free:,} MB free for {data}" + ("" if writable else ", not writable"),
        f"topics take up to {DISK_MB:,} MB: make room, or choose another folder by --data DIR",
        well=free >= DISK_MB and writable,
    )


def _java(settings: Settings, data: Path) -> Finding:
    external = endpoints.external(settings, data)
    needed = {"kafka": "kafka", "questdb": "influx", "registry": "registry"}
    folder = artifacts.cache() / "java"
    missing = [
        file
        for name, part in needed.items()
        if part not in external
        for file in artifacts.locked()[name].files
        if not (folder / file.file).exists()
    ]
    size = sum(file.bytes for file in missing) // MB
    found = f"{len(missing)} files, {size} MB, are still to be fetched" if missing else f"in {folder}"
    return Finding("Java servers", found, well=True)


def _ports(settings: Settings, data: Path, where: Ports) -> list[Finding]:
    external = endpoints.external(settings, data)
    wanted = {
        "kafka": (*where.brokers[:1], *where.controllers[:1]),
        "registry": (where.registry, where.registry_management),
        "influx": (where.questdb_http, where.questdb_pg),
        "postgres": (where.postgres,),
    }
    taken = {port: part for part, of in wanted.items() if part not in external for port in of if not is_free(port)}
    if not taken:
        return [Finding("ports", f"free from {where.base} on", well=True)]
    return [
        Finding(
            "ports",
            f"{port}, which {part} needs, is in use by {holder(port)}",
            "end that process, or choose other ports by --base-port N",
        )
        for port, part in taken.items()
    ]


def _up(running: int | None, data: Path) -> Finding:
    if running is not None:
        return Finding("up", f"runs in {data} (pid {running})", well=True)
    left = [worker.name for worker in read_state(data)]
    if left or endpoints.published(data):
        return Finding("up", f"was killed in {data}", "start it again by ./dev up, which ends what it has left")
    return Finding("up", f"does not run in {data}", well=True)


def _services(settings: Settings, data: Path) -> list[Finding]:
    return [
        Finding(
            service.name,
            f"{service.version} at {service.url}" if service.healthy else f"{service.url} {service.detail}",
            f"read {data / 'logs' / service.name}.log; `up` starts it again by itself, else ./dev down and ./dev up",
            well=service.healthy,
        )
        for service in check(data, settings)
    ]


def _workers(data: Path) -> list[Finding]:
    return [
        Finding(
            worker.name,
            worker.phase + (f", ended {worker.deaths} times" if worker.deaths else ""),
            f"read {worker.log}, mend the cause, then ./dev down and ./dev up",
            well=not worker.down,
        )
        for worker in read_state(data)
    ]
