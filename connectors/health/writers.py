"""Decodes what the counter reads. Schemas are asked for once and kept in the ledger, so that `status` asks nobody."""

from __future__ import annotations

from tradewind.connectors.health.ledger import Ledger
from tradewind.connectors.registry import SchemaRegistry
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec


def decoder(settings: Settings, ledger: Ledger) -> Codec:
    """Return a codec that decodes; it raises `RegistryError` where it needs a registry that does not answer."""
    known = ledger.writers()

    def resolve(schema_id: int) -> str:
        if schema_id in known:
            return known[schema_id]
        with SchemaRegistry(settings) as registry:
            schema = registry.schema(schema_id)
        ledger.keep_writer(schema_id, schema)
        return schema

    return Codec({}, resolve)
