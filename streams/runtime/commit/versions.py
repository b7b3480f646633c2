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
from tradewind.schemas.codec import SCHEMAS
from tradewind.schemas.event import Event
from tradewind.streams.runtime.agent import Agent, Hold
from tradewind.streams.runtime.commit.reach import name_of, reach_of, runtime_reach, source_of

SHORT_BYTES = 8  # of a digest that people compare by eye
APART = ("namespace", "tenants")
"""Settings that decide nothing, besides connections, folders and secrets: where things are, and what a first start
writes as commands, for agents know tenants by events."""


def versions(settings: Settings, agent: Agent) -> dict[str, str]:
    """Return what the journal says of the process that wrote it."""
    return {
        "code": code_version(agent),
        "lock": lock_version(),
        "python": platform.python_version(),
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
        "configuration": configuration(settings),
    }


def code_version(agent: Agent) -> str:
    """Return Tradewind's version and a digest of what decides on an agent's outputs and state, and of nothing else.

    That is the runtime, the agent's declaration, and the sources and models that it reaches.
    """
    own, shared = reach_of(agent), runtime_reach()
    hashed = blake2b(declared(agent).encode(), digest_size=SHORT_BYTES)
    hashed.update(_of_sources(own.modules) + _of_sources(shared.modules))
    for model in sorted(own.models | shared.models, key=lambda model: (model.SCHEMA, model.__qualname__)):
        _add(hashed, model.SCHEMA, *(text.encode() for text in SCHEMAS.get(model.SCHEMA, ())), _checks_of(model))
    return f"{tradewind.__version__} {hashed.hexdigest()}"


@cache
def _of_sources(modules: frozenset[str]) -> bytes:
    """Return a digest of modules: read once, for a process does not change the code that it runs."""
    hashed = blake2b()
    for module in sorted(modules, key=name_of):
        _add(hashed, name_of(module), source_of(module))
    return hashed.digest()


def declared(agent: Agent) -> str:
    """Return what an agent's declaration decides besides its code."""
    topics = [
        (topic.name, [model.SCHEMA for model in topic.models], topic.partitions, topic.columnar, topic.broadcast)
        for topic in (*agent.inputs, *agent.outputs)
    ]
    spread = [(topic.name, [model.SCHEMA for model in topic.spread], topic.newest_time) for topic in agent.outputs]
    return repr((agent.name, topics, spread, _hold(agent.hold), len(agent.migrations)))


def _hold(hold: Hold | None) -> tuple[object, ...] | None:
    if hold is None:
        return None
    through = None if hold.through is None else (hold.through.name, hold.through.partitions)
    return hold.topic.name, hold.until.name, hold.lookahead_us, through


def _checks_of(model: type[Event]) -> bytes:
    """Return what refuses values of a model: its ranges and rules."""
    return repr((sorted(model.RANGES.items()), model.RULES)).encode()


def _add(hashed: blake2b, name: str, *texts: bytes) -> None:
    hashed.update(f"{name} {' '.join(str(len(text)) for text in texts)}\n".encode() + b"".join(texts))


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
        if name not in APART and not isinstance(getattr(settings, name), BaseModel | Path | SecretStr)
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
