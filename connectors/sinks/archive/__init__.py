"""The archive as a store: records of topics, byte for byte, in Parquet files."""

from tradewind.connectors.sinks.archive.sink import ArchiveSink

__all__ = ["ArchiveSink"]
