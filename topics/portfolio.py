"""Topics of the portfolio domain: what accounts hold, and what each of their deployments does."""

from tradewind.schemas.portfolio import DeploymentPosition, Position
from tradewind.topics.keys import deployment_position_key, instrument_key, position_key
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
DEPLOYMENT_POSITIONS = Topic(
    name="portfolio.deployments",
    model=DeploymentPosition,
    key=deployment_position_key,
    partition_key=instrument_key,
    owner="portfolio",
    producers=("portfolio",),
    consumers=("postgres",),
    cleanup="compact",
)
"""Of each account, they add up to its position."""
