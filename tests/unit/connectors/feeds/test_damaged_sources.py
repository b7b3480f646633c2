"""A source of which nothing, or less than half, can be published is a failure, and the words name the likely cause."""

from __future__ import annotations

import gzip
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from tradewind.connectors.feeds import Block, Bounds, FeedError, Rejection, SourcePosition, open_feed
from tradewind.connectors.feeds.feed import Kind
from tradewind.connectors.feeds.publishing.run import FeedReport

MEMBER = "20140501_eurusd_tick_quote.csv"
SOUND = "".join(f"{n * 1000 + n}.5,1.1{n % 10},1.2\n" for n in range(1, 200))
RECEIVED = 1_723_161_255_000_000_000


def outcome(path: Path) -> FeedReport:
    """Return the report of a run that publishes all that a source gives."""
    report = FeedReport(path.name, 0)
    for block in open_feed(str(path)).read(SourcePosition(), Bounds(50, 2**62)):
        report = report.after(block)
    return replace(report, finished=True)


def zipped(folder: Path, content: bytes, member: str = MEMBER) -> Path:
    """Write an archive of one file."""
    path = folder / "quotes.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
    return path


def gzipped(folder: Path, content: bytes) -> Path:
    """Write a gzip file."""
    path = folder / "frames.gz"
    path.write_bytes(gzip.compress(content))
    return path


def test_a_sound_source_is_a_success(tmp_path: Path) -> None:
    """So it is with a byte order mark, Windows line ends and some garbage."""
    assert outcome(zipped(tmp_path, SOUND.encode())).failure is None
    windows = b"\xef\xbb\xbf" + SOUND.replace("\n", "\r\n").encode() + b"garbage\r\n"
    report = outcome(zipped(tmp_path, windows))
    assert (report.published, report.rejected, report.failure) == (199, 1, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            SOUND.replace(",", ";").replace(".", ",").encode(),
            "separated by ';' instead of ',', and its decimals by ','",
        ),
        (SOUND.replace(",", ";").encode(), "separated by ';' instead of ','"),
        (SOUND.replace(",", "\t").encode(), "separated by tabs"),
        (SOUND.replace(",", "|").encode(), "separated by '|'"),
        (SOUND.replace(",", " ").encode(), "separated by spaces"),
        (SOUND.replace(".", ",").encode(), "decimals are separated by ','"),
        (SOUND.encode("utf-16"), "UTF-16"),
        (SOUND.encode("utf-16-be"), "UTF-16"),
        (SOUND.replace("\n", "\r").encode(), "CR alone"),
        ((SOUND * 100).replace("\n", "\r").encode(), "CR alone"),
        (SOUND.replace(",", "\u00a4").encode("latin-1"), "Latin-1"),
        (b"".join(b"%d,1.1,1.2\n" % (1_398_902_400 + n) for n in range(20)), "in seconds since 1970"),
        (b"".join(b"%d,1.1,1.2\n" % (1_398_902_400_000 + n) for n in range(20)), "in milliseconds since 1970"),
        (b"".join(b"%d,1.1,1.2\n" % (1_398_902_400_000_000 + n) for n in range(20)), "in microseconds since 1970"),
        (b"".join(b"%d,1.1,1.2\n" % (86_400_000 + n) for n in range(20)), "past the end of the day"),
        (b"20140501 00:00:01.000,1.1,1.2\n" * 5, "its time is not in milliseconds since midnight"),
        (b"00:00:01.000,1.1,1.2\n" * 5, "its time is not in milliseconds since midnight"),
        (b"EURUSD,1,1.1,1.2\n" * 5, "4 columns; a quote has 3"),
        (b"1,1.2,1.1\n" * 5, "crossed: the bid is above the ask"),
        (b"time,bid,ask\n", "a header, where quotes have none"),
        (b"\n" * 100, "empty line"),
        (b"\0" * 1000, "UTF-16"),
        (b"<html><body>404 Not Found</body></html>\n", "1 columns"),
        (b"", "the source is empty"),
    ],
)
def test_a_file_of_quotes_in_another_form_is_a_failure_with_its_cause(
    tmp_path: Path, content: bytes, said: str
) -> None:
    """Exported by another program, most of them."""
    failure = outcome(zipped(tmp_path, content)).failure
    assert failure is not None
    assert failure.startswith("nothing was published: ")
    assert said in failure


def test_more_rejected_than_published_is_a_failure(tmp_path: Path) -> None:
    """Half a file that is published is no day of quotes; the cause is the most common one."""
    content = "1,1.1,1.2\nx\n" + "".join(f"{n};1.1;1.2\n" for n in range(5))
    assert outcome(zipped(tmp_path, content.encode())).failure == (
        "more was rejected (6) than published (1), most of them like line 3: "
        "its columns are separated by ';' instead of ',': export it with ',' and '.'"
    )


def test_earlier_runs_count(tmp_path: Path) -> None:
    """A run that had only the end to publish is no failure, and none becomes a success by being cut in two."""
    done = FeedReport("a", 10, finished=True, published_before=10)
    assert done.failure is None
    assert replace(done, published_before=4, rejected_before=6).failure is not None
    assert FeedReport("a", 0).failure is None, "it was stopped before its first block"
    assert outcome(zipped(tmp_path, b"x\n")).failure is not None


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"e": "aggTrade", "s": "BTCUSDT"}, "100 are neither quotes nor trades (aggTrade 100)"),
        ({"lastUpdateId": 1, "bids": [], "asks": []}, "(order book snapshot 100)"),
        ({"e": "newThing"}, "(newThing 100)"),
    ],
)
def test_frames_of_other_kinds_alone_are_a_failure(tmp_path: Path, frame: dict[str, object], said: str) -> None:
    """Whether the kind is known or not."""
    failure = outcome(gzipped(tmp_path, f"{RECEIVED} {json.dumps(frame)}\n".encode() * 100)).failure
    assert failure is not None
    assert failure.startswith("nothing was published: ")
    assert said in failure


