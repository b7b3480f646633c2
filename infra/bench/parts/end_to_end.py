"""Feed, broker, market agent and sink, all running at once: from the first tick to the last one in the store."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

import httpx

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.services import start

STOP_S = 20.0
TIMEOUT_S = 600.0
POLL_S = 0.1
WARM_UPS = 2  # in the second, Kafka's compiler still took a twentieth of the machine
PIPELINE = "feed, broker, agent and sink at once"
ROLES = (("worker", "market"), ("sink", "questdb"))


def end_to_end_runs(
    settings: Settings, ticks: int, runs: int, begin: Callable[[str], None], warm_ups: int = WARM_UPS
) -> list[float]:
    """Return the ticks per second of some runs; more go before them, as the warm-up of the Java servers.

    `begin` is called before each, with its name in a plan of progress.
    """
    found = []
    for run in range(warm_ups + runs):
        begin(PIPELINE)
        found.append(end_to_end(settings, f"e2e{run}.", ticks))
    return found[warm_ups:]


def end_to_end(settings: Settings, namespace: str, ticks: int) -> float:
    """Return the ticks per second from the first of the feed's ticks in the store to the last one, after a warm-up."""
    own = settings.model_copy(update={"namespace": namespace})
    environment = {**os.environ, "TRADEWIND_DATA": str(settings.data), "TRADEWIND_NAMESPACE": namespace}

    def run(*arguments: str, module: str = "tradewind.infra.cli") -> subprocess.Popen[bytes]:
        name = f"{namespace}{module.rpartition('.')[2]}-{arguments[0]}"
        return start(settings, name, [sys.executable, "-P", "-m", module, *arguments], environment)

    def feed(seed: int, count: int) -> subprocess.Popen[bytes]:
        return run(str(seed), str(count), module="tradewind.infra.bench.parts.simulated_feed")

    prepared = run("prepare")
    if prepared.wait(TIMEOUT_S) != 0:
        raise RuntimeError(f"the topics could not be made: {namespace}cli-prepare.log says why")
    processes = [run(*role) for role in ROLES]
    try:
        with closing(_Store(own)) as store:
            warm_up = ticks // 10
            processes.append(feed(2, warm_up))
            store.wait(warm_up, processes)
            processes.append(feed(3, ticks))
            store.wait(warm_up + 1, processes)
            began = time.monotonic()
            store.wait(warm_up + ticks, processes)
            return ticks / (time.monotonic() - began)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(STOP_S)


class _Store:
    """Counts the ticks in the store, over one connection: opening one each time took a seventh of the machine."""

    def __init__(self, settings: Settings) -> None:
        influx = settings.influx
        assert influx.url is not None
        assert influx.password is not None
        auth = (influx.user, influx.password.get_secret_value())
        self._client = httpx.Client(base_url=influx.url, auth=auth, trust_env=False)
        self._table = settings.physical("ticks").replace(".", "_")

    def wait(self, ticks: int, processes: list[subprocess.Popen[bytes]]) -> None:
        """Wait until there are so many; raises `RuntimeError` where they do not come."""
        deadline = time.monotonic() + TIMEOUT_S
        while (seen := self._count()) < ticks:
            failed = [process.args for process in processes if process.poll() not in (None, 0)]
            if failed or time.monotonic() > deadline:
                raise RuntimeError(f"{seen:,} of {ticks:,} ticks came to the store; ended with an error: {failed}")
            time.sleep(POLL_S)

    def _count(self) -> int:
        query = f"SELECT count() FROM '{self._table}'"  # noqa: S608 - a name of ours
        answer = self._client.get("/exec", params={"query": query}).json()
        return int(answer["dataset"][0][0]) if "dataset" in answer else 0

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
