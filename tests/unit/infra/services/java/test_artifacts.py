"""The Java files: fetched from a real HTTP server, and never taken unless they equal the lock."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tradewind.infra.services.java import artifacts
from tradewind.infra.services.java.artifacts import Artifact, Fetched
from tradewind.infra.services.service import ArtifactCorrupt, ArtifactUnavailable

CONTENT = {"first": b"one" * 50_000, "second": b"two" * 1_000, "third": b"three" * 10}


class Repository:
    """A Maven repository on loopback, which counts what is asked of it and can be made to lie."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, Counter[str]()
        self.files = tuple(
            Artifact("org.example", name, "1.0", "jar", "", len(content), hashlib.sha256(content).hexdigest())
            for name, content in CONTENT.items()
        )
        self.lock = folder / "lock.json"
        self.lock.write_text(json.dumps({"demo": {"version": "1.0", "files": [asdict(file) for file in self.files]}}))
        for name, content in CONTENT.items():
            self.put(name, content)

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805
                self.asked[handler.path.rpartition("/")[2]] += 1
                super().do_GET()

            def log_message(handler, *_: object) -> None:  # noqa: N805
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, name: str, content: bytes) -> None:
        path = self.folder / "org" / "example" / name / "1.0" / f"{name}-1.0.jar"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Serve a repository, and point the fetch at it and at an empty cache."""
    folder = tmp_path / "repository"
    folder.mkdir()
    found = Repository(folder)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TRADEWIND_MAVEN_MIRROR", f"http://127.0.0.1:{found.server.server_port}/")
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path / "cache"))
    yield found
    found.close()


def ensure(repository: Repository) -> tuple[Path, ...]:
    """Ensure the demonstration's files."""
    return artifacts.ensure(["demo"], lock=repository.lock)["demo"]


def test_fetches_every_file_once(repository: Repository) -> None:
    """Files arrive whole, in the lock's order, and are not fetched again."""
    for _ in range(2):
        assert [path.read_bytes() for path in ensure(repository)] == list(CONTENT.values())
    assert {name: n for name, n in repository.asked.items() if name.endswith(".jar")} == {
        f"{name}-1.0.jar": 1 for name in CONTENT
    }


def test_works_without_network_once_cached(repository: Repository) -> None:
    """A full cache needs no server."""
    ensure(repository)
    repository.close()
    assert len(ensure(repository)) == len(CONTENT)


def test_progress_ends_at_the_totals(repository: Repository) -> None:
    """Progress never falls where nothing went wrong, and ends with all files and bytes."""
    seen: list[Fetched] = []
    artifacts.ensure(["demo"], seen.append, lock=repository.lock)
    total = sum(map(len, CONTENT.values()))
    assert seen[-1] == Fetched(len(CONTENT), len(CONTENT), total, total)
    assert [one.bytes for one in seen] == sorted(one.bytes for one in seen)


@pytest.mark.parametrize("damage", [b"", b"one", b"x" * 150_000], ids=["empty", "truncated", "altered"])
def test_a_damaged_file_heals(repository: Repository, damage: bytes) -> None:
    """A cached file that differs from the lock is replaced, whatever is wrong with it."""
    path = ensure(repository)[0]
    path.write_bytes(damage)
    assert ensure(repository)[0].read_bytes() == CONTENT["first"]


def test_a_replaced_file_is_refused(repository: Repository, tmp_path: Path) -> None:
    """A repository that serves another file is asked twice; the error names file and hashes, and nothing is kept."""
    repository.put("second", b"evil")
    with pytest.raises(ArtifactCorrupt) as caught:
        ensure(repository)
    expected = hashlib.sha256(CONTENT["second"]).hexdigest()
    for part in ("second-1.0.jar", expected, hashlib.sha256(b"evil").hexdigest(), "--lock"):
        assert part in str(caught.value)
    assert repository.asked["second-1.0.jar"] == artifacts.ATTEMPTS
    assert not (tmp_path / "cache" / "java" / "second-1.0.jar").exists()


def test_without_network_the_error_says_what_to_do(repository: Repository) -> None:
    """The first start without network says what is missing and how to get it."""
    repository.close()
    with pytest.raises(ArtifactUnavailable, match=r"(?s)first-1\.0\.jar.*needs the network once.*HTTPS_PROXY.*copy"):
        ensure(repository)


def test_what_a_killed_fetch_left_is_cleared(repository: Repository, tmp_path: Path) -> None:
    """A staging folder of a process that was killed goes with the next fetch."""
    stale = tmp_path / "cache" / "java" / "staging-old" / "half.jar"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"half")
    ensure(repository)
    assert not list((tmp_path / "cache" / "java").glob("staging-*"))


def test_two_processes_at_once_fetch_each_file_once(repository: Repository) -> None:
    """The second process waits, and finds what the first has fetched."""
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=artifacts.ensure, args=(["demo"], None, repository.lock)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert max(n for name, n in repository.asked.items() if name.endswith(".jar")) == 1


def test_an_unwritable_cache_is_said(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that cannot be made is an error that names the folder and the variable."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("TRADEWIND_CACHE", str(blocked / "cache"))
    with pytest.raises(ArtifactUnavailable, match="TRADEWIND_CACHE"):
        ensure(repository)


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The own variable comes first, then the system's (which has to be absolute), then the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TRADEWIND_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert artifacts.cache() == tmp_path / ".cache" / "tradewind"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert artifacts.cache() == tmp_path / "xdg" / "tradewind"
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path / "own"))
    assert artifacts.cache() == tmp_path / "own"


def test_the_committed_lock_covers_what_is_asked_for() -> None:
    """Each service's root files are locked at the version asked for, with hashes and sizes."""
    locked = artifacts.locked()
    assert set(locked) == set(artifacts.ROOTS)
    for name, roots in artifacts.ROOTS.items():
        have = {
            (file.group, file.artifact, file.version, file.packaging, file.classifier) for file in locked[name].files
        }
        assert set(roots) <= have
        assert locked[name].version == roots[0][2]
        assert all(len(file.sha256) == 64 and file.bytes > 0 for file in locked[name].files)