def test_unknown_kinds_beside_quotes_are_told_and_no_failure(tmp_path: Path) -> None:
    """The exchange may have something new."""
    quote = {"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}
    lines = [
        f"{RECEIVED} {json.dumps(data)}" for data in (quote, {"e": "newThing"}, {"e": "aggTrade"}, {"e": "newThing"})
    ]
    report = outcome(gzipped(tmp_path, "\n".join(lines).encode()))
    assert (report.published, report.skipped, report.failure) == (1, 3, None)
    assert report.kinds == {"newThing": Kind(2, 2, lines[1], known=False), "aggTrade": Kind(1, 3, lines[2], known=True)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (SOUND.encode(), "none of its first 199 lines is a frame of Binance.*the first: does not begin with the time"),
        (SOUND.encode("utf-16"), "UTF-16"),
        (b'{"e":"trade"}\n', "no time of receipt"),
        (b'1723161255000 {"e":"trade"}\n', "in another unit than ns"),
        (b'1723161255000000000 {"e":"trade","s":"BTCUSDT","T":1723161255000000}\n', "the trade is in microseconds"),
    ],
)
def test_a_gzip_file_without_frames_is_refused_with_the_cause(tmp_path: Path, content: bytes, said: str) -> None:
    """Before anything is published."""
    with pytest.raises(FeedError, match=f"(?s){said}.*nothing was published"):
        open_feed(str(gzipped(tmp_path, content)))


def archive(folder: Path, *members: str) -> Path:
    """Write an archive of several files with a quote each."""
    path = folder / "quotes.zip"
    with zipfile.ZipFile(path, "w") as file:
        for member in members:
            file.writestr(member, b"1,1.1,1.2")
    return path


@pytest.mark.parametrize(
    "members",
    [
        (MEMBER, f"__MACOSX/._{MEMBER}", ".DS_Store"),
        ("may/", f"may/{MEMBER}", f"__MACOSX/may/._{MEMBER}"),
        (f"a/b/{MEMBER}", "a/Thumbs.db", "a/b/._x", "desktop.ini"),
    ],
)
def test_folders_and_what_systems_add_do_not_matter(tmp_path: Path, members: tuple[str, ...]) -> None:
    """A person sees one file in such an archive."""
    assert outcome(archive(tmp_path, *members)).published == 1


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ((MEMBER, "readme.txt"), f"has 2 files \\({MEMBER}, readme.txt\\).*into an archive of its own"),
        (tuple(f"{n}.csv" for n in range(9)), "has 9 files .* and 6 more"),
        (("__MACOSX/._a.csv",), "holds no file"),
        ((), "holds no file"),
        (("day.zip",), "holds another archive, day.zip.*unpack it"),
        (("quotes.csv",), "stand only in the name of the file inside"),
    ],
)
def test_an_archive_of_something_else_is_refused_with_what_it_holds(
    tmp_path: Path, members: tuple[str, ...], said: str
) -> None:
    """And with what to do."""
    with pytest.raises(FeedError, match=said):
        open_feed(str(archive(tmp_path, *members)))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", SOUND.encode(), "is text and not a zip archive"),
        ("a.zip", gzip.compress(b"x", mtime=0), "is a gzip file and not a zip archive.*give it the name of what it is"),
        ("a.gz", b"PK\x03\x04xxxx", "is a zip archive and not a gzip file"),
        ("a.gz", b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive"),
        ("a.gz", b"<html>404</html>", "is text and not a gzip file"),
        ("a.zip", b"", "is empty"),
        ("a.gz", b"", "is empty"),
    ],
)
def test_a_file_with_the_wrong_name_is_told_what_it_is(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """By its first bytes."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FeedError, match=said):
        open_feed(str(tmp_path / name))


@pytest.mark.parametrize(
    ("flags", "method", "said"), [(1, 8, "is encrypted.*without one"), (0, 93, "method 93.*pack it with deflate")]
)
def test_a_member_that_cannot_be_unpacked_is_told(tmp_path: Path, flags: int, method: int, said: str) -> None:
    """An encrypted one, and one that is packed in an unusual way."""
    path = zipped(tmp_path, SOUND.encode())
    body = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        begin = body.rfind(magic) + at
        body[begin : begin + 2] = flags.to_bytes(2, "little")
        body[begin + 2 : begin + 4] = method.to_bytes(2, "little")
    path.write_bytes(body)
    with pytest.raises(FeedError, match=said):
        open_feed(str(path))


def test_a_feed_of_ones_own_that_publishes_nothing_is_a_failure() -> None:
    """It need not tell kinds or lines."""
    nothing = Block(next=SourcePosition(5), ticks=pl.DataFrame(), skipped=3, rejected_count=2)
    report = replace(FeedReport("mine", 0).after(nothing), finished=True)
    assert report.failure == "nothing was published: 2 of 5 records were rejected; 3 are neither quotes nor trades"
    told = FeedReport("mine", 0).after(replace(nothing, rejected=(Rejection(4, "no price", "x"),)))
    assert str(replace(told, finished=True).failure).startswith(
        "nothing was published: 2 of 5 records were rejected, most of them like line 4: no price"
    )
