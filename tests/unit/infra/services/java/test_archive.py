"""Unpacking: once, whole, and again after damage."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tradewind.infra.services.java.archive import unpacked


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Give a small tar.gz."""
    path = tmp_path / "app-1.0-all.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("run.jar", "lib/a.jar"):
            content = name.encode() * 100
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_unpacks_beside_the_archive_once(archive: Path) -> None:
    """The second call finds the first one's files."""
    folder = unpacked(archive)
    assert (folder / "lib" / "a.jar").read_bytes() == b"lib/a.jar" * 100
    before = (folder / "run.jar").stat().st_ino
    assert (unpacked(archive) / "run.jar").stat().st_ino == before
    assert {path.name for path in archive.parent.iterdir()} == {archive.name, folder.name}


@pytest.mark.parametrize("damage", ["removed", "cut", "no manifest"])
def test_a_damaged_folder_is_unpacked_again(archive: Path, damage: str) -> None:
    """A file that is missing or cut short, or a manifest that is, heals."""
    folder = unpacked(archive)
    if damage == "removed":
        (folder / "lib" / "a.jar").unlink()
    elif damage == "cut":
        (folder / "run.jar").write_bytes(b"run")
    else:
        (folder / "unpacked.json").unlink()
    assert (unpacked(archive) / "lib" / "a.jar").read_bytes() == b"lib/a.jar" * 100
    assert (folder / "run.jar").read_bytes() == b"run.jar" * 100


def test_a_path_outside_is_refused(tmp_path: Path) -> None:
    """An archive cannot write beside its folder."""
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../evil"), io.BytesIO())
    with pytest.raises(tarfile.TarError, match="evil"):
        unpacked(path)
    assert not (tmp_path / "evil").exists()


def test_unpacks_without_filters_and_refuses_what_leaves_the_folder(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older Python 3.11 has no filters: plain files are unpacked all the same, and a link or a way out is not."""
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    assert (unpacked(archive) / "run.jar").read_bytes() == b"run.jar" * 100
    bad = archive.with_name("bad-1.0-all.tar.gz")
    with tarfile.open(bad, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    with pytest.raises(tarfile.TarError, match="outside"):
        unpacked(bad)
    assert not (archive.parent / "outside").exists()
