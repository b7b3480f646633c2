"""Tries mutants of one module: a fork for each imports the mutant in the module's place, and runs tests.

python -m tradewind.infra.bench.parts.mutation.trials MODULE FILE

Reads a line of JSON for each trial, {"source": TEXT, "tests": FILES, "seconds": NUMBER}; answers with {"end": "killed",
"survived" or "timed out", "seconds": NUMBER}. Tests end at the first that fails. No file is changed. What others wrote
is imported once, before the forks; so are rooms of Tradewind that do not know the module: whoever imports it before the
mutant is there keeps the original.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

import pytest

End = Literal["killed", "survived", "timed out"]
PRELOADED = (
    *("aiokafka", "asyncpg", "confluent_kafka.admin", "confluent_kafka.schema_registry", "fastavro", "faust.app.base"),
    *(
        "faust.transport.drivers.aiokafka",
        "httpx",
        "hypothesis.stateful",
        "numpy",
        "opentelemetry.sdk.metrics",
        "polars",
    ),
    *("pydantic_settings", "pytest_asyncio", "rich.table"),
    *("tradewind.schemas.codec", "tradewind.topics", "tradewind.infra.services.stack"),
)
"""What the modules and their tests import, and takes two seconds each time."""
SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
SEED = "--hypothesis-seed=1"  # so that the same mutants survive each time
STEP_S = 0.01


class Mutated(SourceFileLoader):
    """Finds a module where it always is, and loads other source in its place."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        super().__init__(name, str(path))
        self._source = source

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the module; None for others."""
        del path, target
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the other source."""
        del fullname
        return compile(self._source, self.path, "exec", dont_inherit=True)


EXAMPLES = 100  # twice as many as in the suite: each mutant is asked once


class Quick:
    """Has Hypothesis look for a failure and leave it at that: an example need be neither small nor kept."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        """Change the profile that tests take their settings from, which `tests/conftest.py` has loaded."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - not before the fork has begun

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile(
            "mutants", settings.get_profile("tradewind"), database=None, phases=phases, max_examples=EXAMPLES
        )
        settings.load_profile("mutants")


def try_out(mutated: Mutated, tests: Sequence[str], seconds: float) -> End:
    """Run tests in a fork, and say how that ended."""
    child = os.fork()
    if child == 0:
        _run_tests(mutated, tests)
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "timed out"
        time.sleep(STEP_S)


def _run_tests(mutated: Mutated, tests: Sequence[str]) -> None:
    """Run tests in this process, which then ends: with 0 where none failed."""
    code = 1
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silence, stream)
        sys.meta_path.insert(0, mutated)
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", SEED, *tests], [Quick()]))
    finally:
        os._exit(code)


def preload(name: str) -> None:
    """Import what is the same for all mutants; forget Tradewind's part where the module is among it."""
    for other in PRELOADED:
        import_module(other)
    if name in sys.modules:
        for ours in [known for known in sys.modules if known.startswith("tradewind.")]:
            del sys.modules[ours]


def main(name: str, path: Path) -> None:
    """Answer until the input ends."""
    sys.dont_write_bytecode = True
    os.environ.update(SINGLE_THREADED)
    preload(name)
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.monotonic()
        end = try_out(Mutated(name, path, asked["source"]), asked["tests"], asked["seconds"])
        print(json.dumps({"end": end, "seconds": round(time.monotonic() - begun, 2)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
