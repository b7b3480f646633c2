"""Read the lines of a compressed file in chunks of bounded size, after making sure that it is whole."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO

from tradewind.connectors.feeds.feed import EXCERPT_CHARACTERS, DamagedSource, UnknownFormat

READ_BYTES = 1 << 20  # at once: large enough that calls do not count, small enough to parse in a few ms
LINE_BYTES = 1 << 18  # an order book snapshot has some 60 KB; a longer line is no frame of any format
CHUNK_LINES = 32_768  # lines in one chunk, whatever their length: what a chunk of empty lines may cost
BOM = b"\xef\xbb\xbf"  # some programs begin a UTF-8 file with it; it is no part of the first line
TOO_LONG = "\ufffd"  # begins what is left of a line over LINE_BYTES: no format takes it
NAMED_MEMBERS = 3  # files of an archive that a message names
ENCRYPTED = 0x1  # bit of a member's flags
ARCHIVES = frozenset({".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".xz", ".bz2", ".zst"})
PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave in folders."""
MAGIC = {
    b"PK": "a zip archive",
    b"\x1f\x8b": "a gzip file",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\xfd7zXZ": "an xz file",
    b"BZh": "a bzip2 file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"PAR1": "a Parquet file",
}
DIGEST_DIGITS = 16  # 64 bits tell one file from another of the same name

DAMAGE = (zipfile.BadZipFile, EOFError, zlib.error, OSError, RuntimeError, NotImplementedError)
"""What zipfile and gzip raise for content that is cut, altered, encrypted or packed in a way they do not know."""
Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive lines of a file, without their ends."""

    first: int
    """Number of the first line, from 1."""
    lines: list[str]


def digest(path: Path) -> str:
    """Return the start of the SHA-256 of a file."""
    total = sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            total.update(block)
    return total.hexdigest()[:DIGEST_DIGITS]


def gzip_opener(path: Path) -> Opener:
    """Return what opens the content of a gzip file; raises `UnknownFormat` where it is none."""
    _refuse_other_packing(path, b"\x1f\x8b", "a gzip file")

    @contextmanager
    def content() -> Iterator[IO[bytes]]:
        with gzip.open(path) as file:
            yield file  # type: ignore[misc]  # GzipFile reads bytes, though typeshed does not derive it from IO

    return content


def zip_member(path: Path) -> str:
    """Return the name of the one file in a zip archive, in whatever folder; raises `DamagedSource` or `UnknownFormat`.

    What a system puts beside a person's files, such as `__MACOSX`, is no file of the archive.
    """
    _refuse_other_packing(path, b"PK", "a zip archive")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir() and not _is_litter(info.filename)]
    except (zipfile.BadZipFile, OSError) as error:
        raise DamagedSource(
            f"{path}: not a whole zip archive ({error}); nothing was published: fetch it again"
        ) from error
    if len(members) != 1:
        names = ", ".join(info.filename for info in members[:NAMED_MEMBERS])
        more = f" and {len(members) - NAMED_MEMBERS} more" if len(members) > NAMED_MEMBERS else ""
        held = f"has {len(members)} files ({names}{more})" if members else "holds no file"
        raise UnknownFormat(
            f"{path}: {held}; an archive of quotes holds one, nothing was published: put each file into an archive of "
            "its own"
        )
    (member,) = members
    if member.flag_bits & ENCRYPTED:
        raise UnknownFormat(
            f"{path}: {member.filename} is encrypted; nothing was published: unpack it with its password, and pack it "
            "without one"
        )
    if PurePosixPath(member.filename).suffix.lower() in ARCHIVES:
        raise UnknownFormat(
            f"{path}: holds another archive, {member.filename}; nothing was published: unpack it, and feed its files"
        )
    if member.compress_type not in PACKINGS:
        raise UnknownFormat(
            f"{path}: {member.filename} is packed in a way that this Python cannot read (method "
            f"{member.compress_type}); nothing was published: pack it with deflate, as `zip` does"
        )
    return member.filename


def _is_litter(name: str) -> bool:
    place = PurePosixPath(name)
    return "__MACOSX" in place.parts or place.name.startswith("._") or place.name in LITTER


def _refuse_other_packing(path: Path, magic: bytes, kind: str) -> None:
    """Raise where a file begins as another kind of archive, or as text; a file cut before that is damaged, not this."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise DamagedSource(f"{path}: cannot be read ({error.strerror}); nothing was published") from error
    if not head:
        raise DamagedSource(f"{path}: is empty; nothing was published: fetch it again")
    if not head.startswith(magic):
        found = next((name for begin, name in MAGIC.items() if head.startswith(begin)), None)
        text = "text" if head.isascii() and b"\0" not in head else "something else"
        raise UnknownFormat(
            f"{path}: is {found or text} and not {kind}, whatever its name says; nothing was published: "
            + ("give it the name of what it is" if found else f"pack it as {kind}")
        )


def zip_opener(path: Path) -> Opener:
    """Return what opens the one file in a zip archive."""

    @contextmanager
    def content() -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(path) as archive, archive.open(zip_member(path)) as file:
            yield file

    return content


def verify(path: Path, opener: Opener) -> None:
    """Read an archive to its end, checksums included; raises `DamagedSource` with the place where it breaks.

    A truncated archive publishes nothing. Otherwise the feed would have to skip exactly the published half when the
    whole file arrives.
    """
    read = 0
    try:
        with opener() as content:
            while block := content.read(READ_BYTES):
                read += len(block)
    except DAMAGE as error:
        raise DamagedSource(
            f"{path}: breaks after {read:,} bytes of content ({error}); nothing was published: fetch the file again"
        ) from error


def chunks(opener: Opener, most_lines: int = CHUNK_LINES) -> Iterator[Chunk]:
    """Yield the lines of a file, at most so many in a chunk.

    Bytes that are not UTF-8 become U+FFFD; a line over `LINE_BYTES` is cut and marked `TOO_LONG`.

    Where the chunks are cut depends on the content alone, so that reading again gives the same chunks.
    """
    held: list[str] = []
    first = 1
    try:
        for lines in _lines(opener):
            held += lines
            while len(held) > most_lines:
                yield Chunk(first, held[:most_lines])
                first += most_lines
                held = held[most_lines:]
    except DAMAGE as error:
        raise DamagedSource(
            f"the file changed while it was read, and breaks after line {first + len(held) - 1:,} ({error}); what was "
            "published stays: put the file back, and run the feed again to go on"
        ) from error
    yield Chunk(first, held)


def _lines(opener: Opener) -> Iterator[list[str]]:
    rest, begun = b"", False
    with opener() as content:
        while block := content.read(READ_BYTES):
            body = rest + block
            if not begun:
                body, begun = body.removeprefix(BOM), True
            end = body.rfind(b"\n") + 1
            # What is beyond the bound is dropped now, or a file without a line's end would fill the memory. One byte
            # more is kept than a line may have: so the line stays too long, and is marked as such.
            rest = body[end : end + LINE_BYTES + 1]
            if end:
                yield _split(body[: end - 1])
    if rest:
        yield _split(rest)


def _split(body: bytes) -> list[str]:
    lines = body.decode("utf-8", "replace").split("\n")
    return [line if len(line) <= LINE_BYTES else TOO_LONG + line[:EXCERPT_CHARACTERS] for line in lines]
