"""Encode events and decode records, in rows and in columns, by the id of the schema in each record's frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import polars as pl

from tradewind.schemas.codec.avro_type import RecordType, UnsupportedSchema, parse_record
from tradewind.schemas.codec.batch import Joined
from tradewind.schemas.codec.catalog import KNOWN, MODELS, NEWEST
from tradewind.schemas.codec.column_reader import ColumnReader, column_reader
from tradewind.schemas.codec.column_writer import ColumnWriter, column_writer
from tradewind.schemas.codec.errors import EncodeError, MisalignedRecords, UndecodableRecord
from tradewind.schemas.codec.flat import frame_of, frame_schema
from tradewind.schemas.codec.row_reader import compile_reader, read_field
from tradewind.schemas.codec.row_writer import compile_writer
from tradewind.schemas.codec.wire import framed_id
from tradewind.schemas.event import Event

FEW_ROWS: Final = 64
"""Up to here the rows of a frame are encoded one by one: by columns they take 1 to 2 ms, however few they are."""
RESOLVED_LIMIT: Final = 1024  # ids beside the newest: far more than versions are, and a flood of false ids stays small


@dataclass(frozen=True, slots=True)
class _Decoder:
    model: type[Event]
    decode: Callable[[bytes], Event]
    columns: ColumnReader | None
    ours: bool
    """Whether the writer's schema is a committed version."""
    writer: RecordType


@dataclass(frozen=True, slots=True)
class _Encoder:
    schema_id: int
    encode: Callable[[Event], bytes]
    columns: ColumnWriter | None


