"""The ids that a registry gave the committed schemas, kept in a file beside it: a process need not ask for each again.

Thirty-two questions to an embedded registry that has just started take a second of two cores, and `up` starts seven
processes. Ids never change in a registry, so that a file is right as long as the registry is the one that wrote it: the
embedded registry removes it at each start, and no other registry has one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from tradewind.connectors.settings import RegistrySettings


def kept_ids(registry: RegistrySettings, schemas: Mapping[str, Sequence[str]]) -> dict[str, int] | None:
    """Return the newest version's id by full name; None where none are kept for this registry and these schemas."""
    if registry.ids_file is None:
        return None
    try:
        found = json.loads(registry.ids_file.read_text())
        fits = (found["url"], found["schemas"]) == (registry.url, _digest(schemas))
        return {str(name): int(number) for name, number in found["ids"].items()} if fits else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep_ids(registry: RegistrySettings, schemas: Mapping[str, Sequence[str]], ids: Mapping[str, int]) -> None:
    """Write the ids for those that come later, at once; a folder that is gone or not ours changes nothing."""
    if registry.ids_file is None:
        return
    draft = registry.ids_file.with_name(f"{registry.ids_file.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps({"url": registry.url, "schemas": _digest(schemas), "ids": dict(ids)}))
        draft.replace(registry.ids_file)
    except OSError:
        draft.unlink(missing_ok=True)


def forget_ids(file: Path) -> None:
    """Have the next process ask the registry."""
    file.unlink(missing_ok=True)


def _digest(schemas: Mapping[str, Sequence[str]]) -> str:
    told = json.dumps({name: list(versions) for name, versions in schemas.items()}, sort_keys=True)
    return blake2b(told.encode(), digest_size=16).hexdigest()
