"""The services of a bench: embedded, on free ports, in a folder of their own that goes when the bench ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.progress import quiet, say
from tradewind.infra.services.guard import temporary_folder
from tradewind.infra.services.stack import Stack

LOGS = "logs"
"""Folder, in the data folder, of the services' logs, which those of a bench's own processes join."""


class BenchFailed(RuntimeError):
    """A bench could not measure; the message names the folder that its logs were moved to."""


@contextmanager
def services(*, optimise_java: bool = False) -> Iterator[Settings]:
    """Start the services, and give the settings that reach them."""
    with stack(optimise_java=optimise_java) as (_, settings):
        yield settings


@contextmanager
def stack(
    brokers: int = 1, *, only: Collection[str] | None = None, optimise_java: bool = False
) -> Iterator[tuple[Stack, Settings]]:
    """Start the services, or `only` some, with one or several brokers; a bench never measures somebody's own cluster.

    So what names one, in the environment or in `.env`, is not looked at, here and in the processes that are measured.
    """
    for name in [name for name in os.environ if name.startswith("TRADEWIND_") and name != "TRADEWIND_CACHE"]:
        del os.environ[name]
    with temporary_folder("tradewind-bench-") as data, logged(data):
        own = Stack(data, _own(data, optimise_java), base_port=None, brokers=brokers, only=only)
        say("starting the services")
        own.start()
        try:
            os.chdir(data)
            yield own, _own(data, optimise_java)
        finally:
            own.stop()


@contextmanager
def logged(data: Path) -> Iterator[None]:
    """Send what is said beside progress and figures to files, and keep these where the bench fails."""
    (data / LOGS).mkdir(mode=0o700, exist_ok=True)
    with quiet(data / LOGS / "bench.log"):
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            kept = _keep_logs(data)
            if isinstance(error, (RuntimeError, TimeoutError)):
                raise BenchFailed(f"{error}\nThe logs of this run are in {kept}") from error
            say(f"the logs of this run are in {kept}")
            raise


def start(
    settings: Settings, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process of a bench, which says what it says into a log of its own."""
    with (settings.data / LOGS / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _keep_logs(data: Path) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="tradewind-bench-failed-"))
    for log in data.glob("*/*.log*"):
        shutil.copy(log, kept / log.name)
    return kept


def _own(data: Path, optimise_java: bool) -> Settings:  # noqa: FBT001
    return Settings(_env_file=None, data=data, optimise_java=optimise_java)
