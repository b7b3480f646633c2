"""Where a data folder's services listen, with their passwords: `endpoints.json`, read by every process's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradewind.connectors.settings import ENDPOINTS, Settings
from tradewind.infra.services.embedded import services
from tradewind.infra.services.passwords import write_private

Endpoints = dict[str, dict[str, Any]]
"""Parts of `Settings` by name, such as kafka."""


def publish(data: Path, endpoints: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the endpoints, for their owner alone, at once."""
    write_private(data / ENDPOINTS, json.dumps(endpoints, indent=1) + "\n")


def published(data: Path) -> Endpoints:
    """Return the endpoints of the services that run, or of those that were killed; none after a clean stop."""
    try:
        found: Endpoints = json.loads((data / ENDPOINTS).read_text())
    except FileNotFoundError:
        return {}
    return found


def withdraw(data: Path) -> None:
    """Remove the endpoints: nothing listens there any more."""
    (data / ENDPOINTS).unlink(missing_ok=True)


def external(settings: Settings, data: Path) -> frozenset[str]:
    """Return the parts of the settings that name a service of somebody else's.

    What an embedded service published itself, before a crash perhaps, is in the settings as well, and is not external.
    """
    own = published(data)
    return frozenset(
        service.part
        for service in services().values()
        if (url := service.at(settings)) is not None and url != own.get(service.part, {}).get(service.address)
    )
