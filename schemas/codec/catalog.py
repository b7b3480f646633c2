"""What this version of Tradewind knows: the models, and every committed version of their schemas."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from tradewind.schemas.avsc import committed
from tradewind.schemas.codec.avro_type import RecordType, parse_record
from tradewind.schemas.event import Event


def _models() -> Mapping[str, type[Event]]:
    models = {}
    for file in committed():
        models[file.full_name] = getattr(import_module(f"tradewind.schemas.{file.domain}"), file.schema["name"])
    return MappingProxyType(models)


def _texts() -> Mapping[str, tuple[str, ...]]:
    texts: dict[str, tuple[str, ...]] = {}
    for file in committed():
        texts[file.full_name] = (*texts.get(file.full_name, ()), file.text)
    return MappingProxyType(texts)


MODELS: Final = _models()
"""Full name of the record -> model, of all domains."""
SCHEMAS: Final = _texts()
"""Full name of the record -> JSON text of each committed version, the oldest first."""
KNOWN: Final[Mapping[str, tuple[RecordType, ...]]] = MappingProxyType(
    {name: tuple(map(parse_record, texts)) for name, texts in SCHEMAS.items()}
)
"""Full name of the record -> the record of each committed version, the oldest first."""
NEWEST: Final[Mapping[str, RecordType]] = MappingProxyType({name: versions[-1] for name, versions in KNOWN.items()})
"""Full name of the record -> the record that events are encoded as, and decoded to."""
