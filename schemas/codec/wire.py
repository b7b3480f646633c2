"""The bytes that every record is made of: Confluent's frame, Avro's variable-length integers and decimals.

Frame: one zero byte, the schema's id as four bytes (big-endian), then the Avro record. Integers are zigzag varints of
seven bits a byte, the low ones first (Avro 1.12, "Binary Encoding").
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from tradewind.schemas.codec.errors import UndecodableRecord

MAGIC = 0
FRAME_BYTES = 5
ID_LIMIT = 2**31  # registries give positive Java ints

LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
VARINT_BYTES = 10  # 64 bits, seven a byte
LAST_SHIFT = 63  # what the tenth byte can still hold: one bit

DECIMAL_DIGITS = 38  # what PostgreSQL's numeric, Java's and Arrow's 128-bit decimals all hold
EXACT = Context(prec=DECIMAL_DIGITS, traps=[Inexact, InvalidOperation, Overflow])
WIDE = Context(prec=2 * DECIMAL_DIGITS)  # never rounds what EXACT let pass


def frame(schema_id: int) -> bytes:
    """Return the five bytes that stand before a record of this schema."""
    return bytes([MAGIC]) + schema_id.to_bytes(FRAME_BYTES - 1, "big")


def framed_id(value: bytes) -> int:
    """Return the schema id of a framed record; raises `UndecodableRecord` where there is no frame."""
    if len(value) < FRAME_BYTES:
        raise UndecodableRecord(f"{len(value)} bytes, where a frame alone has {FRAME_BYTES}")
    if value[0] != MAGIC:
        raise UndecodableRecord(f"byte 0 is {value[0]:#04x}, where a frame begins with 0x00")
    return int.from_bytes(value[1:FRAME_BYTES], "big")


def write_long(number: int) -> bytes:
    """Encode an integer of 64 bits; the caller has checked its range."""
    rest = (number << 1) ^ (number >> LAST_SHIFT)
    if rest < 0x80:
        return SHORT[rest]
    out = bytearray()
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


SHORT = tuple(bytes([byte]) for byte in range(0x80))
"""The varints of one byte."""


def read_long(data: bytes, position: int) -> tuple[int, int]:
    """Decode an integer: (value, position after it); raises `IndexError` at the data's end, or `UndecodableRecord`."""
    byte = data[position]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position + 1
    result, shift = byte & 0x7F, 7
    while True:
        position += 1
        byte = data[position]
        if shift == LAST_SHIFT and byte > 1:
            raise UndecodableRecord("an integer of more than 64 bits")
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (result >> 1) ^ -(result & 1), position + 1
        shift += 7


def decimal_to_bytes(value: Decimal, scale: int) -> bytes:
    """Encode a decimal exactly, as few bytes of two's complement; raises `ValueError` where that cannot be."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError("not a finite Decimal")
    try:
        exact = EXACT.quantize(value, Decimal((0, (1,), -scale)))
    except Inexact:
        raise ValueError(f"more than {scale} decimals") from None
    except (InvalidOperation, Overflow):
        raise ValueError(f"more than {DECIMAL_DIGITS} digits with {scale} decimals") from None
    unscaled = int(exact.scaleb(scale, WIDE))
    magnitude = unscaled if unscaled >= 0 else ~unscaled
    return unscaled.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)


def decimal_from_bytes(data: bytes, scale: int) -> Decimal:
    """Decode a decimal, with as many decimals as the scale says; raises `UndecodableRecord` beyond 38 digits."""
    if not data:
        raise UndecodableRecord("a decimal of no bytes")
    unscaled = int.from_bytes(data, "big", signed=True)
    if abs(unscaled) >= 10**DECIMAL_DIGITS:
        raise UndecodableRecord(f"a decimal of more than {DECIMAL_DIGITS} digits")
    return Decimal(unscaled).scaleb(-scale, WIDE)
