"""The services of a bench: embedded, on free ports, in a folder of their own that goes when the bench ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradewind.connectors.settings import Settings
from tradewind.infra.services.stack import Stack


@contextmanager
def services(*, optimise_java: bool = False) -> Iterator[Settings]:
    """Start the services, and give the settings that reach them."""
    with stack(optimise_java=optimise_java) as (_, settings):
        yield settings


@contextmanager
def stack(brokers: int = 1, *, optimise_java: bool = False) -> Iterator[tuple[Stack, Settings]]:
    """Start the services, with one or several brokers; a bench never measures somebody's own cluster.

    So what names one, in the environment or in `.env`, is not looked at, here and in the processes that are measured.
    """
    for name in [name for name in os.environ if name.startswith("TRADEWIND_") and name != "TRADEWIND_CACHE"]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-", ignore_cleanup_errors=True) as folder:
        data = Path(folder)
        own = Stack(data, _own(data, optimise_java), base_port=None, brokers=brokers)
        own.start()
        try:
            os.chdir(data)
            yield own, _own(data, optimise_java)
        finally:
            own.stop()


def _own(data: Path, optimise_java: bool) -> Settings:  # noqa: FBT001
    return Settings(_env_file=None, data=data, optimise_java=optimise_java)  # type: ignore[call-arg]  # pydantic's own
