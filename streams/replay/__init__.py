"""Run again what agents did, from their journals and the log, and compare it byte by byte."""

from tradewind.streams.replay.difference import Difference, Verified
from tradewind.streams.replay.verify import verify

__all__ = ["Difference", "Verified", "verify"]
