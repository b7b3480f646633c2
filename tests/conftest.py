"""Fixtures of every test: real services, started once for a run and only where a test asks, and a namespace per test.

With `TRADEWIND_TEST_STACK=FOLDER` the tests use the stack that runs from that data folder, which saves its start.
How worker processes share the stack, and what else a run of the suite is, stands in `harness`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import hypothesis
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from harness.run import PREFIX, run_of
from harness.shared_stack import SharedStack, ensure

from tradewind.connectors.settings import (
    InfluxSettings,
    KafkaSettings,
    PostgresSettings,
    RedisSettings,
    RegistrySettings,
    Settings,
)
from tradewind.infra.services import endpoints
from tradewind.infra.services.embedded.kafka import Kafka
from tradewind.infra.services.ending import ended_by_signals
from tradewind.infra.services.guard import clear, guarded
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import ports

if TYPE_CHECKING:
    from days.played import PlayedDay

TIDY_S = 15.0
pytest_plugins = ["harness.plugin"]
pytest.register_assert_rewrite("contract", "days", "sinks")
DROP_ATTEMPTS, DROP_PAUSE_S = 40, 0.25
RUNNING = os.environ.get("TRADEWIND_TEST_STACK")

hypothesis.settings.register_profile("thorough", deadline=None, max_examples=500)
hypothesis.settings.register_profile("tradewind", deadline=None, max_examples=50)  # on a busy machine any may take long
hypothesis.settings.load_profile("tradewind")
"""Half of Hypothesis' own number keeps the suite short; `./dev test --hypothesis-profile=thorough` looks longer."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have signals end the run as Ctrl-C does, with every fixture's end; kill -9 is what `new_data`'s guard is for."""
    block = ended_by_signals()
    block.__enter__()
    session.config.add_cleanup(lambda: block.__exit__(None, None, None))


@pytest.fixture(scope="session")
def new_data() -> Iterator[Callable[[], Path]]:
    """Give a function that makes a data folder for a stack.

    Not one of pytest's own: each run closes those to other users, and root's PostgreSQL runs as `nobody`.
    """
    made: list[Path] = []
    with guarded() as guard:

        def make() -> Path:
            made.append(Path(tempfile.mkdtemp(prefix=PREFIX)))
            made[-1].chmod(0o711 if os.geteuid() == 0 else 0o700)
            guard.add(made[-1])
            return made[-1]

        yield make
        for folder in made:
            clear(folder)


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> SharedStack:
    """Give all embedded services, which the tests of all worker processes share: none may stop or restart one."""
    if RUNNING is None:
        return ensure(run_of(pytestconfig))
    if not endpoints.published(Path(RUNNING)):
        pytest.fail(f"TRADEWIND_TEST_STACK={RUNNING}: no stack runs there")
    return SharedStack(Path(RUNNING))


@pytest.fixture
def broker(new_data: Callable[[], Path]) -> Iterator[Kafka]:
    """Give a broker of the test's own, to be killed; such tests are of the group `own_brokers`."""
    data = new_data()
    own = Kafka(Place(data, ports(None)))
    for folder in (data / "run", data / "logs"):
        folder.mkdir(exist_ok=True)
    own.start()
    try:
        yield own
    finally:
        for server in own.servers:
            server.stop()
        clear(data)


@pytest.fixture
def settings(stack: SharedStack, tmp_path: Path) -> Iterator[Settings]:
    """Give settings that use the stack with a namespace, a data folder and a database name of the test's own.

    The namespace's topics are deleted after the test. The database is created for tests that also ask for `database`.
    """
    with namespace(stack, tmp_path) as given:
        yield given


@pytest.fixture(scope="module")
def module_settings(stack: SharedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Give such settings to all tests of a module together."""
    with namespace(stack, tmp_path_factory.mktemp("module")) as given:
        yield given


@contextlib.contextmanager
def namespace(stack: SharedStack, data: Path) -> Iterator[Settings]:
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
        redis=RedisSettings(**found.get("redis", {})),
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
async def database(stack: SharedStack, settings: Settings) -> AsyncIterator[PostgresSettings]:
    """Create the PostgreSQL database that `settings` names, empty, and drop it after the test."""
    await _create(stack, settings.postgres)
    yield settings.postgres
    await _drop(stack, settings.postgres)


@pytest.fixture(scope="session")
def played_day(stack: SharedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedDay]:
    """Give what a day left that the whole pipeline played, to all tests that only look at it."""
    from days.played import play  # noqa: PLC0415 - a test that needs no services does not wait for its imports

    folder = tmp_path_factory.mktemp("played-day")
    with namespace(stack, folder) as settings:
        asyncio.run(_create(stack, settings.postgres))
        try:
            yield play(settings, folder)
        finally:
            asyncio.run(_drop(stack, settings.postgres))


async def _create(stack: SharedStack, part: PostgresSettings) -> None:
    """Create the database that settings name."""
    async with _administering(stack, part) as connection:
        await connection.execute(f'CREATE DATABASE "{_name(part)}"')


async def _drop(stack: SharedStack, part: PostgresSettings) -> None:
    """Drop that database; PostgreSQL's own workers may be in it for some seconds, and are not ours to end."""
    async with _administering(stack, part) as connection:
        for attempt in range(DROP_ATTEMPTS):
            try:
                await connection.execute(f'DROP DATABASE IF EXISTS "{_name(part)}" WITH (FORCE)')
            except asyncpg.InsufficientPrivilegeError:
                if attempt == DROP_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(DROP_PAUSE_S)
            else:
                return


@contextlib.asynccontextmanager
async def _administering(
    stack: SharedStack, part: PostgresSettings
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Give a connection to the database that is always there."""
    assert part.password is not None
    everyones = endpoints.published(stack.data)["postgres"]["url"]
    connection = await asyncpg.connect(everyones, user=part.user, password=part.password.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


def _name(part: PostgresSettings) -> str:
    """Return the name of the database that settings name."""
    assert part.url is not None
    return part.url.rpartition("/")[2]
