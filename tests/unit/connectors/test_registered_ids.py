"""Ids that are kept are those of this registry and these schemas, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.connectors.registered_ids import forget_ids, keep_ids, kept_ids
from tradewind.connectors.settings import RegistrySettings

SCHEMAS = {"a.B": ("1", "2"), "a.C": ("3",)}
IDS = {"a.B": 7, "a.C": 9}


@pytest.fixture
def registry(tmp_path: Path) -> RegistrySettings:
    """Give a registry that has a file for its ids."""
    return RegistrySettings(url="http://here", ids_file=tmp_path / "ids.json")


def test_what_was_kept_is_found_until_it_is_forgotten(registry: RegistrySettings) -> None:
    """By any process, and no draft stays behind."""
    assert kept_ids(registry, SCHEMAS) is None
    keep_ids(registry, SCHEMAS, IDS)
    assert kept_ids(registry, SCHEMAS) == IDS
    assert registry.ids_file is not None
    assert list(registry.ids_file.parent.iterdir()) == [registry.ids_file]
    forget_ids(registry.ids_file)
    assert kept_ids(registry, SCHEMAS) is None


def test_other_schemas_or_another_registry_find_none(registry: RegistrySettings) -> None:
    """A changed file of a schema has to be registered, and another registry has other ids."""
    keep_ids(registry, SCHEMAS, IDS)
    assert kept_ids(registry, {**SCHEMAS, "a.B": ("1", "2", "4")}) is None
    assert kept_ids(registry.model_copy(update={"url": "http://there"}), SCHEMAS) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": "http://here", "schemas": "", "ids": 1}'])
def test_half_a_file_is_none(registry: RegistrySettings, text: str) -> None:
    """What a crash or a hand has left is asked for again."""
    assert registry.ids_file is not None
    registry.ids_file.write_text(text)
    assert kept_ids(registry, SCHEMAS) is None


def test_a_registry_without_a_file_keeps_nothing(tmp_path: Path) -> None:
    """As every external one; and a folder that is not there is no error."""
    keep_ids(RegistrySettings(url="http://here"), SCHEMAS, IDS)
    gone = RegistrySettings(url="http://here", ids_file=tmp_path / "gone" / "ids.json")
    keep_ids(gone, SCHEMAS, IDS)
    assert kept_ids(gone, SCHEMAS) is None
