"""Mutants, what became of them, and the list of those that no test can tell from the program, each with its reason."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tradewind.infra.bench.parts.mutation.trials import End


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one small error."""

    line: int
    was: str
    becomes: str
    source: str = field(repr=False)
    """The whole module."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Why mutants of a line survive; `becomes` names them, and is empty where all of the line's are meant."""

    was: str
    why: str
    becomes: tuple[str, ...] = ()

    def covers(self, mutant: Mutant) -> bool:
        """Return whether this is said of a mutant."""
        return mutant.was == self.was and (not self.becomes or mutant.becomes in self.becomes)


@dataclass(frozen=True, slots=True)
class Tried:
    """The mutants of one module, and how each ended."""

    module: str
    ends: Sequence[tuple[Mutant, End]]
    explained: Sequence[Explained] = ()
    seconds: float = 0.0

    def count(self, end: End) -> int:
        """Return how many ended so."""
        return Counter(found for _, found in self.ends)[end]

    @property
    def survivors(self) -> list[tuple[Mutant, str | None]]:
        """The mutants that survived, each with the reason that is known for it; None where there is none."""
        return [(mutant, self._why(mutant)) for mutant, end in self.ends if end == "survived"]

    @property
    def unexplained(self) -> list[Mutant]:
        """The survivors that nobody has explained: a test is missing for each, or a reason."""
        return [mutant for mutant, why in self.survivors if why is None]

    @property
    def outdated(self) -> list[Explained]:
        """Explanations that explain no survivor any more."""
        return [each for each in self.explained if not any(each.covers(mutant) for mutant, _ in self.survivors)]

    def _why(self, mutant: Mutant) -> str | None:
        return next((each.why for each in self.explained if each.covers(mutant)), None)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures and the survivors, for JSON."""
        return {
            "module": self.module,
            "mutants": len(self.ends),
            "killed": self.count("killed"),
            "timed_out": self.count("timed out"),
            "survived": self.count("survived"),
            "explained": self.count("survived") - len(self.unexplained),
            "seconds": round(self.seconds, 1),
            "survivors": [
                {"line": mutant.line, "was": mutant.was, "becomes": mutant.becomes, "why": why}
                for mutant, why in self.survivors
            ],
            "outdated": [each.was for each in self.outdated],
        }


def parsed(lines: Iterable[str]) -> list[Mutant]:
    """Return the mutants that `peers/mutants.py` printed, by line."""
    told = map(json.loads, lines)
    found = [Mutant(of["line"], of["was"], of["becomes"], of["source"]) for of in told]
    return sorted(found, key=lambda mutant: mutant.line)


def explanations(path: Path) -> Mapping[str, list[Explained]]:
    """Return what a file says of survivors, by module."""
    told = tomllib.loads(path.read_text())
    return {
        module: [Explained(each["was"], each["why"], tuple(each.get("becomes", ()))) for each in of]
        for module, of in told.items()
    }


def made(python: Path, program: Path, file: Path) -> list[Mutant]:
    """Return the mutants of a file, which another environment makes; raises `CalledProcessError` where it cannot."""
    told = subprocess.run([str(python), str(program), str(file)], stdout=subprocess.PIPE, text=True, check=True)
    return parsed(told.stdout.splitlines())
