"""Feeds: sources of quotes and trades, published exactly once."""

from tradewind.connectors.feeds.feed import Block, Bounds, Feed, FeedError, Rejection, SourcePosition
from tradewind.connectors.feeds.simulator.simulator import Simulator
from tradewind.connectors.feeds.sources import open_feed

__all__ = ["Block", "Bounds", "Feed", "FeedError", "Rejection", "Simulator", "SourcePosition", "open_feed"]
