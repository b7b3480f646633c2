"""The sizes of a worker: a negative one is refused, and what replay runs again has the usual ones."""

from __future__ import annotations

import pytest

from tradewind.streams.runtime import Sizes


def test_a_negative_size_is_refused_by_its_name() -> None:
    """A worker would never release, or never write, anything."""
    with pytest.raises(ValueError, match="released_pieces is at least 0, not -1"):
        Sizes(released_pieces=-1)
