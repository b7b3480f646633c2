"""Unpacks a cached archive once, and again where what was unpacked is no longer whole."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from pathlib import Path

MANIFEST = "unpacked.json"


def unpacked(archive: Path) -> Path:
    """Return the folder with the content of a tar.gz; it lies beside the archive and is shared like it.

    If a file is missing or has another size than when it was unpacked, the archive is unpacked again.
    """
    folder = archive.with_name(archive.name.removesuffix(".tar.gz"))
    if _whole(folder, archive):
        return folder
    with tempfile.TemporaryDirectory(prefix="unpacking-", dir=archive.parent) as draft_name:
        draft = Path(draft_name) / "content"
        with tarfile.open(archive) as tar:
            _extract(tar, draft)
        sizes = {str(path.relative_to(draft)): path.stat().st_size for path in draft.rglob("*") if path.is_file()}
        (draft / MANIFEST).write_text(json.dumps({"archive": archive.stat().st_size, "sizes": sizes}))
        try:
            draft.rename(folder)
        except OSError:  # there is a damaged one, or another process was faster
            if not _whole(folder, archive):
                shutil.rmtree(folder, ignore_errors=True)
                draft.rename(folder)
    return folder


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack plain files and folders that stay inside the folder; raises `tarfile.TarError` for anything else."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    # Python before 3.11.4, which Debian 12 has, knows no filters.
    root = folder.resolve()
    for member in tar.getmembers():
        inside = (root / member.name).resolve().is_relative_to(root)
        if not inside or not (member.isfile() or member.isdir()):
            raise tarfile.ExtractError(f"{member.name!r} is no plain file or folder inside the archive")
    tar.extractall(folder)  # noqa: S202 - every member was looked at


def _whole(folder: Path, archive: Path) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return bool(manifest["archive"] == archive.stat().st_size) and all(
            (folder / name).stat().st_size == size for name, size in manifest["sizes"].items()
        )
    except (FileNotFoundError, ValueError, KeyError, NotADirectoryError):
        return False
