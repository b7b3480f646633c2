"""What came of a command for a tenant or a deployment, as the commands print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tradewind.schemas.event import Event

LEFT_OUT = {"event_id", "correlation_id", "causation_id", "ts_ingest", "at"}


def shown(event: Event) -> dict[str, Any]:
    """Return a tenant or a deployment as JSON, without what only agents need."""
    from tradewind.connectors.kafka.json_events import event_to_json  # noqa: PLC0415 - help comes at once

    return {name: value for name, value in event_to_json(event).items() if name not in LEFT_OUT}


def refused(name: str, reasons: Sequence[Mapping[str, str]]) -> click.ClickException:
    """Return the error that has every reason of a refusal."""
    told = "\n".join(f"  {of['code']} {of['key']}: {of['text']}".replace(" :", ":") for of in reasons)
    return click.ClickException(f"{name} was not changed:\n{told}")
