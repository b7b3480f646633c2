"""The built-in strategy on news: it asks a model what an item means for the price, and follows the answer."""

from __future__ import annotations

from typing import ClassVar, Final

from tradewind.processors.signals.strategy import JSON, REASON_CHARACTERS, Answer, Strategy, View
from tradewind.schemas.market import Bar, News

PROMPT: Final = "news-sentiment@1"
BODY_CHARACTERS: Final = 4_000  # of an item: its meaning stands at its beginning, and each token costs


class NewsSentiment(Strategy):
    """LONG on good news, SHORT on bad news, as strong as sentiment times confidence; silent where that is little."""

    name: ClassVar[str] = "news_sentiment"
    interval_s: ClassVar[int] = 60

    def __init__(self, least: float = 0.2, valid_s: float = 60.0) -> None:
        """Take the least strength that counts, and how long an answer is of use, s; raises `ValueError` for others."""
        if not 0 <= least <= 1:
            raise ValueError(f"a least strength of {least}: it is from 0 to 1")
        self.least, self.valid_s = least, valid_s

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        """Say nothing: bars only tell the agent the quote that a signal carries."""

    def on_news(self, memory: dict[str, JSON], news: News) -> View | None:  # noqa: ARG002 - nothing is remembered
        """Ask what the item means."""
        values = {
            "symbol": news.symbol,
            "source": news.source or "unknown",
            "headline": news.headline,
            "body": news.body[:BODY_CHARACTERS],
        }
        self.ask(PROMPT, values, self.valid_s)
        return None

    def on_answer(self, memory: dict[str, JSON], answer: Answer | None) -> View | None:  # noqa: ARG002
        """Follow the answer, if there is one in time."""
        if answer is None:
            return None
        sentiment, confidence = answer.json["sentiment"], answer.json["confidence"]
        strength = abs(sentiment) * confidence
        if strength < self.least or strength == 0:
            return None
        said = "".join(one if one.isprintable() else " " for one in answer.json["reason"])
        reason = f"news, sentiment {sentiment:+.2f}, confidence {confidence:.2f}: {said}"
        return View("LONG" if sentiment > 0 else "SHORT", strength, reason[:REASON_CHARACTERS])
