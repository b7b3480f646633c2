"""Fixtures of every test: real services, started once for a run and only where a test asks, and a namespace per test.

With `TRADEWIND_TEST_STACK=FOLDER` the tests use the stack that runs from that data folder, which saves its start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tradewind.connectors.settings import InfluxSettings, KafkaSettings, PostgresSettings, RegistrySettings, Settings
from tradewind.infra.services import endpoints
from tradewind.infra.services.stack import Stack

TIDY_S = 15.0
pytest.register_assert_rewrite("contract")
DROP_ATTEMPTS, DROP_PAUSE_S = 40, 0.25
RUNNING = os.environ.get("TRADEWIND_TEST_STACK")

hypothesis.settings.register_profile("thorough", deadline=None, max_examples=500)
hypothesis.settings.register_profile("tradewind", deadline=None, max_examples=50)  # on a busy machine any may take long
hypothesis.settings.load_profile("tradewind")
"""Half of Hypothesis' own number keeps the suite short; `./dev test --hypothesis-profile=thorough` looks longer."""


@pytest.fixture(scope="session")
def new_data() -> Iterator[Callable[[], Path]]:
    """Give a function that makes a data folder for a stack.

    Not one of pytest's own: each run closes those to other users, and root's PostgreSQL runs as `nobody`.
    """
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="tradewind-test-")))
        made[-1].chmod(0o711 if os.geteuid() == 0 else 0o700)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stack(new_data: Callable[[], Path]) -> Iterator[Stack]:
    """Give all embedded services, on free ports and in a folder of their own."""
    if RUNNING is not None:
        if not endpoints.published(Path(RUNNING)):
            pytest.fail(f"TRADEWIND_TEST_STACK={RUNNING}: no stack runs there")
        yield Stack(Path(RUNNING), Settings(data=Path(RUNNING)))
        return
    data = new_data()
    own = Stack(data, Settings(data=data, _env_file=None), base_port=None)
    own.start()
    try:
        yield own
    finally:
        own.stop()


@pytest.fixture
def settings(stack: Stack, tmp_path: Path) -> Iterator[Settings]:
    """Give settings that use the stack with a namespace, a data folder and a database name of the test's own.

    The namespace's topics are deleted after the test. The database is created for tests that also ask for `database`.
    """
    with namespace(stack, tmp_path) as given:
        yield given


@pytest.fixture(scope="module")
def module_settings(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Give such settings to all tests of a module together."""
    with namespace(stack, tmp_path_factory.mktemp("module")) as given:
        yield given


@contextlib.contextmanager
def namespace(stack: Stack, data: Path) -> Iterator[Settings]:
    """Give settings with a namespace that nobody else has."""
    own = f"t{secrets.token_hex(4)}"
    found = endpoints.published(stack.data)
    postgres = found["postgres"]
    url = f"{postgres['url'].rpartition('/')[0]}/{own}"
    given = Settings(
        _env_file=None,
        data=data,
        namespace=f"{own}.",
        kafka=KafkaSettings(**found["kafka"]),
        postgres=PostgresSettings(**{**postgres, "url": url}),
        registry=RegistrySettings(**found["registry"]),
        influx=InfluxSettings(**found["influx"]),
    )
    yield given
    with contextlib.suppress(KafkaException):  # the test may have killed the broker, which ends with its stack anyway
        delete_topics(given)


def delete_topics(settings: Settings) -> None:
    """Delete a namespace's topics: some thousand partitions, a few dozen a test, make every start of Kafka slow."""
    admin = AdminClient({**settings.librdkafka(), "log_level": 0})
    if names := [name for name in admin.list_topics(timeout=TIDY_S).topics if name.startswith(settings.namespace)]:
        for deleted in admin.delete_topics(names, operation_timeout=TIDY_S).values():
            deleted.result(TIDY_S)


@pytest.fixture
async def database(stack: Stack, settings: Settings) -> AsyncIterator[PostgresSettings]:
    """Create the PostgreSQL database that `settings` names, empty, and drop it after the test."""
    part = settings.postgres
    assert part.url is not None
    assert part.password is not None
    name = part.url.rpartition("/")[2]
    everyones = endpoints.published(stack.data)["postgres"]["url"]
    connection = await asyncpg.connect(everyones, user=part.user, password=part.password.get_secret_value())
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield part
        await _drop(connection, name)
    finally:
        await connection.close()


async def _drop(connection: asyncpg.Connection[asyncpg.Record], name: str) -> None:
    """Drop a database. A server's own process in it, such as autovacuum's, is not ours to end: it is soon done."""
    for attempt in range(DROP_ATTEMPTS):
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        except asyncpg.InsufficientPrivilegeError:
            if attempt == DROP_ATTEMPTS - 1:
                raise
            await asyncio.sleep(DROP_PAUSE_S)
        else:
            return
