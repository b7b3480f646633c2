"""Golden messages: for each version of each event, bytes that were written once and must decode forever.

`schemas/golden/<domain>/<event>.v<N>.bin` is an Avro record without its frame, `.json` beside it what it says:
decimals as text, bytes in hexadecimal. `python -m tradewind.schemas.golden` adds those of new versions; it never
touches one that is there, and nobody else should.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradewind.schemas.avsc import SchemaFile, committed
from tradewind.schemas.codec.avro_type import (
    ArrayType,
    AvroType,
    DecimalType,
    EnumType,
    OptionalType,
    Plain,
    RecordType,
    parse_record,
)
from tradewind.schemas.codec.row_writer import value_writer

ROOT = Path(__file__).resolve().parent
SAMPLES: Mapping[str, Any] = {
    "long": -(2**40) - 1,
    "int": 70_000,
    "double": 1.08125,
    "boolean": True,
    "bytes": b"\x00\xff",
}
UNSCALED = -12_345_678_901_234_567


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden message of one schema file."""

    file: SchemaFile
    binary: Path
    readable: Path

    @property
    def record(self) -> RecordType:
        """What the message was written as."""
        return parse_record(self.file.text)

    def body(self) -> bytes:
        """Return the Avro record."""
        return self.binary.read_bytes()

    def says(self) -> dict[str, Any]:
        """Return the record as the file of that version has it, with values as models hold them."""
        parsed: dict[str, Any] = from_json(self.record, json.loads(self.readable.read_text("utf-8")))
        return parsed


def goldens(root: Path = ROOT, files: Sequence[SchemaFile] | None = None) -> Iterator[Golden]:
    """Yield the golden message of every committed schema, whether its files are there or not."""
    for file in committed() if files is None else files:
        stem = f"{file.name}.v{file.version}"
        folder = root / file.domain
        yield Golden(file, folder / f"{stem}.bin", folder / f"{stem}.json")


def add_missing(root: Path = ROOT, files: Sequence[SchemaFile] | None = None) -> list[Path]:
    """Write the golden messages that are missing, and return their paths; what is there stays as it is."""
    added = []
    for golden in goldens(root, files):
        if golden.binary.exists() or golden.readable.exists():
            continue
        record = golden.record
        message = sample(record, record.name)
        golden.binary.parent.mkdir(parents=True, exist_ok=True)
        golden.binary.write_bytes(value_writer(record)(message))
        golden.readable.write_text(json.dumps(to_json(record, message), indent=2, ensure_ascii=False) + "\n", "utf-8")
        added += [golden.binary, golden.readable]
    return added


def sample(kind: AvroType, name: str) -> Any:
    """Return a value of a type that exercises it: text beyond ASCII, negative numbers, no nulls."""
    match kind:
        case Plain("string"):
            return f"{name} ✓"
        case Plain(plain):
            return SAMPLES[plain]
        case DecimalType(scale):
            return Decimal(UNSCALED).scaleb(-scale)
        case EnumType(symbols):
            return symbols[-1]
        case OptionalType(of):
            return sample(of, name)
        case ArrayType(items):
            return (sample(items, name), sample(items, name))
        case RecordType(fields=fields):
            return {field.name: sample(field.type, field.name) for field in fields}


def to_json(kind: AvroType, value: Any) -> Any:
    """Return a value as JSON has it."""
    match kind, value:
        case OptionalType(), None:
            return None
        case OptionalType(of), _:
            return to_json(of, value)
        case DecimalType(), Decimal():
            return str(value)
        case Plain("bytes"), bytes():
            return value.hex()
        case ArrayType(items), _:
            return [to_json(items, item) for item in value]
        case RecordType(fields=fields), _:
            return {field.name: to_json(field.type, value[field.name]) for field in fields}
    return value


def from_json(kind: AvroType, value: Any) -> Any:
    """Undo `to_json`."""
    match kind, value:
        case OptionalType(), None:
            return None
        case OptionalType(of), _:
            return from_json(of, value)
        case DecimalType(), str():
            return Decimal(value)
        case Plain("bytes"), str():
            return bytes.fromhex(value)
        case ArrayType(items), _:
            return tuple(from_json(items, item) for item in value)
        case RecordType(fields=fields), _:
            return {field.name: from_json(field.type, value[field.name]) for field in fields}
    return value
