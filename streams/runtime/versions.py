"""What a worker runs: digests of code and packages, and the configuration that its agents are made from."""

from __future__ import annotations

import json
import os
import platform
from functools import cache
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, TypeAdapter

import tradewind
from tradewind.connectors.settings import Settings

CODE = ("processors", "schemas", "streams", "topics")
"""What decides on outputs and state; the rest brings records in and out."""
SHORT_BYTES = 8  # of a digest that people compare by eye
PLACE = ("namespace",)
"""Settings that say where things are, and not what is done, besides connections, folders and secrets."""


def versions(settings: Settings) -> dict[str, str]:
    """Return what the journal says of the process that wrote it."""
    return {
        "code": code_version(),
        "lock": lock_version(),
        "python": platform.python_version(),
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
        "configuration": configuration(settings),
    }


@cache
def code_version() -> str:
    """Return Tradewind's version and a digest of its sources that decide on outputs and state."""
    root = Path(tradewind.__file__).resolve().parent
    hashed = blake2b(digest_size=SHORT_BYTES)
    for folder in CODE:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".py", ".avsc"}:
                text = path.read_bytes()
                hashed.update(f"{folder}/{path.relative_to(root / folder).as_posix()} {len(text)}\n".encode() + text)
    return f"{tradewind.__version__} {hashed.hexdigest()}"


@cache
def lock_version() -> str:
    """Return a digest of the checkout's lock file, or, where there is no checkout, of what is installed."""
    lock = Path(tradewind.__file__).resolve().parent.parent / "requirements.lock"
    if lock.is_file():
        return f"requirements.lock {blake2b(lock.read_bytes(), digest_size=SHORT_BYTES).hexdigest()}"
    installed = sorted({f"{found.name}=={found.version}" for found in metadata.distributions()})
    return f"installed {blake2b(chr(10).join(installed).encode(), digest_size=SHORT_BYTES).hexdigest()}"


def configuration(settings: Settings) -> str:
    """Return the settings that agents are made from, as JSON: no connection, folder or secret."""
    told = {
        name: value
        for name, value in settings.model_dump(mode="json").items()
        if name not in PLACE and not isinstance(getattr(settings, name), BaseModel | Path | SecretStr)
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def configured(settings: Settings, recorded: str) -> Settings:
    """Return settings with what a journal recorded in place of their own; settings that there are no more are left out.

    Raises `pydantic.ValidationError` where a recorded value is none that the setting takes today.
    """
    update: dict[str, Any] = {}
    for name, value in json.loads(recorded).items():
        known = type(settings).model_fields.get(name)
        if known is not None and known.annotation is not None:
            update[name] = TypeAdapter(known.annotation).validate_json(json.dumps(value))
    return settings.model_copy(update=update)
