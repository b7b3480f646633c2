"""Brings the tables of PostgreSQL up to date: the migrations of each domain, in order, each once.

Every namespace has a schema of its own (`connection.py`), with its own table of what was applied. A migration that was
applied is never edited: its checksum stands in that table, and another migration is the way to change what it made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg

from tradewind.connectors.postgres.connection import Connection, connect, schema_of
from tradewind.connectors.postgres.domains import DOMAINS
from tradewind.connectors.postgres.table import Domain, Migration
from tradewind.connectors.settings import Settings

LOCK = 0x74726164  # any number that no other user of the database's advisory locks takes: "trad"
APPLIED = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    domain     text NOT NULL,
    version    integer NOT NULL,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, version)
)
"""


class MigrationError(RuntimeError):
    """The database cannot be brought up to date as it stands; nothing was changed."""


def migrate(settings: Settings, domains: Sequence[Domain] = DOMAINS) -> list[str]:
    """Apply what is missing; returns what was applied, as `domain: name`. Several processes may do so at once.

    Raises `MigrationError` where a migration was edited after it was applied, or a domain in the database is newer than
    it is here. Domains that are not given are left alone.
    """
    return asyncio.run(_migrate(settings, domains))


async def _migrate(settings: Settings, domains: Sequence[Domain]) -> list[str]:
    connection = await connect(settings)
    try:
        schema = schema_of(settings)
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)  # let go by closing the connection
        await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        await connection.execute(APPLIED)
        applied = await _applied(connection, schema)
        for domain in domains:
            check(domain, applied.get(domain.name, {}), schema)
        done = []
        for domain in domains:
            for version, migration in enumerate(domain.migrations, 1):
                if version not in applied.get(domain.name, {}):
                    await _apply(connection, domain, version, migration)
                    done.append(f"{domain.name}: {migration.name}")
        return done
    finally:
        await connection.close()


async def _applied(connection: Connection, schema: str) -> dict[str, dict[int, str]]:
    """Return domain -> version -> checksum of what was applied to a schema."""
    try:
        rows = await connection.fetch("SELECT domain, version, checksum FROM schema_migrations")
    except asyncpg.UndefinedColumnError:
        raise MigrationError(
            f"schema {schema} was made by an earlier Tradewind, whose migrations belonged to no domain. Nothing was "
            f'changed. Wipe it by ./dev reset, or in a database of your own by DROP SCHEMA "{schema}" CASCADE'
        ) from None
    found: dict[str, dict[int, str]] = {}
    for row in rows:
        found.setdefault(row["domain"], {})[row["version"]] = row["checksum"]
    return found


def check(domain: Domain, applied: Mapping[int, str], schema: str) -> None:
    """Raise `MigrationError` where what was applied (version -> checksum) is not what the domain says."""
    for version, checksum in sorted(applied.items()):
        if version > len(domain.migrations):
            raise MigrationError(
                f"schema {schema} has migration {version} of domain {domain.name}, which this Tradewind does not know: "
                "use a newer one"
            )
        migration = domain.migrations[version - 1]
        if migration.checksum != checksum:
            raise MigrationError(
                f"{_named(domain, version, migration)} was edited after it was applied to schema {schema}: "
                "restore it, and put the change into a new migration"
            )


async def _apply(connection: Connection, domain: Domain, version: int, migration: Migration) -> None:
    async with connection.transaction():
        try:
            await connection.execute(migration.sql)
        except asyncpg.PostgresError as error:
            raise MigrationError(f"{_named(domain, version, migration)} failed: {error}") from error
        await connection.execute(
            "INSERT INTO schema_migrations (domain, version, name, checksum) VALUES ($1, $2, $3, $4)",
            *(domain.name, version, migration.name, migration.checksum),
        )


def _named(domain: Domain, version: int, migration: Migration) -> str:
    return f"migration {version} ({migration.name}) of domain {domain.name}"
