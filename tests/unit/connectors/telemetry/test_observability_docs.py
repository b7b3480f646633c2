"""The documentation names every metric as it is declared."""

from __future__ import annotations

import re

import pytest

from tradewind.connectors.settings import WatchdogSettings
from tradewind.connectors.telemetry.metrics import METRICS, Metric
from tradewind.connectors.watchdogs.watchdog import KINDS
from tradewind.infra.cli.checkout.tools import ROOT
from tradewind.infra.services.ports import DEFAULT_BASE, Ports
from tradewind.infra.up.plan import Plan

TEXT = (ROOT / "docs" / "observability.md").read_text("utf-8")


def row(metric: Metric) -> str:
    """Return the line that the table has of a metric."""
    attributes = ", ".join(f"`{name}`" for name in metric.attributes)
    return f"| `{metric.name}` | {metric.kind.value} | {metric.unit} | {attributes} | {metric.description} |"


def test_the_table_is_what_is_declared() -> None:
    """No more, no less, in the same order."""
    table = TEXT.partition("<!-- metrics -->")[2].partition("<!-- end of metrics -->")[0]
    assert table.strip().splitlines()[2:] == [row(metric) for metric in METRICS]


def test_rules_and_examples_name_metrics_that_there_are() -> None:
    """By their names in Prometheus."""
    examples = "".join(re.findall(r"```yaml.*?```", TEXT, re.DOTALL))
    names = {name.replace(".", "_") for name in (metric.name for metric in METRICS)}
    named = set(re.findall(r"\b((?:tradewind|messaging)_[a-z_]+)[{\[ )]", examples)) - {
        "messaging_consumer_group_name",
        "tradewind_kind",
        "tradewind_outcome",
    }
    assert named
    for name in named:
        assert re.sub(r"(_seconds)?(_total|_bucket|_count|_sum)?$", "", name) in names, name


@pytest.mark.parametrize("kind", KINDS)
def test_the_bounds_of_watchdogs_are_the_defaults(kind: str) -> None:
    """Each kind has a row with its variable and its bound in seconds."""
    bound = getattr(WatchdogSettings(), f"{kind}_s")
    assert re.search(rf"\| `{kind}` \|.*__{kind.upper()}_S`, {bound:.0f} \|", TEXT)


def test_the_ports_of_up_are_those_that_are_told() -> None:
    """In the scrape configuration, one for each process."""
    roles = Plan().roles(ROOT)
    targets = [int(port) for port in re.findall(r'"127\.0\.0\.1:(\d+)"', TEXT)]
    assert targets == [role.metrics_port for role in roles] == list(Ports(DEFAULT_BASE).metrics[: len(roles)])
