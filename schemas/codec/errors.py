"""What can go wrong between an event and its bytes.

CodecError
├── EncodeError         an event, or a frame of events, that Avro cannot hold: the producer is wrong
├── UndecodableRecord   bytes that are no record of ours: a dead letter
└── MisalignedRecords   a batch that cannot be decoded by columns: decode it row by row
"""


class CodecError(ValueError):
    """An event and its bytes do not go together."""


class EncodeError(CodecError):
    """An event that its schema cannot hold; the message names the model, the field and the value."""


class UndecodableRecord(CodecError):
    """Bytes that are not one whole record of a known schema."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """What is wrong, in which field and at which byte."""


class MisalignedRecords(CodecError):
    """Records that cannot be proved to be what their columns say; nothing of them was decoded."""
