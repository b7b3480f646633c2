"""Frames of Binance: fast for frames as the exchange writes them, exact for all others."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.feeds.feed import (
    EXCERPT_CHARACTERS,
    OTHER_KINDS,
    REPORTED_KINDS,
    Block,
    Bounds,
    DamagedSource,
    Kind,
    SourcePosition,
    UnknownFormat,
    UnknownSymbol,
)
from tradewind.connectors.feeds.files.archive import Chunk
from tradewind.connectors.feeds.files.binance import _frame, open_binance, parse
from tradewind.connectors.feeds.files.parsed import Parsed

RECEIVED = 1_723_161_255_000_000_000
TIME = RECEIVED // 1_000_000 + 1200
ALL = Bounds(10_000, 2**62)


def book(symbol: str = "BTCUSDT", **changes: Any) -> dict[str, Any]:
    """Return the data of a quote."""
    return {
        "e": "bookTicker",
        "u": 5,
        "s": symbol,
        "b": "61800.20",
        "B": "2.5",
        "a": "61800.30",
        "A": "2.51",
        "T": TIME,
        "E": TIME,
        **changes,
    }


def trade(**changes: Any) -> dict[str, Any]:
    """Return the data of a trade."""
    return {
        "e": "trade",
        "E": TIME,
        "T": TIME,
        "s": "BTCUSDT",
        "t": 77,
        "p": "61800.30",
        "q": "0.006",
        "X": "MARKET",
        "m": False,
        **changes,
    }


def frame(data: dict[str, Any], received: int = RECEIVED) -> str:
    """Write a frame as the exchange does, without spaces."""
    stream = {"stream": "btcusdt@any", "data": data}
    return f"{received} {json.dumps(stream, separators=(',', ':'))}"


def parsed(*lines: str) -> Parsed:
    """Parse lines."""
    return parse(Chunk(1, list(lines)))


def row(line: str) -> dict[str, Any]:
    """Return what becomes of one line, with its reason."""
    found = parsed(line)
    return found.rows.row(0, named=True)


def recorded(folder: Path, *lines: str) -> Path:
    """Write a file of frames."""
    path = folder / "frames.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def read(path: Path) -> list[Block]:
    """Read a file whole."""
    return list(open_binance(path).read(SourcePosition(), ALL))


def test_a_file_tells_what_it_quotes_and_from_when(tmp_path: Path) -> None:
    """So that the parts of a series follow one another: the symbols, and the first receipt."""
    feed = open_binance(recorded(tmp_path, frame(book(), RECEIVED), frame(trade(), RECEIVED + 1)))
    assert (feed.series, feed.begins_us) == ("BTCUSDT.BINANCE", RECEIVED // 1000)


def test_a_book_ticker_is_a_quote() -> None:
    """Prices and sizes are strings in the frame; the time is the exchange's."""
    found = row(frame(book()))
    assert (found["kind"], found["symbol"], found["venue"]) == ("tick", "BTCUSDT", "BINANCE")
    assert (found["bid"], found["ask"], found["bid_size"], found["ask_size"]) == (61800.2, 61800.3, 2.5, 2.51)
    assert (found["ts_event"], found["seq"]) == (TIME * 1000, 1)


