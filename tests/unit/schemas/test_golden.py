"""Golden messages: bytes of every version that was ever committed decode, now and later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tradewind.schemas.codec import MODELS, SCHEMAS, Codec
from tradewind.schemas.golden import ROOT, Golden, add_missing, goldens

ALL = list(goldens())


def test_every_schema_has_a_golden_message_and_none_is_an_orphan() -> None:
    """Each version of each event has both files, and each file a version."""
    expected = {path for golden in ALL for path in (golden.binary, golden.readable)}
    there = {path for path in ROOT.rglob("*") if path.suffix in (".bin", ".json")}
    assert there == expected, "run `python -m tradewind.schemas.golden`, and commit what it adds"


@pytest.mark.parametrize("golden", ALL, ids=lambda golden: golden.binary.name)
def test_golden_bytes_decode_to_what_they_said(golden: Golden) -> None:
    """The newest model reads bytes of every version; what that version did not know has its default."""
    name, schema_id = golden.file.full_name, 7
    codec = Codec({}, lambda _: golden.file.text)
    event = codec.decode(b"\0" + schema_id.to_bytes(4, "big") + golden.body())
    known = [field.name for field in fields(event)]  # type: ignore[arg-type]
    said = MODELS[name](**{key: value for key, value in golden.says().items() if key in known})
    for field in known:
        assert _says(getattr(event, field), getattr(said, field)), field


def _says(found: Any, said: Any) -> bool:
    """Whether all that was said is there; in records within it, fields that the version did not know may be as well."""
    if isinstance(said, Mapping):
        return all(_says(found[key], value) for key, value in said.items())
    if isinstance(said, tuple):
        return len(found) == len(said) and all(map(_says, found, said))
    return bool(found == said)


@pytest.mark.parametrize("golden", ALL, ids=lambda golden: golden.binary.name)
def test_the_newest_goldens_are_written_to_the_same_bytes(golden: Golden) -> None:
    """What a version writes never changes."""
    name = golden.file.full_name
    if golden.file.text == SCHEMAS[name][-1]:
        codec = Codec({name: 7}, lambda _: golden.file.text)
        assert codec.encode(MODELS[name](**golden.says()))[5:] == golden.body()


def test_goldens_are_added_and_never_overwritten(tmp_path: Path) -> None:
    """What is there stays, whatever it holds."""
    added = add_missing(tmp_path)
    assert len(added) == 2 * len(ALL)
    added[0].write_bytes(b"kept")
    added[3].unlink()
    assert add_missing(tmp_path) == []
    assert added[0].read_bytes() == b"kept"
    assert not added[3].exists()
    assert {path.relative_to(tmp_path): path.read_bytes() for path in added[4:]} == {
        path.relative_to(tmp_path): (ROOT / path.relative_to(tmp_path)).read_bytes() for path in added[4:]
    }
