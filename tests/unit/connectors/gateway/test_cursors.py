"""A cursor goes on in the list that it was made for, and in no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradewind.connectors.gateway.cursors import Cursor, Cursors
from tradewind.connectors.gateway.problems import Problem

PLACE = (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "id-1")
CURSORS = Cursors(b"k" * 32)


def test_a_cursor_is_read_as_it_was_made() -> None:
    """To the microsecond; without one a list begins at its newest row."""
    text = CURSORS.made("orders", "alpha", PLACE)
    assert CURSORS.read("orders", "alpha", text).place == PLACE
    assert CURSORS.made("orders", "alpha", None) is None
    assert CURSORS.read("orders", "alpha", None) == Cursor()


@pytest.mark.parametrize("of", [("fills", "alpha"), ("orders", "beta"), ("orders", None)])
def test_a_cursor_of_another_list_or_tenant_is_refused(of: tuple[str, str | None]) -> None:
    """It would begin in the middle of somebody else's."""
    text = CURSORS.made("orders", "alpha", PLACE)
    with pytest.raises(Problem) as refused:
        CURSORS.read(*of, text)
    assert (refused.value.status, refused.value.code) == (400, "FOREIGN_CURSOR")


@pytest.mark.parametrize("text", ["", "x", "!", "A" * 5_000, "AAAAAAAAAAAAAAAAAAAAAAAA", "ä"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(Problem) as refused:
        CURSORS.read("orders", "alpha", text)
    assert refused.value.code == "FOREIGN_CURSOR"


def test_a_cursor_of_another_key_is_refused() -> None:
    """Nobody else can make one."""
    text = Cursors(b"o" * 32).made("orders", "alpha", PLACE)
    with pytest.raises(Problem):
        CURSORS.read("orders", "alpha", text)
