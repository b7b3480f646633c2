"""The gate of answers that are kept by meaning: whether two questions ask the same in other words. Pure.

Both questions are brought into a plain form. The gate is open only if the forms are equal, word by word and in order,
and not empty.
The form keeps each number, symbol, side, negation, comparative, tense and content word. Only spelling and courtesy go:
"Could you please tell me" is "Tell me", "isn't" is "is not", and EUR/USD is EURUSD.

Words as small as "the" stay: "out of the money" is not "out of money".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

MOST_CHARACTERS: Final = 2_048
"""Of a question that may be answered by its meaning. A longer one is a document, and no two of these say the same."""
TOKEN: Final = re.compile(
    r"\n[ \t]*"  # with its indentation, which code needs
    r"|(?:(?<![\w.)])[-+\u2212])?\d+(?:[.,]\d+)*"
    r"|[^\W\d_]+(?:'[^\W\d_]+)*"
    r"|\S"
)
PAIR: Final = re.compile(r"(?<![\w/])([A-Z]{3})/([A-Z]{3})(?![\w/])")
COURTESY_FIRST: Final = (("please", ","), ("please",), ("kindly",), ("hi", ","), ("hello", ","))
COURTESY_LAST: Final = (("please",), ("thanks",), ("thank", "you"))
CAN: Final = frozenset({"can", "could", "would"})
ASKED: Final = frozenset({"please", "kindly", "tell", "explain", "describe", "summarize", "analyze", "list", "compare"})
"""What follows "could you" in a request. "Can you trade gold" is none: it asks whether one can."""
QUESTIONS: Final = frozenset(
    [
        "what",
        "which",
        "who",
        "whose",
        "where",
        "when",
        "why",
        "how",
        "is",
        "are",
        "was",
        "were",
        "am",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "can",
        "could",
        "will",
        "would",
        "should",
        "may",
        "might",
        "must",
        "shall",
    ]
)
"""Words that make a sentence a question by themselves, so that its question mark says no more."""
STARTS: Final = QUESTIONS | ASKED | {"give", "show", "if", "the", "for", "on", "in", "at", "hi", "hello", "thanks"}
"""Words that are written with a capital only because they begin a sentence; others may be names, such as Apple."""
SAME: Final[Mapping[str, tuple[str, ...]]] = {
    "what's": ("what", "is"), "where's": ("where", "is"), "how's": ("how", "is"),
    "isn't": ("is", "not"), "aren't": ("are", "not"), "wasn't": ("was", "not"), "weren't": ("were", "not"),
    "don't": ("do", "not"), "doesn't": ("does", "not"), "didn't": ("did", "not"), "won't": ("will", "not"),
    "can't": ("can", "not"), "cannot": ("can", "not"), "couldn't": ("could", "not"), "shouldn't": ("should", "not"),
    "wouldn't": ("would", "not"), "hasn't": ("has", "not"), "haven't": ("have", "not"), "hadn't": ("had", "not"),
    "summarise": ("summarize",), "analyse": ("analyze",), "favour": ("favor",), "favourable": ("favorable",),
    "regarding": ("about",), "versus": ("vs",), "percent": ("%",), "okay": ("ok",),
}  # fmt: skip
COMPOUNDS: Final = frozenset({("short", "term"), ("long", "term"), ("stop", "loss"), ("take", "profit")})
"""Words that some write with a hyphen."""


def plain(text: str) -> tuple[str, ...]:
    """Return the plain form of a question: its words in order, and how its sentences end. Empty for long texts."""
    if len(text) > MOST_CHARACTERS:
        return ()
    normal = unicodedata.normalize("NFC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").strip()
    tokens = TOKEN.findall(PAIR.sub(r"\1\2", normal))
    return tuple(word for sentence in _sentences(tokens) for word in _plain_sentence(sentence))


def _sentences(tokens: list[str]) -> Iterator[list[str]]:
    """Give the sentences, each with its end; the last one may have none."""
    sentence: list[str] = []
    for token in tokens:
        sentence.append(token)
        if token in {".", "!", "?"} or token.startswith("\n"):
            yield sentence
            sentence = []
    if sentence:
        yield [*sentence, "."]


def _plain_sentence(sentence: list[str]) -> list[str]:
    words, end = _spelled(_begun(sentence[:-1])), "." if sentence[-1] == "!" else sentence[-1]
    asks = bool(words) and words[0] in QUESTIONS
    words = _without_courtesy(words)
    asks = asks or (bool(words) and words[0] in QUESTIONS)
    return [*words, "." if asks and end == "?" else end]


def _begun(words: list[str]) -> list[str]:
    """Return the words with the first one as it is written within a sentence."""
    if words and words[0][1:].islower() and (words[0].lower() in STARTS or words[0].lower() in SAME):
        return [words[0].lower(), *words[1:]]
    return words


def _spelled(words: list[str]) -> list[str]:
    """Return the words with one spelling for each."""
    found: list[str] = []
    for at, word in enumerate(words):
        if word != "-" or (words[at - 1] if at else "", *words[at + 1 : at + 2]) not in COMPOUNDS:
            found.extend(SAME.get(word, (word,)))
    return found


def _without_courtesy(words: list[str]) -> list[str]:
    """Return the words of a sentence without what is said to be polite."""
    before: list[str] | None = None
    while words != before:
        before = words
        for first in COURTESY_FIRST:
            if tuple(words[: len(first)]) == first:
                words = _spelled(_begun(words[len(first) :]))
        match words:
            case [can, "you", asked, *_] if can in CAN and asked in ASKED:
                words = words[2:]
        for last in COURTESY_LAST:
            if len(words) > len(last) and tuple(words[-len(last) :]) == last:
                words = words[: -len(last)]
                words = words[:-1] if words[-1] == "," else words
    return words
