"""Brings the tables of PostgreSQL up to date: `NNNN_*.sql`, in order, each once.

Every namespace has a schema of its own (`connectors/sinks/postgres_connection.py`), with its own table of what was
applied. A file that was applied is never edited: its checksum stands in that table, and another migration is the way to
change what it made.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import asyncpg

from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.postgres_connection import connect, schema_of

FOLDER = Path(__file__).resolve().parent
FILE_NAME = re.compile(r"^(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql$")
LOCK = 0x74726164  # any number that no other user of the database's advisory locks takes: "trad"
APPLIED = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(RuntimeError):
    """The database cannot be brought up to date as it stands; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.sql.encode()).hexdigest()


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """Return the migrations of a folder, in order; raises `MigrationError` where a name or a number is wrong."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.match(path.name)
        if match is None:
            raise MigrationError(f"{path}: name it NNNN_what_it_does.sql")
        found.append(Migration(int(match["version"]), match["name"], path.read_text("utf-8")))
    if [one.version for one in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"{folder}: versions are {[one.version for one in found]}, expected 1, 2, 3 and so on")
    return found


def migrate(settings: Settings, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing; returns the names of what was applied. Several processes may do so at once.

    Raises `MigrationError` where a migration was edited after it was applied, or the database is newer than the files.
    """
    return asyncio.run(_migrate(settings, migrations(folder)))


async def _migrate(settings: Settings, wanted: Sequence[Migration]) -> list[str]:
    connection = await connect(settings)
    try:
        schema = schema_of(settings)
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)  # let go by closing the connection
        await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        await connection.execute(APPLIED)
        applied = {row["version"]: row for row in await connection.fetch("SELECT * FROM schema_migrations")}
        check(wanted, {version: row["checksum"] for version, row in applied.items()}, schema)
        missing = [migration for migration in wanted if migration.version not in applied]
        for migration in missing:
            await _apply(connection, migration)
        return [migration.name for migration in missing]
    finally:
        await connection.close()


def check(wanted: Sequence[Migration], applied: dict[int, str], schema: str) -> None:
    """Raise `MigrationError` where what was applied (version -> checksum) is not what these files say."""
    known = {migration.version: migration for migration in wanted}
    for version, checksum in sorted(applied.items()):
        if version not in known:
            raise MigrationError(
                f"schema {schema} has migration {version}, which this Tradewind does not know: use a newer one"
            )
        migration = known[version]
        if migration.checksum != checksum:
            raise MigrationError(
                f"migration {version:04}_{migration.name}.sql was edited after it was applied to schema {schema}: "
                "restore it, and put the change into a new migration"
            )


async def _apply(connection: asyncpg.Connection[asyncpg.Record], migration: Migration) -> None:
    async with connection.transaction():
        try:
            await connection.execute(migration.sql)
        except asyncpg.PostgresError as error:
            raise MigrationError(f"migration {migration.version:04}_{migration.name}.sql failed: {error}") from error
        await connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            *(migration.version, migration.name, migration.checksum),
        )
