"""Asks the registry which schema an id stands for."""

from __future__ import annotations

from tradewind.connectors.settings import Settings
from tradewind.infra.status.counter import SchemaOf

TIMEOUT_S = 5.0
NOT_FOUND = 404


def asking(settings: Settings) -> SchemaOf:
    """Return a function from a schema's id to its JSON, None where the registry knows no such id."""

    def schema_of(schema_id: int) -> str | None:
        import httpx  # noqa: PLC0415 - 0.1 s, and rarely needed: what was asked once is kept

        registry = settings.registry
        secret = "" if registry.password is None else registry.password.get_secret_value()
        answer = httpx.get(
            f"{registry.url}/schemas/ids/{schema_id}",
            auth=None if registry.user is None else (registry.user, secret),
            timeout=TIMEOUT_S,
        )
        if answer.status_code == NOT_FOUND:
            return None
        return str(answer.raise_for_status().json()["schema"])

    return schema_of
