"""Line protocol as InfluxDB 2 parses it: `models/points.go`, whose functions have the same names there.

Lines without backslashes are matched by one expression; whatever it does not match is scanned letter by letter, and is
accepted or refused by that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "int | float | bool | str | Unsigned"
Tags = tuple[tuple[str, str], ...]

MAX_KEY_LENGTH = 65_535  # MaxKeyLength
LAST_NS, FIRST_NS = 2**63 - 2, -(2**63) + 2  # MaxNanoTime, MinNanoTime (models/time.go)
RESERVED = ("\xff", "\x00", "_field", "_measurement", "time")  # reservedTagKeys
NS_OF = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}  # GetPrecisionMultiplier
PLAIN = re.compile(
    r'([^,\\ "=\t\0#\n][^,\\ "=\t\0\n]*)((?:,[^,\\ "=\t\0\n]+=[^,\\ "=\t\0\n]+)*)'
    r' ([^,\\ "=\t\0\n]+=(?:"[^"\\\n]*"|[^,\\ "=\t\0\n]+)(?:,[^,\\ "=\t\0\n]+=(?:"[^"\\\n]*"|[^,\\ "=\t\0\n]+))*)'
    r" (-?[0-9]+)"
)
FIELD = re.compile(r'([^,=]+)=("[^"]*"|[^,]+)(?:,|$)')
INTEGER, UNSIGNED = re.compile(r"-?[0-9]+i"), re.compile(r"[0-9]+u")
FLOAT = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
ESCAPED = re.compile(r'\\(["\\])')
NUMBER_LETTERS = frozenset("0123456789.-Nn")  # what a value begins with to be scanned as a number
TRUE, FALSE = ("t", "T", "true", "True", "TRUE"), ("f", "F", "false", "False", "FALSE")


class Unsigned(int):
    """A value that ends in `u`."""


class LineError(Exception):
    """Why a line cannot be parsed, in InfluxDB's words."""


@dataclass(frozen=True, slots=True)
class Point:
    """A line."""

    measurement: str
    tags: Tags
    """In order of their names."""
    fields: dict[str, Value]
    time_ns: int


def parse(body: str, precision: str, now_ns: int) -> tuple[list[Point], list[str]]:
    """Return the points of a body and what could not be parsed, as `ParsePointsWithPrecision` does."""
    points, failed, at = [], [], 0
    while at < len(body):
        plain = PLAIN.match(body, at)
        if plain is not None and (plain.end() == len(body) or body[plain.end()] == "\n"):
            end = plain.end()
        else:
            plain, end = None, scan_line(body, at)
        block = body[at:end]
        at = end + 1
        block = block[skip_whitespace(block, 0) :]
        if not block or block[0] == "#":
            continue
        block = block.removesuffix("\n")
        try:
            points.append(_plain(plain, precision) if plain is not None else parse_point(block, precision, now_ns))
        except LineError as error:
            failed.append(f"unable to parse '{block}': {error}")
    return points, failed


def _plain(match: re.Match[str], precision: str) -> Point:
    name, tags, fields, time = match.groups()
    pairs = [tuple(tag.split("=")) for tag in tags.split(",")[1:]]
    values = {field[1]: value_of(field[2]) for field in FIELD.finditer(fields)}
    return _point(name, pairs, values, int(time), precision)


def _point(name: str, tags: list[tuple[str, ...]], fields: dict[str, Value], time: int, precision: str) -> Point:
    keys = [tag[0] for tag in tags]
    for key in keys:
        if key in RESERVED:
            raise LineError(f'cannot use reserved tag key "{key}"')
    if len(set(keys)) != len(keys):
        raise LineError("duplicate tags")
    size = len(name.encode()) + sum(len(part.encode()) + 1 for tag in tags for part in tag)
    if size > MAX_KEY_LENGTH:
        raise LineError(f"max key length exceeded: {size} > {MAX_KEY_LENGTH}")
    if not -(2**63) <= time < 2**63:
        raise LineError(f'strconv.ParseInt: parsing "{time}": value out of range')
    time_ns = time * NS_OF[precision]
    if not FIRST_NS <= time_ns <= LAST_NS:
        raise LineError(f"time outside range {FIRST_NS} - {LAST_NS}")
    return Point(name, tuple(sorted((tag[0], tag[1]) for tag in tags)), fields, time_ns)


def value_of(text: str) -> Value:
    """Return a field's value (`scanNumber`, `scanBoolean`); raises `LineError`."""
    if text[0] == '"':
        return ESCAPED.sub(r"\1", text[1:-1])
    if text[0] not in NUMBER_LETTERS:
        if text in TRUE or text in FALSE:
            return text in TRUE
        raise LineError("invalid boolean")
    if INTEGER.fullmatch(text):
        number = int(text[:-1])
        if not -(2**63) <= number < 2**63:
            raise LineError(
                f'unable to parse integer {number}: strconv.ParseInt: parsing "{number}": value out of range'
            )
        return number
    if UNSIGNED.fullmatch(text):
        number = int(text[:-1])
        if number >= 2**64:
            raise LineError(
                f'unable to parse unsigned {number}: strconv.ParseUint: parsing "{number}": value out of range'
            )
        return Unsigned(number)
    if FLOAT.fullmatch(text) is None:
        raise LineError("invalid number")
    found = float(text)
    if found in (float("inf"), float("-inf")):
        raise LineError("invalid float")
    return found