class Codec:
    """Confluent-framed Avro records to events and back.

    Decodes what any writer's schema of a known record wrote, to the newest model; encodes with the newest committed
    schema. May be used by several threads.
    """

    def __init__(self, ids: Mapping[str, int], resolve: Callable[[int], str], few_rows: int = FEW_ROWS) -> None:
        """Give the registry's id of the newest version of each schema, and what finds the JSON text of any other id.

        `resolve` is called once for an id, by `decode`, `decode_columns` and `model_of`. It raises `LookupError` for
        an id that the registry does not have; any other error passes through to the caller, who may try again. A frame
        of up to `few_rows` is encoded row by row.
        """
        unknown = sorted(set(ids) - set(MODELS))
        if unknown:
            raise ValueError(f"no model of {', '.join(unknown)}; there are {', '.join(MODELS)}")
        self._resolve = resolve
        self._few_rows = few_rows
        self._lock = Lock()
        self._resolved: dict[int, _Decoder | str] = {}
        self._encoders = {
            MODELS[name]: _Encoder(id_, compile_writer(NEWEST[name], id_), column_writer(NEWEST[name]))
            for name, id_ in ids.items()
        }
        self._newest = {id_: _decoder(name, NEWEST[name]) for name, id_ in ids.items()}

    def encode(self, event: Event) -> bytes:
        """Return the event as a framed record; raises `EncodeError`."""
        return self._encoder(type(event)).encode(event)

    def decode(self, value: bytes) -> Event:
        """Return the event of a framed record; raises `UndecodableRecord`."""
        return self._decoder(framed_id(value)).decode(value)

    def schema_id(self, value: bytes) -> int:
        """Return the id of the schema that a framed record was written with; raises `UndecodableRecord`."""
        return framed_id(value)

    def model_of(self, schema_id: int) -> type[Event]:
        """Return the model that records of a schema decode to; raises `UndecodableRecord` where there is none."""
        return self._decoder(schema_id).model

    def knows(self, schema_id: int) -> bool:
        """Tell whether a schema is one that this version of Tradewind has committed, of a model that it knows.

        Where it is not, decoding leaves out what the newest schema does not have. Raises as `model_of` does.
        """
        return self._decoder(schema_id).ours

    def written(self, value: bytes, field: str) -> tuple[int, Any]:
        """Return the schema id of a framed record, and what its writer says in a field, in the writer's own symbols.

        Raises `UndecodableRecord`, and `KeyError` where the writer has no such field.
        """
        schema_id = framed_id(value)
        return schema_id, read_field(self._decoder(schema_id).writer, field, value)

    def decode_columns(self, model: type[Event], values: Sequence[bytes] | Joined) -> pl.DataFrame:
        """Return framed records of one writer's schema as n rows, one column for each field of the flat model.

        Raises `MisalignedRecords` where any record is not what its frame and schema say; decode them one by one then.
        """
        schema = frame_schema(NEWEST[model.SCHEMA])
        if schema is None:
            raise TypeError(f"{model.__name__} is not flat: decode it row by row")
        if not values:
            return pl.DataFrame(schema=schema)
        try:
            schema_id = framed_id(values[0] or b"")
            decoder = self._decoder(schema_id)
        except UndecodableRecord as error:
            raise MisalignedRecords(f"record 0 of the batch: {error.reason}") from error
        if decoder.model is not model:
            raise MisalignedRecords(f"record 0 of the batch: a {decoder.model.SCHEMA}, where {model.SCHEMA} is wanted")
        if decoder.columns is not None:
            return decoder.columns.decode(values, schema_id)
        return frame_of((self._decode_as(schema_id, row, value) for row, value in enumerate(values)), schema)

    def encode_columns(self, model: type[Event], frame: pl.DataFrame) -> list[bytes]:
        """Return each row of a frame as a framed record of the flat model.

        Columns are found by name, others are left out. Raises `EncodeError` where a column is missing, of another
        type, or holds what its field cannot.
        """
        encoder = self._encoder(model)
        if encoder.columns is None:
            raise TypeError(f"{model.__name__} is not flat: encode it row by row")
        if frame.height <= self._few_rows and encoder.columns.is_exact(frame):
            with suppress(EncodeError):  # the columns say in which row
                return [encoder.encode(model.from_dict(row)) for row in frame.iter_rows(named=True)]
        return encoder.columns.encode(frame, encoder.schema_id)

    def _decode_as(self, schema_id: int, row: int, value: bytes | None) -> Event:
        """Decode one of a batch whose schema has another shape than the newest."""
        value = value or b""
        try:
            if framed_id(value) != schema_id:
                raise UndecodableRecord(f"frame: not of schema {schema_id}")
            return self.decode(value)
        except UndecodableRecord as error:
            raise MisalignedRecords(f"record {row} of the batch: {error.reason}") from error

    def _encoder(self, model: type[Event]) -> _Encoder:
        encoder = self._encoders.get(model)
        if encoder is None:
            raise EncodeError(f"{model.__name__} has no schema id: register its schema first")
        return encoder

    def _decoder(self, schema_id: int) -> _Decoder:
        found = self._newest.get(schema_id) or self._resolved.get(schema_id) or self._resolve_once(schema_id)
        if isinstance(found, str):
            raise UndecodableRecord(found)
        return found

    def _resolve_once(self, schema_id: int) -> _Decoder | str:
        """Find out what an id stands for; why it cannot be decoded is kept too, or each such record would ask again."""
        with self._lock:
            found = self._resolved.get(schema_id)
            if found is None:
                if len(self._resolved) >= RESOLVED_LIMIT:
                    self._resolved.pop(next(iter(self._resolved)))
                found = self._resolved[schema_id] = self._find(schema_id)
        return found

    def _find(self, schema_id: int) -> _Decoder | str:
        try:
            writer = parse_record(self._resolve(schema_id))
            if writer.name not in MODELS:
                return f"schema {schema_id} is {writer.name}, which is no event of ours"
            return _decoder(writer.name, writer)
        except LookupError:
            return f"the registry has no schema {schema_id}"
        except UnsupportedSchema as error:
            return f"schema {schema_id} cannot be read: {error}"
        except RecursionError:
            return f"schema {schema_id} cannot be read: its types are nested too deeply"


def _decoder(name: str, writer: RecordType) -> _Decoder:
    newest, model = NEWEST[name], MODELS[name]
    ours = writer in KNOWN[name]
    return _Decoder(model, compile_reader(writer, newest, model), column_reader(writer, newest), ours, writer)
