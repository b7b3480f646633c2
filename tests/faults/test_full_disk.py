"""A disk that another program fills in one instant while everything runs, and that is freed: nothing is lost."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from harness.distribution import own_services
from processes.instance import FLOW_S, UP_S, Instance, wait

from tradewind import Decision, Settings, consume
from tradewind.topics import BARS, DECISIONS, KILL_SWITCHES, ORDER_REQUESTS, SIGNALS

pytestmark = [own_services, pytest.mark.timeout(900)]
IMAGE_BYTES = 1_200_000_000
"""The stack takes some 800 MB, of which QuestDB allocates most in advance."""
KEPT = (BARS, SIGNALS, ORDER_REQUESTS, DECISIONS, KILL_SWITCHES)
FILLER = "filler-"
"""There are many: QuestDB gives back 16 MB of each column that it had allocated, and with 32 MB no disk is full."""
RATE = "100"
"""Ticks a second: the full disk, and not the load, is what stops it."""
READ_S = 1.0
"""Between two looks at the decisions, each of which reads the whole topic."""
LEFT_BYTES = 65_536
"""The filler's own block map needs some."""


@pytest.fixture
def disk(new_data: Callable[[], Path]) -> Iterator[Path]:
    """Give a small disk of its own: an image with ext4, mounted by loop."""
    place = new_data()
    image, mounted = place / "image", place / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    mounted.chmod(0o711)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def fill(disk: Path) -> None:
    """Take all that is free, at once."""
    found = os.statvfs(disk)
    if (taken := found.f_bavail * found.f_frsize - LEFT_BYTES) > 0:
        with tempfile.NamedTemporaryFile(prefix=FILLER, dir=disk, delete=False) as filler, suppress(OSError):
            os.posix_fallocate(filler.fileno(), 0, taken)  # a service may have taken it meanwhile


def ids(settings: Settings) -> dict[str, set[str]]:
    """Return the ids of the events that each topic holds; heartbeats have none."""
    held = {topic.name: [record.event.to_dict() for record in consume(topic.name, settings=settings)] for topic in KEPT}
    return {name: {event["event_id"] for event in events if "event_id" in event} for name, events in held.items()}


def decided(settings: Settings) -> list[Decision]:
    """Return the decisions on beta's requests, in no order."""
    found = (record.event for record in consume(DECISIONS.name, settings=settings, tenant="beta"))
    return [event for event in found if isinstance(event, Decision)]


def test_a_disk_that_is_filled_and_freed_loses_no_record_and_no_halt(disk: Path) -> None:
    """`up` stops by itself and says what to do; the next one refuses the full disk, and then goes on."""
    data = disk / "data"
    data.mkdir()
    instance = Instance(data)
    try:
        process = instance.up("--rate", RATE)
        wait(lambda: decided(Settings(data=data, _env_file=None)), FLOW_S, instance.out, READ_S)
        assert instance.run("halt", "beta", "--reason", "must hold").returncode == 0
        before = ids(Settings(data=data, _env_file=None))

        def ended() -> bool:
            fill(disk)
            return process.poll() is not None

        wait(ended, FLOW_S, instance.out)
        assert process.returncode == 1
        assert instance.pids() == {}
        assert "MB are free on the disk of" in instance.out()
        fill(disk)
        refused = instance.run("up", "--base-port", str(instance.base), "--detach")
        assert refused.returncode == 1
        assert "nothing is started" in refused.stderr
        assert instance.run("doctor", "--base-port", str(instance.base)).returncode == 1
        for filler in disk.glob(f"{FILLER}*"):
            filler.unlink()
        instance.up("--rate", RATE)
        settings = Settings(data=data, _env_file=None)
        after = ids(settings)
        assert {name: held - after[name] for name, held in before.items()} == {name: set() for name in before}
        known = after[DECISIONS.name]
        new: list[Decision] = []
        wait(
            lambda: new.extend(one for one in decided(settings) if one.event_id not in known) or new,
            FLOW_S,
            poll_s=READ_S,
        )
        assert all("KILL_SWITCH" in each.codes for each in new), "beta traded though it was halted"
        assert not list((data / "kafka" / "1" / "data").glob("*-stray"))
    finally:
        instance.run("down", timeout_s=UP_S)
