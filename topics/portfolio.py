"""Topics of the portfolio domain."""

from tradewind.schemas.portfolio import Position
from tradewind.topics.keys import instrument_key, position_key
from tradewind.topics.topic import Topic

POSITIONS = Topic(
    name="portfolio.positions",
    model=Position,
    key=position_key,
    partition_key=instrument_key,
    owner="portfolio",
    producers=("portfolio",),
    consumers=("postgres",),
    cleanup="compact",
)
