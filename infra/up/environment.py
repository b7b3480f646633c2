"""The environment of a process that runs in a folder of its own: the same settings as those of its starter."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

PREFIX = "TRADEWIND_"
FILES = ("_FILE", "_FOLDER")
"""Ends of the names of variables that hold a path."""


def variables(data: Path, environment: Mapping[str, str] = os.environ, dotenv: Path = Path(".env")) -> dict[str, str]:
    """Return the variables of Tradewind, from `.env` and the environment, which wins; paths are made absolute."""
    told = {name.upper(): value for name, value in dotenv_values(dotenv).items() if value is not None}
    told.update({name.upper(): value for name, value in environment.items()})
    own = {name: value for name, value in told.items() if name.startswith(PREFIX)}
    paths = {name: str(Path(value).absolute()) for name, value in own.items() if name.endswith(FILES)}
    return {**own, **paths, f"{PREFIX}DATA": str(data.absolute())}
