"""A setting that is wrong is told by the name of its variable, without its secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tradewind.connectors.settings import BESIDE, Settings, SettingsRefused, strangers
from tradewind.infra.cli.checkout.tools import ROOT

TENANT = {
    "tenant_id": "a",
    "accounts": ["m"],
    "sizing": {"risk_per_trade": 1, "order_type": "MARKET"},
    "limits": {"max_order_notional": 1, "max_position_notional": 1, "max_quote_age_us": 1},
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Read no `.env` of a person, and no endpoints."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TENANTS", '[{"tenant_id":', "TRADEWIND_TENANTS is no JSON: Expecting value: line 1 column 15"),
        ("TENANTS", "alpha", "TRADEWIND_TENANTS is no JSON"),
        ("TENANTS", '[{"tenant_id": "a"}]', "TRADEWIND_TENANTS[0].accounts: Field required"),
        ("TENANTS", json.dumps([{**TENANT, "accounts": 5}]), "TRADEWIND_TENANTS[0].accounts: Input should be"),
        ("TENANTS", json.dumps([TENANT, TENANT]), "account 'm' of tenant 'a' appears twice"),
        ("TENANTS", json.dumps([{**TENANT, "limits": {}}]), "TRADEWIND_TENANTS[0].limits.max_order_notional: Field"),
        ("NAMESPACE", "Big", "TRADEWIND_NAMESPACE: String should match"),
        ("BAR_GRACE_MS", "-1", "TRADEWIND_BAR_GRACE_MS: Input should be greater than or equal to 0 (it is '-1')"),
        ("METRICS__PORT", "http", "TRADEWIND_METRICS__PORT: Input should be a valid integer"),
        ("KAFKA__BOOTSTRAPP", "x", "there is no such setting; is it TRADEWIND_KAFKA__BOOTSTRAP? (it is 'x')"),
        ("KAFKA", "{", "TRADEWIND_KAFKA is no JSON"),
        ("KAFKA__SECURITY_PROTOCOL", "TLS", "TRADEWIND_KAFKA__SECURITY_PROTOCOL: Input should be 'PLAINTEXT'"),
        ("OTLP__SAMPLE_RATIO", "nan", "TRADEWIND_OTLP__SAMPLE_RATIO: Input should be"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is wrong and what it is."""
    monkeypatch.setenv(f"TRADEWIND_{name}", value)
    with pytest.raises(SettingsRefused) as told:
        Settings()
    assert said in str(told.value)
    assert "set it in the environment or in .env" in str(told.value)


def test_a_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are read by many."""
    monkeypatch.setenv("TRADEWIND_KAFKA__PASSWORDD", "hunter2")
    monkeypatch.setenv("TRADEWIND_POSTGRES__URLL", "postgresql://me:hunter2@db")
    with pytest.raises(SettingsRefused, match="is it TRADEWIND_KAFKA__PASSWORD") as told:
        Settings()
    assert "hunter2" not in str(told.value)


def test_variables_that_are_no_settings_are_found(alone: Path) -> None:
    """One underscore for two is the common one, and would start an embedded Kafka beside the one that was meant."""
    (alone / ".env").write_text("TRADEWIND_TENANT=[]\n")
    given = {"TRADEWIND_KAFKA_BOOTSTRAP": "x", "tradewind_namespace": "a.", "TRADEWIND_CACHE": "/c", "PATH": "/bin"}
    assert strangers({**given, "TRADEWIND_KAFKA__BOOTSTRAP": "y", "TRADEWIND_KAFKA__TYPO": "refused elsewhere"}) == {
        "TRADEWIND_KAFKA_BOOTSTRAP": "TRADEWIND_KAFKA__BOOTSTRAP",
        "TRADEWIND_TENANT": "TRADEWIND_TENANTS",
    }
    assert strangers({f"TRADEWIND_{name}": "x" for name in BESIDE}, alone / "none") == {}


def test_every_variable_that_the_code_reads_is_known() -> None:
    """So that no person is told that it changes nothing. A text that ends in _ is the beginning of several."""
    sources = [path for part in ("connectors", "infra") for path in (ROOT / part).rglob("*.py")]
    named = {name for path in sources for name in re.findall(r'"(TRADEWIND_[A-Z]+\w*(?<!_))"', path.read_text())}
    assert len(named) > len(BESIDE)
    assert strangers(dict.fromkeys(named, "x")) == {}


def test_files_that_cannot_be_read_are_named(alone: Path) -> None:
    """The settings file of another encoding, and endpoints that a full disk has cut."""
    (alone / ".env").write_bytes(b"TRADEWIND_NAMESPACE=\xff")
    with pytest.raises(SettingsRefused, match=r"\.env is not UTF-8.*save it as UTF-8"):
        Settings()
    (alone / ".env").unlink()
    (alone / "endpoints.json").write_text('{"kafka": {')
    with pytest.raises(SettingsRefused, match=r"endpoints\.json of the data folder is no JSON.*remove it"):
        Settings(data=alone)