def parse_point(line: str, precision: str, now_ns: int) -> Point:
    """Return the point of a line, scanned letter by letter; raises `LineError`."""
    at, name, tags = _scan_key(line)
    at, fields = _scan_fields(line, at)
    at = skip_whitespace(line, at)
    end = at
    while end < len(line) and line[end] != " ":
        if not (line[end].isdecimal() and line[end].isascii()) and not (end == at and line[end] == "-"):
            raise LineError("bad timestamp")
        end += 1
    time = line[at:end]
    if line[end:].strip(" "):
        raise LineError("point is invalid")
    if not time:
        return _point(name, tags, fields, now_ns // NS_OF[precision], precision)
    if time == "-":
        raise LineError('strconv.ParseInt: parsing "-": invalid syntax')
    return _point(name, tags, fields, int(time), precision)


def _scan_key(line: str) -> tuple[int, str, list[tuple[str, ...]]]:
    """Return where the fields begin, the measurement and the tags (`scanMeasurement`, `scanTags`)."""
    if line[0] == ",":
        raise LineError("missing measurement")
    at = _until(line, 1, ", ", "missing fields")
    name, tags = _unescaped(line[:at], ", "), []
    while line[at] == ",":
        at, begin = at + 1, at + 1
        if at >= len(line) or line[at] in " ,=":
            raise LineError("missing tag key")
        at = _until(line, at + 1, " ,=", "missing tag value")
        if line[at] != "=":
            raise LineError("missing tag value")
        key, at, begin = line[begin:at], at + 1, at + 1
        if at >= len(line) or line[at] in ", ":
            raise LineError("missing tag value")
        at = _until(line, at + 1, "=, ", "missing fields")
        if line[at] == "=":
            raise LineError("invalid tag format")
        tags.append((_unescaped(key, ",= "), _unescaped(line[begin:at], ",= ")))
    return at, name, tags


def _until(line: str, at: int, stops: str, otherwise: str) -> int:
    """Return where the next of some letters stands without a backslash before it."""
    while at < len(line):
        if line[at] in stops and line[at - 1] != "\\":
            return at
        at += 1
    raise LineError(otherwise)


def _unescaped(text: str, letters: str) -> str:
    """Return a text without the backslashes before some letters (`tagEscapeCodes`, `measurementEscapeCodes`)."""
    for letter in letters:
        text = text.replace(f"\\{letter}", letter)
    return text


def _scan_fields(line: str, at: int) -> tuple[int, dict[str, Value]]:
    """Return where the fields end, and the fields (`scanFields`)."""
    begin = skip_whitespace(line, at)
    end, commas = _field_commas(line, begin)
    fields = {}
    for start, stop in zip([begin, *(comma + 1 for comma in commas)], [*commas, end], strict=True):
        sign = _until(line, start, "=", "invalid field format")
        fields[_unescaped(line[start:sign], ',= "')] = value_of(line[sign + 1 : stop])
    return end, fields


def _field_commas(line: str, at: int) -> tuple[int, list[int]]:
    """Return where the fields end, and the commas between them."""
    quoted, equals, commas = False, 0, list[int]()
    while at < len(line) and (quoted or line[at] != " "):
        letter = line[at]
        if letter == "\\" and at + 1 < len(line):
            at += 2
            continue
        if letter == '"' and equals > len(commas):
            quoted = not quoted
        elif letter == "=" and not quoted:
            equals += 1
            _check_equals(line, at)
        elif letter == "," and not quoted:
            commas.append(at)
        at += 1
    if quoted:
        raise LineError("unbalanced quotes")
    if equals == 0 or len(commas) != equals - 1:
        raise LineError("invalid field format")
    return at, commas


def _check_equals(line: str, at: int) -> None:
    if line[at - 1] in " ," and line[at - 2] != "\\":
        raise LineError("missing field key")
    if at + 1 >= len(line) or line[at + 1] in ", ":
        raise LineError("missing field value")


def skip_whitespace(text: str, at: int) -> int:
    """Return where spaces, tabs and zeros end."""
    while at < len(text) and text[at] in " \t\0":
        at += 1
    return at


def scan_line(body: str, at: int) -> int:
    """Return where a line ends: a text between quotes may hold an end of line."""
    quoted = fields = False
    equals = commas = 0
    while at < len(body):
        letter = body[at]
        if letter == "\\" and at + 2 < len(body):
            at += 2
            continue
        if letter == " ":
            fields = True
        if fields and not quoted and letter == "=":
            equals += 1
        elif fields and not quoted and letter == ",":
            commas += 1
        elif fields and letter == '"' and equals > commas:
            quoted = not quoted
        elif letter == "\n" and not quoted:
            break
        at += 1
    return at
