"""Runs servers in containers, by testcontainers: on the host's network, each removed by its id.

Whoever has no engine, or not an image, has the tests skipped that need it, with what is missing.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from containing.servers import SERVERS, free_port

IMAGES = {"influxdb": "influxdb:2", "postgres": "postgres", "kafka": "apache/kafka", "valkey": "valkey/valkey"}
"""Service -> image; `TRADEWIND_TEST_IMAGE_<SERVICE>` names another one."""
UP_S = 120.0
PULL_S = 120
POLL_S = 0.2
SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class Contained:
    """A server that runs in a container."""

    port: int
    secret: str
    """Its password or token."""
    container: Any


def image_of(service: str) -> str:
    """Return the image of a service."""
    return os.environ.get(f"TRADEWIND_TEST_IMAGE_{service.upper()}", IMAGES[service])


def engine() -> Any:
    """Return the container engine's client; skips the test where none answers."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its reaper is an image more
    import docker  # noqa: PLC0415 - takes 0.3 s, and the default run needs none of it
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        client = docker.from_env(timeout=PULL_S)
        client.ping()
    except DockerException as error:
        pytest.skip(f"no container engine answers ({str(error)[:100]}): start one, or set DOCKER_HOST")
    return client


def require_image(client: Any, service: str) -> str:
    """Return the image of a service, pulled where it is missing; skips the test where it cannot be had."""
    from docker.errors import DockerException, ImageNotFound  # noqa: PLC0415

    image = image_of(service)
    try:
        client.images.get(image)
    except ImageNotFound:
        try:
            client.images.pull(*image.split(":")[:1], tag=(image.split(":")[1:] or ["latest"])[0])
        except DockerException as error:
            pytest.skip(
                f"{service}: image {image} is not here and cannot be pulled ({str(error)[:80]}); "
                f"TRADEWIND_TEST_IMAGE_{service.upper()} names another"
            )
    return image


@contextmanager
def running(client: Any, service: str) -> Iterator[Contained]:
    """Run a service until the block ends, from when it answers."""
    image = require_image(client, service)
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    port, secret = free_port(), secrets.token_hex(16)
    environment, command, probe = SERVERS[service](port, secret)
    container = DockerContainer(image, command=list(command) or None, env=dict(environment))
    container.with_kwargs(network_mode="host")
    container.start()
    try:
        wait(container, service, probe)
        yield Contained(port, secret, container)
    finally:
        container.get_wrapped_container().remove(force=True, v=True)


def wait(container: Any, service: str, probe: Callable[[], object]) -> None:
    """Wait until `probe` raises nothing; fails with the container's log where it ends before."""
    deadline = time.monotonic() + UP_S
    while True:
        try:
            probe()
        except Exception as error:
            wrapped = container.get_wrapped_container()
            wrapped.reload()
            if wrapped.status == "exited" or time.monotonic() > deadline:
                said = wrapped.logs().decode("utf-8", "replace")[-SHOWN:]
                raise AssertionError(f"{service} in {wrapped.image} is not up: {error!r}\n{said}") from error
            time.sleep(POLL_S)
        else:
            return
