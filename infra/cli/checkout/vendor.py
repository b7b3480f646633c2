"""`./dev vendor`: the browser's libraries, which lie in the checkout as npm published them."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from tradewind.infra.cli.checkout.tools import ROOT

FOLDER = ROOT / "connectors" / "dashboard" / "vendor"
LOCK = FOLDER / "vendor.lock"
NPM_S = 120


@click.command()
@click.option("--check", is_flag=True, help="Only compare the files with vendor.lock. Needs no network.")
def vendor(*, check: bool) -> None:
    """Fetch the browser's libraries again by npm, or check that they are what npm published.

    vendor.lock names each package with its version and npm's sha512, and each of its files with one of its own. To
    take another version, change it there, run this command, and correct the sums that it names.
    """
    lock = json.loads(LOCK.read_text("utf-8"))
    if not check:
        for name, package in lock.items():
            _fetch(name, package)
    wrong = list(flaws(lock, FOLDER))
    if wrong:
        raise click.ClickException("; ".join(wrong))
    click.echo(f"{len(lock)} packages are as npm published them")


def flaws(lock: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files of a folder: changed, missing, or not named in the lock."""
    known = {LOCK.name}
    for name, package in lock.items():
        if not any(target.endswith(".LICENSE") for target in package["files"].values()):
            yield f"{name}: vendor.lock names no licence"
        for source, target in package["files"].items():
            known.add(target)
            path = folder / target
            if not path.is_file():
                yield f"{target} is missing: run ./dev vendor"
            elif (found := integrity(path.read_bytes())) != package["sha512"][source]:
                yield f"{target} is not what {name} {package['version']} has as {source}: its sum is {found}"
    for path in sorted(folder.iterdir()):
        if path.name not in known:
            yield f"{path.name} is not named in vendor.lock: name it there, or remove it"


def integrity(data: bytes) -> str:
    """Return a sum as npm writes it."""
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"


def _fetch(name: str, package: Mapping[str, Any]) -> None:
    """Fetch a package, check it against the lock, and lay its files into the folder."""
    with tempfile.TemporaryDirectory() as place:
        command = ["npm", "pack", "--silent", f"{name}@{package['version']}", "--pack-destination", place]
        try:
            subprocess.run(command, check=True, timeout=NPM_S, cwd=place)
        except (OSError, subprocess.SubprocessError) as error:
            raise click.ClickException(
                f"{name}: npm could not fetch it: {error}. Install npm, or use --check"
            ) from error
        (archive,) = Path(place).glob("*.tgz")
        if (found := integrity(archive.read_bytes())) != package["integrity"]:
            raise click.ClickException(f"{name} {package['version']}: npm gave {found}, not {package['integrity']}")
        with tarfile.open(archive) as packed:
            for source, target in package["files"].items():
                member = packed.extractfile(f"package/{source}")
                if member is None:
                    raise click.ClickException(f"{name} {package['version']} has no file {source}")
                (FOLDER / target).write_bytes(member.read())
