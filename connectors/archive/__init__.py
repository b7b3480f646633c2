"""The archive: topics as Parquet files whose names are positions; the sink `archive` writes them."""

from tradewind.connectors.archive.errors import ArchiveError, DamagedFile, OverlappingFiles
from tradewind.connectors.archive.names import ArchiveFile, Listing, listed

__all__ = ["ArchiveError", "ArchiveFile", "DamagedFile", "Listing", "OverlappingFiles", "listed"]
