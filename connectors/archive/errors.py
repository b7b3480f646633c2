"""What can be wrong with an archive.

ArchiveError
├── NotArchived        there is no such topic, or there are no such records, in the archive
├── DamagedFile        a file cannot be read, or is not what its name and its footer say
├── OverlappingFiles   two files hold the same offsets, and neither holds all of the other
└── ArchiveBusy        another command changes the archive
"""

from __future__ import annotations


class ArchiveError(RuntimeError):
    """Something is wrong with the archive; the message says what, where and what to do."""


class NotArchived(ArchiveError):
    """The archive does not have what is asked for."""


class DamagedFile(ArchiveError):
    """A file is not as it was written."""


class OverlappingFiles(ArchiveError):
    """Two files hold the same offsets."""


class ArchiveBusy(ArchiveError):
    """Another command changes the archive."""
