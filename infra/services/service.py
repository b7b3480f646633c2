"""What a service says of itself, and what can go wrong with one.

ServiceError
├── ArtifactUnavailable   a Java file is not in the cache and cannot be fetched
├── ArtifactCorrupt       a Java file differs from the lock, twice
├── PortInUse             another process listens where a service should
├── StackRunning          another process runs the services of this data folder
├── KafkaFilesLost        Kafka's storage lacks what the data folder knew
├── UnusableFolder        a path cannot be that of a data folder
├── OtherFormat           a data folder holds what another version of Tradewind wrote, in a format of its own
├── DiskFull              a disk of the data folder has no room, so that nothing may be started on it
├── ServiceFailed         a service ended, or was not ready in time
└── StartCancelled        the start was called off while a service was coming up
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
"""Embedded services listen here only: they are this machine's own."""


class ServiceError(RuntimeError):
    """An embedded service cannot do what was asked of it; the message says what to do."""


class ArtifactUnavailable(ServiceError):
    """A file that a service needs is not in the cache, and could not be fetched."""


class ArtifactCorrupt(ServiceError):
    """A file differs from the one that was locked, also after it was fetched again."""


class PortInUse(ServiceError):
    """Another process listens on a port that a service needs."""


class StackRunning(ServiceError):
    """Another process runs the services of this data folder."""


class UnusableFolder(ServiceError):
    """A path cannot be that of a data folder: services could not live there."""


class OtherFormat(ServiceError):
    """A data folder holds records in a format that this version does not read."""


class DiskFull(ServiceError):
    """A disk of the data folder has no room, or cannot be written to: nothing may be started on it."""


class ServiceFailed(ServiceError):
    """A service ended, or was not ready in time."""


class StartCancelled(ServiceError):
    """The start was called off before the service was ready."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is up: where it listens, and how long it took to be ready."""

    name: str
    url: str
    pid: int
    version: str
    ready_s: float
    log: Path


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """Whether a service answers, as anyone who knows its endpoint sees it."""

    name: str
    url: str
    healthy: bool
    version: str
    detail: str
