"""What is built from the checkout holds all that runs, and lives beside folders of the same names."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tradewind.infra.cli.checkout.tools import ROOT

FOLDERS = ("schemas", "topics", "processors", "connectors", "streams", "infra")
DATA = (".avsc", ".sql", ".lock.json")
"""Files that are read at run time, beside the modules."""
OFFLINE = {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}


def tracked() -> list[str]:
    """Return the files of the checkout that run: those that git knows, or will."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *FOLDERS],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def run(arguments: Sequence[str | Path], cwd: Path) -> str:
    """Run a program outside the checkout's path; return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "TRADEWIND_DATA"}}
    done = subprocess.run(
        arguments, cwd=cwd, env={**environment, **OFFLINE}, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder], ROOT)
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the unpacked source distribution, as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)  # our own archive; Python 3.11.2 knows no filters
    source = next(folder.iterdir())
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "out"], source)
    return next((folder / "out").glob("*.whl"))


def test_the_wheel_holds_every_module_and_every_file_that_is_read(wheel: Path) -> None:
    """Once each, under `tradewind`, and nothing of tests and benches."""
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    wanted = {
        f"tradewind/{name}"
        for name in tracked()
        if name.endswith((".py", *DATA)) and not name.startswith("infra/bench/")
    }
    assert {"tradewind/schemas/market/tick.v1.avsc", "tradewind/infra/services/java/java.lock.json"} <= wanted
    assert wanted - set(names) == set()
    assert not [name for name in names if name.startswith("tradewind/infra/bench/")], "benches need a checkout"
    assert {name.split("/")[0] for name in names} == {"tradewind", Path(wheel).name.split("-py3")[0] + ".dist-info"}
    assert not [name for name in names if "__pycache__" in name]


def test_the_source_distribution_can_be_worked_with(sdist: Path) -> None:
    """It holds the folders, the licence, the tests and the pinned packages."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(tracked()) - names == set()
    assert {"LICENSE", "README.md", "dev", "requirements.lock", "pyproject.toml", "tests/conftest.py"} <= names


def test_it_imports_beside_folders_of_the_same_names(wheel: Path, tmp_path: Path) -> None:
    """Installed without its checkout, in an environment of its own, in a folder that has a `schemas` and a `topics`."""
    environment = tmp_path / "environment"
    uv = Path(sys.executable).parent / "uv"
    run([uv, "venv", "--quiet", "--python", sys.executable, environment], tmp_path)
    python = environment / "bin" / "python"
    run([uv, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel], tmp_path)
    site = next(environment.glob("lib/python*/site-packages"))
    packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    for (
        package
    ) in packages.iterdir():  # its dependencies, as they are installed here; no .pth, which names the checkout
        if package.suffix != ".pth" and package.name != "tradewind" and not (site / package.name).exists():
            (site / package.name).symlink_to(package)
    project = tmp_path / "project"
    for folder in FOLDERS:
        (project / folder).mkdir(parents=True)
        (project / folder / "__init__.py").write_text("raise SystemExit('the project\\'s own')\n")
    where = run(
        [
            python,
            "-c",
            "import tradewind, tradewind.schemas.market as m; from tradewind import Tick; print(m.__file__)",
        ],
        project,
    )
    assert where.startswith(str(site))
    assert "Commands" in run([environment / "bin" / "tradewind", "--help"], project)
    benches = subprocess.run(
        [environment / "bin" / "tradewind", "bench"], cwd=project, capture_output=True, text=True, check=False
    )
    assert benches.returncode == 1
    assert "run this from a checkout" in benches.stderr