@pytest.mark.parametrize(("maker", "aggressor"), [(True, "SELL"), (False, "BUY")])
def test_a_trade_tells_who_took_liquidity(maker: bool, aggressor: str) -> None:
    """Where the buyer was the maker, the seller was the aggressor."""
    found = row(frame(trade(m=maker)))
    assert (found["kind"], found["price"], found["size"], found["trade_id"]) == ("trade", 61800.3, 0.006, "77")
    assert found["aggressor"] == aggressor


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (frame({"e": "depthUpdate", "E": TIME, "b": [["1", "2"]], "a": []}), "depthUpdate"),
        (frame({"e": "aggTrade", "E": TIME, "s": "BTCUSDT", "a": 1, "p": "1", "q": "2"}), "aggTrade"),
        (frame({"e": "kline", "s": "BTCUSDT", "k": {"t": 1}}), "kline"),
        (f'{RECEIVED} {{"E":1,"e":"markPriceUpdate"}}', "markPriceUpdate"),
        (f'{RECEIVED} {{"stream":"!miniTicker@arr","data":[{{"e":"24hrMiniTicker"}}]}}', "24hrMiniTicker"),
        (f'{RECEIVED} {{"lastUpdateId":1,"bids":[],"asks":[]}}', "order book snapshot"),
        (f'{RECEIVED} {{"stream":"x@depth5","data":{{"lastUpdateId":1,"bids":[],"asks":[]}}}}', "order book snapshot"),
        (f'{RECEIVED} {{"result":null,"id":1}}', "reply to a request"),
    ],
)
def test_known_kinds_that_are_no_quotes_are_skipped_by_name(line: str, what: str) -> None:
    """They are sound, and no error."""
    found = row(line)
    assert (found["kind"], found["what"]) == ("skipped", what)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (frame({"e": "newThing", "E": TIME}), "newThing"),
        (f'{RECEIVED} {{"e":"{"x" * 500}"}}', "x" * 40),
        (f'{RECEIVED} {{"code":-1121,"msg":"Invalid symbol."}}', "no 'e', with the keys code, msg"),
        (f"{RECEIVED} {{}}", "no 'e', with the keys "),
        (f'{RECEIVED} {{"stream":"x","data":[]}}', "data that is a JSON list"),
        (f'{RECEIVED} {{"stream":"x","data":null}}', "data that is a JSON NoneType"),
        (f'{RECEIVED} {{"e":["bookTicker"]}}', "no 'e', with the keys e"),
        (f'{RECEIVED} {{"lastUpdateId":1}}', "no 'e', with the keys lastUpdateId"),
    ],
)
def test_a_kind_that_is_not_known_is_told_with_its_first_frame(line: str, what: str) -> None:
    """And counted: nobody looks for what is skipped in silence."""
    found = parsed(frame(book()), line, line)
    (kind,) = found.kinds(found.rows).items()
    assert kind == (what, Kind(2, 2, line[:EXCERPT_CHARACTERS], known=False))


def test_kinds_are_bounded() -> None:
    """Garbage may name a new one in each frame; the first are told, the others counted."""
    found = parsed(*(frame({"e": f"new{number}"}) for number in range(1_000)))
    kinds = found.kinds(found.rows)
    assert len(kinds) == REPORTED_KINDS + 1
    assert kinds[OTHER_KINDS].count == 1_000 - REPORTED_KINDS


SPOT = {"u": 50093239212, "s": "BTCUSDT", "b": "61837.63", "B": "3.78", "a": "61837.64", "A": "1.54"}


def test_a_spot_book_ticker_has_the_time_of_its_receipt() -> None:
    """Spot tells no event time; a frame of another order of keys is read to the same values."""
    found = row(frame(SPOT))
    assert (found["kind"], found["symbol"], found["ts_event"]) == ("tick", "BTCUSDT", RECEIVED // 1000)
    assert (found["bid"], found["ask"], found["bid_size"], found["ask_size"]) == (61837.63, 61837.64, 3.78, 1.54)
    assert row(frame(dict(reversed(SPOT.items())))) == found
    assert row(f"{RECEIVED} {json.dumps(SPOT)}") == found


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"b": "nan"}, "'b' (bid) of the bookTicker"), ({"b": "61838"}, "crossed"), ({"s": "XUSDT"}, "unknown symbol")],
)
def test_a_spot_book_ticker_is_checked_as_others_are(changes: dict[str, str], said: str) -> None:
    """Each fault has its words."""
    found = parsed(frame({**SPOT, **changes}))
    assert said in found.rejections(found.rows)[0].reason


def test_a_spot_trade_is_a_trade() -> None:
    """Its keys come in another order, and it has one more."""
    spot = {"e": "trade", "E": TIME, "s": "BTCUSDT", "t": 1, "p": "1.5", "q": "2", "T": TIME, "m": True, "M": True}
    found = row(frame(spot))
    assert (found["kind"], found["price"], found["ts_event"], found["aggressor"]) == ("trade", 1.5, TIME * 1000, "SELL")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "empty line"),
        ("x", "time of receipt"),
        (frame(book())[:-1], "half a frame"),
        (frame(book())[:60], "half a frame"),
        (frame({"e": "depthUpdate"})[:-1], "half a frame"),
        (f"{RECEIVED} [1]", "no JSON object"),
        (frame(book(b="nan")), "'b' (bid) of the bookTicker is not right: 'nan'"),
        (frame(book(b=61800.2)), ""),
        (frame(book(a="-1")), "'a' (ask)"),
        (frame(book(b="0.00")), "a price is not above zero"),
        (frame(book(b="61800.31")), "crossed"),
        (frame(book(symbol="DOGEUSDT")), "unknown symbol DOGEUSDT; known are"),
        (frame(book(T=TIME + 60_000)), "ahead of its receipt"),
        (frame(book(T="soon")), "'T' (time_ms)"),
        (frame({"e": "trade"}), "'s' (symbol) of the trade is missing"),
        (frame(trade(q="0")), "a trade of no size"),
        (frame(trade(p="0")), "a price is not above zero"),
        (frame(trade(m="maybe")), "'m' (maker)"),
        ("9" * 19 + " {}", "time of receipt"),
        (f"{RECEIVED} " + "[" * 100_000, "half a frame"),
        ("\ufffd", "not UTF-8"),
    ],
)
def test_a_bad_frame_is_rejected_with_its_reason(line: str, said: str) -> None:
    """Each kind of garbage has its own words."""
    found = parsed(line)
    if not said:  # a number where the exchange writes a string is still a number
        assert found.rows["kind"].to_list() == ["tick"]
        return
    assert found.rows["kind"].to_list() == [None]
    assert said in found.rejections(found.rows)[0].reason


