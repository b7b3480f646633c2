"""Schema files: which ones are refused, and that the models are what the files say."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tradewind.schemas.avsc import ROOT, SchemaFileError, committed
from tradewind.schemas.codec.compatibility import check_versions
from tradewind.schemas.generate import default, main

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10}
SIDE = {"type": "enum", "name": "Side", "symbols": ["UNKNOWN", "BUY", "SELL"], "default": "UNKNOWN"}
WITHOUT = {"type": "enum", "name": "Side", "symbols": ["BUY", "SELL"]}
A_BOX = {"type": "record", "name": "Box", "fields": [{"name": "side", "type": WITHOUT}]}
Schema = dict[str, Any]


def a_field(name: str, kind: Any = "string", **more: Any) -> Schema:
    """Return a field."""
    return {"name": name, "type": kind, "doc": "what it is", **more}


def a_schema(*fields: Schema, **more: Any) -> Schema:
    """Return a schema of the event `kite.thing_seen`."""
    return {
        "type": "record",
        "name": "ThingSeen",
        "namespace": "tradewind.kite",
        "doc": "A thing was seen.",
        "fields": list(fields or [a_field("symbol")]),
        **more,
    }


def put(root: Path, schema: Any, name: str = "thing_seen.v1.avsc") -> Path:
    """Write a schema file."""
    path = root / "kite" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema), "utf-8")
    return path


def refused(root: Path) -> str:
    """Return why the schemas of a folder are refused."""
    with pytest.raises(SchemaFileError) as error:
        check_versions(committed(root))
    return str(error.value)


def test_the_committed_models_are_what_the_files_say() -> None:
    """Nobody has edited a model, or a schema without generating."""
    assert main(["--check"]) == 0


def test_every_domain_has_schemas_that_go_together() -> None:
    """All committed versions pass the rules."""
    files = committed()
    assert {file.domain for file in files} >= {"market", "signals", "risk", "execution", "portfolio", "notifications"}
    check_versions(files)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{", "not JSON"),
        ('{"type": "record", "type": "record"}', "a key stands twice"),
        ("[]", "an event is a record"),
        (a_schema(type="enum"), "an event is a record"),
        (
            a_schema(namespace="tradewind.market"),
            "its namespace is 'tradewind.market'; by its place it is 'tradewind.kite'",
        ),
        (a_schema(name="thing"), "its name is 'thing'; by its place it is 'ThingSeen'"),
        (a_schema(doc=" "), "it has no doc"),
        (a_schema(fields=[]), "it has no fields"),
        (a_schema({"name": "symbol", "type": "string"}), "symbol: it has no doc"),
        (a_schema(a_field("symbol", doc='so "quoted"')), "symbol: its doc ends in a quote"),
        (a_schema({"name": "symbol", "doc": "x"}), "is no field"),
        (a_schema(a_field("Symbol")), "Symbol: name a field in small letters"),
        (a_schema(a_field("class")), "class: name a field in small letters"),
        (a_schema(a_field("one"), a_field("one")), "has two fields of one name"),
        (a_schema(a_field("one", "text")), "not Avro: there is no type"),
        (a_schema(a_field("one", {"type": "map", "values": "long"})), "ThingSeen.one: events do not use"),
        (a_schema(a_field("one", "float")), "ThingSeen.one: events do not use"),
        (a_schema(a_field("one", ["long", "string"])), "ThingSeen.one: events do not use"),
        (a_schema(a_field("one", {**DECIMAL, "precision": 60})), "a decimal of more than 38 digits"),
        (a_schema(a_field("one", "long", default="x")), "not Avro: Default|no default of"),
        (a_schema(a_field("one", {**SIDE}, default="HOLD")), "not Avro|no default of"),
        (a_schema(a_field("one", WITHOUT)), "one: enum Side needs UNKNOWN as its first symbol and its default"),
        (a_schema(a_field("one", {**SIDE, "default": "BUY"})), "needs UNKNOWN"),
        (a_schema(a_field("one", {**SIDE, "symbols": ["BUY", "UNKNOWN"]})), "needs UNKNOWN"),
        (a_schema(a_field("one", ["null", WITHOUT])), "needs UNKNOWN"),
        (a_schema(a_field("one", {"type": "array", "items": WITHOUT})), "needs UNKNOWN"),
        (a_schema(a_field("one", {"type": "array", "items": ["null", A_BOX]})), "one.side: enum Side needs UNKNOWN"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(tmp_path: Path, schema: Any, reason: str) -> None:
    """The message names the file and the rule."""
    path = put(tmp_path, schema)
    said = refused(tmp_path)
    assert str(path) in said
    assert any(part in said for part in reason.split("|")), said


@pytest.mark.parametrize("name", ["thing_seen.avsc", "ThingSeen.v1.avsc", "thing_seen.v0.avsc", "thing__seen.v1.avsc"])
def test_a_misnamed_file_is_refused(tmp_path: Path, name: str) -> None:
    """A file that no rule finds would be left out in silence."""
    put(tmp_path, a_schema(), name)
    assert "name it <event>.v<number>.avsc" in refused(tmp_path)


def test_a_file_in_another_place_is_refused(tmp_path: Path) -> None:
    """Neither above nor below the folder of a domain."""
    (tmp_path / "thing_seen.v1.avsc").write_text("{}")
    assert "belongs in schemas/<domain>/" in refused(tmp_path)


def test_versions_have_no_gaps(tmp_path: Path) -> None:
    """A version that is gone takes with it how to read what it wrote."""
    put(tmp_path, a_schema(), "thing_seen.v2.avsc")
    assert "version 1 is missing" in refused(tmp_path)


def change_type(kind: Any) -> Callable[[], Schema]:
    """Return a second version whose field has another type."""
    return lambda: a_schema(a_field("symbol"), a_field("side", kind))


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (lambda: a_schema(a_field("symbol")), "version 1 could not read what it writes: side has no default"),
        (
            lambda: a_schema(a_field("symbol"), a_field("side", SIDE), a_field("size", "long")),
            "cannot read what version 1 wrote: size has no default for records without it",
        ),
        (change_type("string"), "cannot be read as"),
        (change_type(["null", SIDE]), "version 1 could not read what it writes: side may be null"),
    ],
)
def test_versions_that_cannot_read_each_other_are_refused(
    tmp_path: Path, second: Callable[[], Schema], reason: str
) -> None:
    """Compatibility in both directions is found before a registry does."""
    put(tmp_path, a_schema(a_field("symbol"), a_field("side", SIDE)))
    put(tmp_path, second(), "thing_seen.v2.avsc")
    assert reason in refused(tmp_path)


def test_versions_are_compared_with_all_before_them(tmp_path: Path) -> None:
    """Two steps that each pass may not lead to where the first version is unreadable."""
    put(tmp_path, a_schema(a_field("symbol"), a_field("size", "long", default=0)))
    put(tmp_path, a_schema(a_field("symbol")), "thing_seen.v2.avsc")
    put(tmp_path, a_schema(a_field("symbol"), a_field("size", "string", default="")), "thing_seen.v3.avsc")
    assert "cannot read what version 1 wrote: size" in refused(tmp_path)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [("string", "", '""'), ("string", 'a "b"', "'a \"b\"'"), ("bytes", "\u00ff", 'b"\\xff"'), ("bytes", '"', "b'\"'")],
)
def test_defaults_are_written_as_the_formatter_has_them(kind: str, value: str, text: str) -> None:
    """Else generated code and formatted code would never be the same."""
    assert default({"type": kind, "default": value}, "x") == text


def test_versions_that_add_with_defaults_pass(tmp_path: Path) -> None:
    """A new field with a default is what a second version is for."""
    put(tmp_path, a_schema(a_field("symbol")))
    put(tmp_path, a_schema(a_field("symbol"), a_field("note", ["null", "string"], default=None)), "thing_seen.v2.avsc")
    check_versions(committed(tmp_path))


@pytest.mark.parametrize(
    "symbols", [["UNKNOWN", "BUY", "SELL", "NONE"], ["UNKNOWN", "BUY"], ["UNKNOWN", "SELL", "BUY"]]
)
def test_versions_whose_enums_gain_or_lose_symbols_pass(tmp_path: Path, symbols: list[str]) -> None:
    """What a reader does not know is UNKNOWN to it, in both directions."""
    put(tmp_path, a_schema(a_field("symbol"), a_field("side", SIDE)))
    put(tmp_path, a_schema(a_field("symbol"), a_field("side", {**SIDE, "symbols": symbols})), "thing_seen.v2.avsc")
    check_versions(committed(tmp_path))


def test_check_writes_nothing_and_generate_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A domain without models is out of date until it is generated, and then it is not."""
    defaults = [
        a_field("price", DECIMAL, default="\u0001\u0000"),
        a_field("size", "double", default=1),
        a_field("raw", "bytes", default="\u00ff"),
        a_field("side", SIDE, default="SELL"),
        a_field("codes", {"type": "array", "items": "string"}, default=[]),
        a_field("closing", "boolean", default=False),
        a_field("note", ["null", "string"], default=None),
    ]
    put(tmp_path, a_schema(a_field("symbol"), *defaults))
    target = tmp_path / "kite" / "__init__.py"
    assert main(["--check"], tmp_path) == 1
    assert "out of date, run `./dev generate`" in capsys.readouterr().err
    assert not target.exists()
    assert main([], tmp_path) == 0
    first = target.read_text("utf-8")
    assert main(["--check"], tmp_path) == 0
    assert main([], tmp_path) == 0
    assert target.read_text("utf-8") == first
    thing = runpy.run_path(str(target))["ThingSeen"](symbol="A")
    assert thing.to_dict() == {
        "symbol": "A",
        "price": Decimal("0.0000000256"),
        "size": 1.0,
        "raw": b"\xff",
        "side": "SELL",
        "codes": [],
        "closing": False,
        "note": None,
    }


def test_a_broken_schema_fails_the_check_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends with the reason, not with a traceback."""
    path = put(tmp_path, a_schema(doc=""))
    assert main(["--check"], tmp_path) == 1
    assert str(path) in capsys.readouterr().err
    assert ROOT not in path.parents
