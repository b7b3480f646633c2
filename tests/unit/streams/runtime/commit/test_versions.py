"""What a journal says of the process that wrote it can be compared, and its configuration used again."""

from __future__ import annotations

import json

from pydantic import SecretStr

from tradewind.connectors.settings import KafkaSettings, PostgresSettings, Settings
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.streams.market import market
from tradewind.streams.runtime.commit.versions import configuration, configured, versions

SECRET = Settings(
    _env_file=None,
    kafka=KafkaSettings(bootstrap="somewhere:1", password=SecretStr("hidden")),
    postgres=PostgresSettings(password=SecretStr("hidden")),
    bar_grace_ms=123,
    tenants=DEFAULT_TENANTS[:1],
)


def test_a_configuration_tells_what_decides_and_no_place_or_secret() -> None:
    """The journal is read by more people than the passwords are."""
    told = configuration(SECRET)
    assert json.loads(told)["bar_grace_ms"] == 123
    assert not any(word in told for word in ("hidden", "somewhere", "namespace", "kafka"))


def test_settings_take_a_recorded_configuration_back() -> None:
    """Connections and first tenants of today, the limits of then; what is no setting any more is left out."""
    today = Settings(_env_file=None, kafka=KafkaSettings(bootstrap="here:1"), bar_grace_ms=5)
    recorded = json.dumps({**json.loads(configuration(SECRET)), "no_longer_a_setting": 1})
    then = configured(today, recorded)
    assert (then.bar_grace_ms, then.tenants, then.bootstrap) == (123, today.tenants, "here:1")


def test_versions_are_those_of_this_process() -> None:
    """Asked again they are the same; other settings are another configuration and the same code."""
    agent = market(SECRET)
    one, other = versions(SECRET, agent), versions(Settings(_env_file=None), agent)
    assert one == versions(SECRET, agent)
    assert one["configuration"] != other["configuration"]
    assert {name for name in one if one[name] != other[name]} == {"configuration"}
