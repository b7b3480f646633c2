"""Events as bytes: Confluent-framed Avro, in rows and in columns.

CodecError
├── EncodeError         the producer's fault
├── UndecodableRecord   a dead letter
└── MisalignedRecords   decode the batch row by row
"""

from tradewind.schemas.codec.batch import Joined
from tradewind.schemas.codec.catalog import MODELS, SCHEMAS
from tradewind.schemas.codec.codec import Codec
from tradewind.schemas.codec.errors import CodecError, EncodeError, MisalignedRecords, UndecodableRecord

__all__ = [
    "MODELS",
    "SCHEMAS",
    "Codec",
    "CodecError",
    "EncodeError",
    "Joined",
    "MisalignedRecords",
    "UndecodableRecord",
]
