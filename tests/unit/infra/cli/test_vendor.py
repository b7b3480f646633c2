"""The browser's libraries are those that npm published, and nothing else lies beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tradewind.infra.cli.checkout.vendor import FOLDER, LOCK, flaws

WHOLE = json.loads(LOCK.read_text("utf-8"))


def test_the_checkout_holds_what_the_lock_names() -> None:
    """With a licence for each package."""
    assert list(flaws(WHOLE, FOLDER)) == []
    assert all(package["integrity"].startswith("sha512-") for package in WHOLE.values())


def test_a_changed_a_missing_and_a_foreign_file_are_found(tmp_path: Path) -> None:
    """Each is named with what to do."""
    folder = tmp_path / "vendor"
    shutil.copytree(FOLDER, folder)
    (folder / "htm.js").write_text("changed")
    (folder / "preact.js").unlink()
    (folder / "jquery.js").write_text("")
    found = " ".join(flaws(WHOLE, folder))
    assert all(words in found for words in ("htm.js is not what htm", "preact.js is missing", "jquery.js is not named"))


def test_a_package_without_a_licence_is_found() -> None:
    """Its terms say that it must be there."""
    lock = {"htm": {**WHOLE["htm"], "files": {"dist/htm.mjs": "htm.js"}}}
    assert "htm: vendor.lock names no licence" in list(flaws(lock, FOLDER))
