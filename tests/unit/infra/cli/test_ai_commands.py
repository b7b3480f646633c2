"""Commands of AI and usage refuse what cannot be meant, before anything is written or paid for."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest
from asking import provider
from click.testing import CliRunner

from tradewind.connectors.settings import Settings
from tradewind.connectors.tenancy import reading
from tradewind.infra.cli.ai.ai import ai
from tradewind.infra.cli.ai.apply import require_adapters
from tradewind.infra.cli.known_tenants import require_tenant


def test_an_empty_question_is_not_asked() -> None:
    """It would cost tokens."""
    done = CliRunner().invoke(ai, ["ask", " "])
    assert (done.exit_code, "QUESTION is empty" in done.output) == (2, True)


def test_a_tenant_that_is_misspelt_is_told_from_one_that_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names those that there are; no name is every tenant."""
    monkeypatch.setattr(reading, "accounts", lambda _: {"alpha": (), "beta": ()})
    settings = Settings(_env_file=None)
    require_tenant("alpha", settings)
    require_tenant(None, settings)
    with pytest.raises(click.UsageError, match="no tenant 'alfa'; tenants are: alpha, beta"):
        require_tenant("alfa", settings)


def test_an_adapter_that_is_not_installed_is_refused() -> None:
    """Unless its provider is out of use."""
    strange = replace(provider("one", "m"), adapter="opnai")
    require_adapters("a.yaml", [provider("one", "m"), replace(strange, active=False)])
    with pytest.raises(click.ClickException, match=r"was not applied.*\n.*no adapter opnai here; here are .*openai"):
        require_adapters("a.yaml", [strange])
