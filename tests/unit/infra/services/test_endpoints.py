"""Endpoints and passwords: for their owner alone, and never mistaken for external services."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.connectors.settings import KafkaSettings, PostgresSettings, Settings
from tradewind.infra.services import endpoints
from tradewind.infra.services.passwords import password, write_private

OWN = {
    "kafka": {"bootstrap": "127.0.0.1:19092", "replication_factor": 1},
    "postgres": {"url": "postgresql://127.0.0.1:19102/tradewind", "user": "tradewind", "password": "secret"},
    "registry": {"url": "http://127.0.0.1:19098/apis/ccompat/v7"},
    "influx": {"url": "http://127.0.0.1:19100", "user": "tradewind", "password": "secret"},
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("KAFKA__BOOTSTRAP", "POSTGRES__URL", "REGISTRY__URL", "INFLUX__URL", "DATA"):
        monkeypatch.delenv(f"TRADEWIND_{name}", raising=False)


def test_settings_read_what_was_published(tmp_path: Path) -> None:
    """Every process of the data folder finds the services, with their passwords."""
    endpoints.publish(tmp_path, OWN)
    settings = Settings(data=tmp_path)
    assert settings.bootstrap == OWN["kafka"]["bootstrap"]
    assert settings.postgres.password is not None
    assert settings.postgres.password.get_secret_value() == "secret"
    assert endpoints.published(tmp_path) == OWN


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    """Endpoints hold passwords: mode 0600, also where a file with another mode was there."""
    path = tmp_path / "endpoints.json"
    path.write_text("{}")
    path.chmod(0o644)
    endpoints.publish(tmp_path, OWN)
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_known_after_they_are_withdrawn(tmp_path: Path) -> None:
    """After a clean stop there is no service to find; withdrawing again does nothing."""
    endpoints.publish(tmp_path, OWN)
    for _ in range(2):
        endpoints.withdraw(tmp_path)
        assert endpoints.published(tmp_path) == {}
    assert Settings(data=tmp_path).kafka.bootstrap is None


def test_what_a_killed_stack_published_is_not_external(tmp_path: Path) -> None:
    """After a kill the endpoints are still there, and the services must be started all the same."""
    endpoints.publish(tmp_path, OWN)
    assert endpoints.external(Settings(data=tmp_path), tmp_path) == frozenset()


def test_what_the_user_names_is_external(tmp_path: Path) -> None:
    """A URL of the user's stands, whatever was published before."""
    for published in ({}, OWN):
        endpoints.publish(tmp_path, published)
        settings = Settings(
            data=tmp_path,
            kafka=KafkaSettings(bootstrap="broker.example:9092"),
            postgres=PostgresSettings(url="postgresql://db.example/tradewind"),
        )
        assert endpoints.external(settings, tmp_path) == {"kafka", "postgres"}


def test_a_password_is_generated_once_and_kept_private(tmp_path: Path) -> None:
    """The same password at every start, another one for every service, and mode 0600 in a folder of mode 0700."""
    first = password(tmp_path, "postgres")
    assert password(tmp_path, "postgres") == first
    assert len(first) >= 32
    assert password(tmp_path, "questdb") != first
    assert (tmp_path / "passwords" / "postgres").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "passwords").stat().st_mode & 0o777 == 0o700


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """Nothing but the file is left, and a draft of a killed writer is no obstacle."""
    path = tmp_path / "secret"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert list(tmp_path.iterdir()) == [path]