def test_the_exchange_may_be_ahead_of_the_receiver() -> None:
    """In the recorded day its clock runs 1.2 s ahead: that is no error."""
    assert row(frame(book(T=TIME + 3700)))["kind"] == "tick"


def test_quotes_of_one_time_stay_apart(tmp_path: Path) -> None:
    """The line's number is the sequence."""
    (block,) = read(recorded(tmp_path, frame(book()), frame(trade()), frame(book())))
    assert block.ticks["seq"].to_list() == [1, 3]
    assert block.trades["seq"].to_list() == [2]


@given(st.permutations(list(book())), st.permutations(list(trade())))
def test_the_order_of_keys_does_not_matter(book_keys: list[str], trade_keys: list[str]) -> None:
    """Frames that the fast pattern does not know are read to the same values."""
    usual = parsed(frame(book()), frame(trade())).rows
    quote, deal = book(), trade()
    other = parsed(frame({key: quote[key] for key in book_keys}), frame({key: deal[key] for key in trade_keys})).rows
    assert other.equals(usual)


digits = st.decimals(0, 99_999, places=3).map(str)


@given(digits, digits, digits, digits, st.integers(10**12, 10**13 - 1))
def test_the_fast_and_the_exact_way_agree(bid: str, ask: str, bid_size: str, ask_size: str, time_ms: int) -> None:
    """A frame as the exchange writes it has the same texts by the pattern as by its JSON."""
    data = book(b=bid, a=ask, B=bid_size, A=ask_size, T=time_ms)
    exact = _frame(frame(data))
    assert exact["kind"] == "tick"
    spaced = f"{RECEIVED} " + json.dumps({"stream": "x", "data": data})
    fast, slow = parsed(frame(data)).rows, parsed(spaced).rows
    assert fast.equals(slow)


def test_a_truncated_file_publishes_nothing(tmp_path: Path) -> None:
    """Half a gzip file is refused when it is opened, wherever it is cut."""
    path = recorded(tmp_path, *[frame(book(u=n)) for n in range(2000)])
    whole = path.read_bytes()
    for length in (5, len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedSource, match="nothing was published"):
            open_binance(path)


def test_another_format_in_a_gzip_file_is_refused(tmp_path: Path) -> None:
    """The message says what was looked for."""
    with pytest.raises(UnknownFormat, match="frame of Binance"):
        open_binance(recorded(tmp_path, "1,2,3", "4,5,6"))


def test_a_file_of_an_unknown_symbol_is_refused(tmp_path: Path) -> None:
    """Nothing is published; where a known one is there too, the others are rejected line by line."""
    with pytest.raises(UnknownSymbol, match="unknown symbol DOGEUSDT"):
        open_binance(recorded(tmp_path, frame(book(symbol="DOGEUSDT"))))
    (block,) = read(recorded(tmp_path, frame(book(symbol="DOGEUSDT")), frame(book())))
    assert (block.ticks.height, block.rejected_count) == (1, 1)


whole = st.sampled_from([frame(book()), frame(trade()), frame({"e": "depthUpdate"}), frame(book(T=TIME + 100_000))])
pieces = st.one_of(
    whole.map(str.encode),
    st.builds(lambda line, end: line[:end].encode(), whole, st.integers(0, 150)),
    st.binary(max_size=60),
)


@given(st.lists(pieces, max_size=20))
def test_any_bytes_are_read_and_every_line_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes]
) -> None:
    """Lines read = ticks + trades + rejected + skipped."""
    body = b"\n".join([frame(book()).encode(), *content, b""])
    path = tmp_path_factory.mktemp("any") / "frames.gz"
    path.write_bytes(gzip.compress(body))
    blocks = read(path)
    total = sum(b.ticks.height + b.trades.height + b.rejected_count + b.skipped for b in blocks)
    assert total == blocks[-1].next.record == body.count(b"\n")
