"""Pairs of questions: 500 that ask for something else in almost the same words, and some that ask the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "AAPL", "BTCUSDT", "XAUUSD")
FRAMES = (
    "Given the last ten bars and the news of this morning, {}",
    "For a portfolio that holds mostly dollars and some gold, {}",
    "We have to decide before the market closes this evening: {}",
    "Please answer in one short sentence for our desk. {}",
)
KINDS = {
    "number": (
        ("should we buy {} at 1.085 with a stop of 20 points?", "should we buy {} at 1.085 with a stop of 25 points?"),
        ("is a target of 10% in 3 months realistic for {}?", "is a target of 10% in 6 months realistic for {}?"),
        ("would {} at 1,085 be expensive?", "would {} at 1.085 be expensive?"),
        ("is a move of -5 points in {} unusual?", "is a move of 5 points in {} unusual?"),
    ),
    "symbol": (
        ("should we hold {} over the weekend?", "should we hold NZDUSD over the weekend?"),
        ("is {} stronger than AUDUSD today?", "is AUDUSD stronger than {} today?"),
        ("is {} quoted in US hands?", "is {} quoted in us hands?"),
    ),
    "side": (
        ("should we buy {} now?", "should we sell {} now?"),
        ("is it wise to go long {} here?", "is it wise to go short {} here?"),
        ("would you buy a call on {}?", "would you buy a put on {}?"),
        ("buy {} if it rises and sell if it falls?", "sell {} if it rises and buy if it falls?"),
    ),
    "negation": (
        ("should we close {} today?", "should we not close {} today?"),
        ("is {} overbought?", "isn't {} overbought?"),
        ("do traders with no losses hold {}?", "do traders with losses hold {}?"),
        ("can {} fall without news?", "can {} fall with news?"),
    ),
    "comparative": (
        ("is {} more volatile than last week?", "is {} less volatile than last week?"),
        ("will {} close above its high of today?", "will {} close below its high of today?"),
        ("is the risk of {} at least 2 lots?", "is the risk of {} at most 2 lots?"),
        ("do few analysts like {}?", "do a few analysts like {}?"),
    ),
    "tense": (
        ("did {} react to the rate decision?", "will {} react to the rate decision?"),
        ("is {} in an uptrend?", "was {} in an uptrend?"),
    ),
    "word": (
        ("explain why the {} option is out of the money.", "explain why the {} option is out of money."),
        ("who is in charge of {}?", "who is in the charge of {}?"),
        ("can you trade {}?", "trade {}."),
    ),
}  # fmt: skip


def opposites(count: int) -> list[tuple[str, str, str]]:
    """Return pairs that do not ask the same, each with its kind; all kinds have their share."""
    kinds = [_of(kind, pairs) for kind, pairs in KINDS.items()]
    mixed = (pair for turn in itertools.zip_longest(*kinds) for pair in turn if pair is not None)
    found = list(dict.fromkeys(mixed))[:count]
    assert len(found) == count
    return found


def _of(kind: str, pairs: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str, str]]:
    for frame, symbol, (one, other) in itertools.product(FRAMES, SYMBOLS, pairs):
        yield kind, frame.format(one.format(symbol)), frame.format(other.format(symbol))


PARAPHRASES = (
    ("What is the outlook for EURUSD today?", "what is the outlook for EURUSD today"),
    ("What's the outlook for EURUSD today?", "What is the outlook for EURUSD today?"),
    ("What is the outlook for EUR/USD this week?", "What is the outlook for EURUSD this week?"),
    ("Please summarize the news about AAPL of this morning.", "Summarise the news about AAPL of this morning"),
    ("Could you explain why gold fell after the rate decision?", "Explain why gold fell after the rate decision."),
    ("Is the short-term trend of GBPUSD still up?", "Is the short term trend of GBPUSD still up?"),
    ("Don't analyze the whole market, only the banks, please.", "Do not analyse the whole market, only the banks."),
    ("Is a loss of 10 percent in one month usual for BTCUSDT?", "Is a loss of 10% in one month usual for BTCUSDT?"),
    ("Compare  USDJPY\u00a0with the yields of ten years!", "Compare USDJPY with the yields of ten years."),
    ("Which sectors can't bear higher rates for long?", "Which sectors cannot bear higher rates for long?"),
    ("Tell me which risks the portfolio has, thanks", "Please tell me which risks the portfolio has"),
    ("Hello, is the spread of EURUSD wider than usual?", "Is the spread of EURUSD wider than usual?"),
)  # fmt: skip
"""Pairs that ask the same."""
