"""The queries of the reads name columns that the events have: a schema that changes is noticed without a database."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, cast

import pytest

from tradewind.connectors.gateway.views import reads
from tradewind.topics import AUDIT, DECISIONS, FILLS, ORDER_EVENTS, ORDER_REQUESTS, POSITIONS, USAGE_TOTALS, Topic


def columns_of(topic: Topic) -> set[str]:
    """Return the columns of the table that a topic fills."""
    return {field.name for field in fields(cast("Any", topic.model))}


@pytest.mark.parametrize(
    ("query", "topic"), [(reads.POSITIONS, POSITIONS), (reads.FILLS, FILLS), (reads.USAGE, USAGE_TOTALS)]
)
def test_a_query_of_one_table_names_its_columns(query: str, topic: Topic) -> None:
    """All that stand before FROM."""
    named = set(re.findall(r"\w+", query[query.index("SELECT") + 6 : query.index("FROM")]))
    assert named <= columns_of(topic)


def test_queries_of_several_tables_name_their_columns() -> None:
    """Of the request by `r.`, and of the decision and the last step in their parts."""
    assert set(re.findall(r"\br\.(\w+)", reads.ORDERS)) <= columns_of(ORDER_REQUESTS)
    assert set(re.findall(r"\ba\.(\w+)", reads.AUDITED)) <= columns_of(AUDIT)
    for alias, table, topic in (("d", "decisions", DECISIONS), ("e", "order_events", ORDER_EVENTS)):
        (selected,) = re.findall(rf"SELECT ([\w, ]+) FROM {table}", reads.ORDERS)
        taken = set(selected.split(", "))
        assert taken <= columns_of(topic)
        assert set(re.findall(rf"\b{alias}\.(\w+)", reads.ORDERS)) <= taken
