"""PostgreSQL as a store: the events of the domains in `connectors/postgres/domains`, as rows."""

from tradewind.connectors.sinks.postgres.sink import PostgresSink

__all__ = ["PostgresSink"]
