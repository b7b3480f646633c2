"""One gateway for all tests of this folder that only ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gateway.serving import Served, served


@pytest.fixture(scope="package")
def gateway() -> Iterator[Served]:
    """Serve one."""
    with served() as found:
        yield found


@pytest.fixture(scope="package")
def hurried() -> Iterator[Served]:
    """Serve one that has little patience."""
    with served(hurried=True) as found:
        yield found
