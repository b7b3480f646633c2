"""Which time-series store a data folder has: an InfluxDB in the place of QuestDB needs only settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from influx_double import Double

from tradewind.connectors.settings import InfluxSettings, ServiceNotConfigured, Settings
from tradewind.infra.cli.processes.prepare import every_topic
from tradewind.infra.services import endpoints
from tradewind.infra.services.health import check
from tradewind.infra.services.stack import embedded
from tradewind.infra.services.timeseries import chosen
from tradewind.infra.status.names import inputs_of, topics_of, unused_of
from tradewind.infra.up.plan import Plan

NOWHERE = "http://127.0.0.1:1"


def settings_of(data: Path, **influx: object) -> Settings:
    """Return settings with a time-series store."""
    return Settings(_env_file=None, data=data, influx=InfluxSettings(**influx))


def test_an_influxdb_is_external_and_no_questdb_is_started(tmp_path: Path) -> None:
    """`up` runs its sink in the place of QuestDB's, and makes the topic of its dead letters."""
    with Double() as double:
        own = settings_of(tmp_path, url=double.url, token=double.token, org=double.org)
        assert "questdb" not in embedded(own, endpoints.external(own, tmp_path))
        plan = Plan(timeseries=chosen(own, tmp_path))
        names = {role.name for role in plan.roles(tmp_path)}
        assert {"sink-influxdb", "sink-postgres"} <= names
        assert "sink-questdb" not in names
        topics = {topic.name for topic in every_topic(own)}
        assert "influxdb.dlq" in topics
        assert "questdb.dlq" not in topics
        assert topics <= set(topics_of(own))
        assert inputs_of(own)["tradewind.influxdb"] == inputs_of(own)["tradewind.questdb"]


def test_the_product_is_asked_where_the_settings_do_not_tell(tmp_path: Path) -> None:
    """Without a token, as with InfluxDB 3 without authentication."""
    with Double() as double:
        assert chosen(settings_of(tmp_path, url=double.url), tmp_path) == "influxdb"
    assert chosen(settings_of(tmp_path, url=NOWHERE), tmp_path) == "questdb"
    assert chosen(settings_of(tmp_path), tmp_path) == "questdb"


def test_an_influxdb_without_an_address_is_refused(tmp_path: Path) -> None:
    """None is embedded."""
    with pytest.raises(ServiceNotConfigured, match="none is embedded: set TRADEWIND_INFLUX__URL, __TOKEN, __ORG"):
        chosen(settings_of(tmp_path, kind="influxdb"), tmp_path)


def test_health_has_the_name_of_the_product_that_answers(tmp_path: Path) -> None:
    """With its version; and one that is not meant is not well."""
    with Double() as double:
        for influx, healthy, said in (
            ({"url": double.url}, True, "2.8.0"),
            ({"url": double.url, "token": double.token}, True, "2.8.0"),
            ({"url": double.url, "kind": "questdb"}, False, "InfluxDB 2.8.0 answers at"),
        ):
            found = {one.name: one for one in check(settings_of(tmp_path, **influx))}
            store = found["questdb" if "kind" in influx else "influxdb"]
            assert (store.healthy, said in f"{store.version}{store.detail}") == (healthy, True)


@pytest.mark.parametrize(
    ("influx", "unused"),
    [
        ({}, {"tradewind.influxdb"}),
        ({"url": NOWHERE, "password": "p"}, {"tradewind.influxdb"}),
        ({"url": NOWHERE, "token": "t"}, {"tradewind.questdb"}),
        ({"url": NOWHERE}, set()),
    ],
)
def test_status_leaves_out_the_group_of_the_store_that_is_not_used(
    tmp_path: Path, influx: dict[str, object], unused: set[str]
) -> None:
    """Both are shown where the settings do not tell which one it is."""
    assert unused_of(settings_of(tmp_path, **influx)) == unused | {"tradewind.archive"}
