"""The Java files of the embedded services: fetched by jgo, held to our own SHA-256 lock, cached for every checkout.

jgo only warns where a checksum is wrong, and takes a truncated file in its cache for a good one. So files are fetched
into a staging folder, compared with `java.lock.json`, and renamed into the cache; each start compares what is there.

    python -m tradewind.infra.services.java.artifacts --lock    # resolve again, and rewrite the lock
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tradewind.infra.services.service import ArtifactCorrupt, ArtifactUnavailable

LOCK = Path(__file__).with_name("java.lock.json")
ROOTS = {
    "kafka": (
        ("org.apache.kafka", "kafka_2.13", "4.3.1", "jar", ""),
        ("org.slf4j", "slf4j-simple", "1.7.36", "jar", ""),
    ),
    "questdb": (("org.questdb", "questdb", "9.3.4", "jar", ""),),
    "registry": (("io.apicurio", "apicurio-registry-app", "3.3.3", "tar.gz", "all"),),
}
"""What is asked for: group, artifact, version, packaging, classifier; the first of each names the service's version.
Kafka 4.4.0 does not resolve: one of its jars was not published."""
STANDALONE = frozenset({"questdb", "registry"})
"""These carry what they need: their POMs are not followed."""
THREADS = 8
"""Files fetched at once: 48 files took 8 s with 8 threads, and hardly less with more."""
ATTEMPTS = 2
"""A file that differs is fetched once more, against damage on the way; a second time it is somebody's doing."""
HTTP_TIMEOUT_S = 30
FETCH_WAIT_S = 900
"""How long to wait for another process that is fetching: 233 MB take this long at 260 kB/s."""
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Artifact:
    """One locked file of a Maven repository."""

    group: str
    artifact: str
    version: str
    packaging: str
    classifier: str
    bytes: int
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file, as the repository has it."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.packaging}"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of one service."""

    version: str
    files: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """How far a fetch has come; bytes are those of whole files and of files under way."""

    files: int
    files_total: int
    bytes: int
    bytes_total: int


Progress = Callable[[Fetched], None]


def cache() -> Path:
    """Return the folder that holds fetched files: `TRADEWIND_CACHE`, or `tradewind` in the user's cache folder."""
    if own := os.environ.get("TRADEWIND_CACHE"):
        return Path(own).absolute()
    if (xdg := os.environ.get("XDG_CACHE_HOME")) and Path(xdg).is_absolute():
        return Path(xdg) / "tradewind"
    try:
        return Path.home() / ".cache" / "tradewind"
    except RuntimeError as error:
        raise ArtifactUnavailable("this user has no home folder: set TRADEWIND_CACHE to a writable folder") from error


def locked(lock: Path = LOCK) -> dict[str, Bundle]:
    """Return the locked files by service."""
    return {
        name: Bundle(bundle["version"], tuple(Artifact(**file) for file in bundle["files"]))
        for name, bundle in json.loads(lock.read_text()).items()
    }


def ensure(names: Iterable[str], progress: Progress | None = None, lock: Path = LOCK) -> dict[str, tuple[Path, ...]]:
    """Return the files of these services, each equal to the lock; fetches what is missing or damaged.

    Raises `ArtifactUnavailable` where a file cannot be fetched, `ArtifactCorrupt` where it differs twice.
    """
    bundles = {name: locked(lock)[name] for name in names}
    folder = cache() / "java"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactUnavailable(
            f"cannot write to {folder} ({error}): set TRADEWIND_CACHE to a writable folder"
        ) from error
    wanted = [file for bundle in bundles.values() for file in bundle.files]
    if missing := _differing(folder, wanted):
        with _only_fetcher(folder):
            # Another process may have fetched them while this one waited.
            _fetch(folder, _differing(folder, missing), progress)
    return {name: tuple(folder / file.file for file in bundle.files) for name, bundle in bundles.items()}


def _differing(folder: Path, files: list[Artifact]) -> list[Artifact]:
    with ThreadPoolExecutor(THREADS) as pool:
        good = pool.map(lambda file: _digest(folder / file.file, file.bytes) == file.sha256, files)
        return [file for file, same in zip(files, good, strict=True) if not same]


def _digest(path: Path, size: int | None = None) -> str:
    """Return a file's SHA-256, or its lack of one in words where it is absent or of another size."""
    try:
        found = path.stat().st_size
        if size is not None and found != size:
            return f"{found} bytes instead of {size}"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "no file"


@contextlib.contextmanager
def _only_fetcher(folder: Path) -> Iterator[None]:
    """Let one process at a time fetch; the kernel frees the lock of a process that was killed."""
    with (folder / ".lock").open("w") as file:
        deadline = time.monotonic() + FETCH_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ArtifactUnavailable(
                        f"another process has been fetching into {folder} for {FETCH_WAIT_S} s: end it, and start again"
                    ) from None
                time.sleep(0.1)
        yield


class _Meter:
    """Adds up what the threads have fetched, and tells."""

    def __init__(self, files: list[Artifact], progress: Progress | None) -> None:
        self._progress, self._guard = progress, threading.Lock()
        self._total, self._bytes_total = len(files), sum(file.bytes for file in files)
        self._files = self._bytes = 0

    def add(self, size: int, files: int = 0) -> None:
        with self._guard:
            self._bytes += size
            self._files += files
            if self._progress is not None:
                self._progress(Fetched(self._files, self._total, self._bytes, self._bytes_total))

    def part(self) -> _Part:
        return _Part(self)


