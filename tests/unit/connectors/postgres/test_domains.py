"""The tables that domains declare: what fills them, what creates them, and what they may not share."""

from __future__ import annotations

import json
import re

import pytest

from tradewind.connectors.postgres.domains import DOMAINS
from tradewind.connectors.postgres.table import Domain, EventTable, is_time
from tradewind.schemas.codec.catalog import SCHEMAS
from tradewind.topics import DOMAIN_TOPICS

CREATED = re.compile(r"CREATE TABLE (\w+) \(\n(.*?)\n\);", re.DOTALL)
ADDED = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (\w+) ")
TABLES = [pytest.param(domain, table, id=table.name) for domain in DOMAINS for table in domain.tables]


def created(domain: Domain) -> dict[str, set[str]]:
    """Return table -> columns, as a domain's migrations create them."""
    text = "".join(migration.sql for migration in domain.migrations)
    lines = {name: [line.split()[0] for line in body.splitlines()] for name, body in CREATED.findall(text)}
    found = {name: {word for word in words if word.islower()} for name, words in lines.items()}
    for name, column in ADDED.findall(text):
        found[name].add(column)
    return found


def test_no_two_domains_share_a_name_or_a_table() -> None:
    """Each is created once."""
    names = [domain.name for domain in DOMAINS]
    tables = [name for domain in DOMAINS for name in created(domain)]
    assert sorted(names) == sorted(set(names))
    assert sorted(tables) == sorted(set(tables))


def test_the_sink_fills_a_table_from_each_topic_that_names_it() -> None:
    """What a topic says of its consumers is what the domains' tables say."""
    filled = [table.topic.name for domain in DOMAINS for table in domain.tables]
    assert sorted(filled) == sorted(topic.name for topic in DOMAIN_TOPICS if "postgres" in topic.consumers)


@pytest.mark.parametrize(("domain", "table"), TABLES)
def test_a_domain_s_own_migrations_create_every_column(domain: Domain, table: EventTable) -> None:
    """A field that a later schema adds needs a migration, or the sink would fail on its first batch."""
    assert created(domain)[table.name] == set(table.columns)


@pytest.mark.parametrize(("domain", "table"), TABLES)
def test_the_names_of_times_are_those_that_the_schema_calls_times(domain: Domain, table: EventTable) -> None:
    """Else a time would be written as a number, which PostgreSQL refuses."""
    record = json.loads(SCHEMAS[table.topic.model.SCHEMA][-1])
    times = {field["name"] for field in record["fields"] if "timestamp-micros" in json.dumps(field["type"])}
    assert {name for name in table.columns if is_time(name)} == times
