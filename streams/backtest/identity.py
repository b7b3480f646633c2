"""The id of a result: a digest of code, strategy, parameters, data, settings and seed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import tradewind
from tradewind.connectors.settings import Settings
from tradewind.processors.signals.processor import signals as signals_processor
from tradewind.processors.signals.strategy import Strategy
from tradewind.streams.agents import OURS
from tradewind.streams.runtime.commit.reach import name_of, reach_of, source_of
from tradewind.streams.runtime.commit.versions import lock_version

DECIDING: Final = ("processors", "schemas", "topics", "streams", "connectors/feeds")
"""Folders of ours whose code decides what a result holds."""
ID_BYTES: Final = 8  # of a digest that people type: 16 hex digits


def id_of(manifest: Mapping[str, Any]) -> str:
    """Return the id of a result with this manifest: 16 hex digits."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), default=str)
    return blake2b(text.encode(), digest_size=ID_BYTES).hexdigest()


def code_of(settings: Settings, strategy: Strategy) -> Mapping[str, str]:
    """Return digests of our code, of the strategy's own modules and of the installed packages."""
    return {"tradewind": _ours(), "strategy": _modules(settings, strategy), "packages": lock_version()}


def _ours() -> str:
    root = Path(tradewind.__file__).resolve().parent
    hashed = blake2b(digest_size=ID_BYTES)
    for path in _sources(root):
        text = path.read_bytes()
        hashed.update(f"{path.relative_to(root)} {len(text)}\n".encode() + text)
    return f"{tradewind.__version__} {hashed.hexdigest()}"


def _sources(root: Path) -> Iterator[Path]:
    for folder in DECIDING:
        found = (path for path in (root / folder).rglob("*") if path.suffix in {".py", ".avsc"})
        yield from sorted(found)


def _modules(settings: Settings, strategy: Strategy) -> str:
    """Return a digest of the modules that a strategy reaches, besides ours; empty for a built-in one."""
    declared = next(one for one in OURS if one.name == "signals").declare(settings)
    reached = reach_of(replace(declared, processor=signals_processor([strategy]))).modules
    own = sorted((one for one in reached if one.partition(".")[0] != "tradewind"), key=name_of)
    if not own:
        return ""
    hashed = blake2b(digest_size=ID_BYTES)
    for module in own:
        text = source_of(module)
        hashed.update(f"{name_of(module)} {len(text)}\n".encode() + text)
    return hashed.hexdigest()