class _Part:
    """What one file adds to the meter, taken back where it has to be fetched again."""

    def __init__(self, meter: _Meter) -> None:
        self._meter, self._bytes = meter, 0

    @contextlib.contextmanager
    def reading(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield self._read

    def _read(self, size: int) -> None:
        self._bytes += size
        self._meter.add(size)

    def again(self) -> None:
        self._meter.add(-self._bytes)
        self._bytes = 0

    def whole(self, size: int) -> None:
        self._meter.add(size - self._bytes, files=1)


def _fetch(folder: Path, files: list[Artifact], progress: Progress | None) -> None:
    for stale in folder.glob("staging-*"):  # of a process that was killed: this one holds the lock
        shutil.rmtree(stale)
    if not files:
        return
    meter = _Meter(files, progress)
    with tempfile.TemporaryDirectory(prefix="staging-", dir=folder) as staging, ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(_fetch_one, folder, Path(staging), file, meter) for file in files]:
            done.result()


def _fetch_one(folder: Path, staging: Path, file: Artifact, meter: _Meter) -> None:
    seen = meter.part()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            # A folder for each attempt: jgo takes what a broken one left for the whole file.
            path = _download(staging / f"{file.file}.{attempt}", file, seen)
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors, jgo's are plain
            if attempt == ATTEMPTS:
                raise _unavailable(folder, file, error) from error
        else:
            if (got := _digest(path)) == file.sha256:
                path.replace(folder / file.file)
                seen.whole(file.bytes)
                return
            if attempt == ATTEMPTS:
                raise ArtifactCorrupt(
                    f"{file.file} was fetched {ATTEMPTS} times and is not the file that was locked: expected SHA-256 "
                    f"{file.sha256}, got {got}. Nothing of it was kept. Check the network's proxy or mirror; if the "
                    "file was replaced on purpose, run "
                    "`python -m tradewind.infra.services.java.artifacts --lock`, and review the change"
                )
        seen.again()


def _download(staging: Path, file: Artifact, seen: _Part) -> Path:
    # jgo takes 0.2 s to import, which a start from a full cache need not pay.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    context = MavenContext(
        repo_cache=staging,
        resolver=PythonResolver(progress_callback=seen.reading),
        remote_repos=_mirror(),
        timeout=HTTP_TIMEOUT_S,
    )
    component = context.project(file.group, file.artifact).at_version(file.version)
    return Path(component.artifact(file.classifier, file.packaging).resolve())


def _unavailable(folder: Path, file: Artifact, error: Exception) -> ArtifactUnavailable:
    return ArtifactUnavailable(
        f"{file.file} ({file.bytes / 1e6:.1f} MB) is not in {folder} and could not be fetched: {type(error).__name__}. "
        f"The first start needs the network once: connect it (HTTPS_PROXY and TRADEWIND_MAVEN_MIRROR are respected), "
        f"or copy {folder} from a machine that has it. Afterwards everything works offline"
    )


def _mirror() -> dict[str, str] | None:
    """Return the repository that `TRADEWIND_MAVEN_MIRROR` names, such as a company's; None for the public one."""
    url = os.environ.get("TRADEWIND_MAVEN_MIRROR")
    return None if url is None else {"mirror": url.rstrip("/")}


def resolve() -> dict[str, Bundle]:
    """Resolve what `ROOTS` asks for from the repository, fetch all of it, and return the bundles with their hashes."""
    from jgo.maven import Dependency, MavenContext  # noqa: PLC0415

    bundles = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(THREADS) as pool:
        context = MavenContext(repo_cache=Path(folder), remote_repos=_mirror(), timeout=HTTP_TIMEOUT_S)
        for name, roots in ROOTS.items():
            asked = [
                Dependency(context.project(group, artifact).at_version(version).artifact(classifier, packaging))
                for group, artifact, version, packaging, classifier in roots
            ]
            further = [] if name in STANDALONE else context.resolver.resolve(asked)[1]
            artifacts = [dependency.artifact for dependency in (*asked, *further)]
            paths = [Path(path) for path in pool.map(lambda artifact: artifact.resolve(), artifacts)]
            files = [
                Artifact(
                    group=artifact.groupId,
                    artifact=artifact.artifactId,
                    version=artifact.version,
                    packaging=artifact.packaging,
                    classifier=artifact.classifier,
                    bytes=path.stat().st_size,
                    sha256=_digest(path),
                )
                for artifact, path in zip(artifacts, paths, strict=True)
            ]
            # The main jar first on the class path, the rest in an order that a review can follow.
            bundles[name] = Bundle(files[0].version, (files[0], *sorted(files[1:], key=lambda file: file.file)))
    return bundles


def _written(bundles: dict[str, Bundle]) -> str:
    """Return the lock as JSON with a file a line, so that a change of versions can be read."""
    parts = []
    for name, bundle in bundles.items():
        files = ",\n".join(f"  {json.dumps(asdict(file))}" for file in bundle.files)
        parts.append(f'"{name}": {{"version": "{bundle.version}", "files": [\n{files}\n]}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> int:
    """Rewrite the lock (`--lock`), or fill the cache, which is what a start does first."""
    parser = argparse.ArgumentParser(description="Fetch the Java files of the embedded services, or lock them again.")
    parser.add_argument("--lock", action="store_true", help=f"resolve again and rewrite {LOCK.name}")
    if parser.parse_args().lock:
        LOCK.write_text(_written(resolve()))
    paths = ensure(ROOTS)
    print(f"{sum(map(len, paths.values()))} files in {cache() / 'java'} equal {LOCK.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
