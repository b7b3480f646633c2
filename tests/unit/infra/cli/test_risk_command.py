"""What `risk explain` says of an order, for people and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

from processing import START, decision, request

from tradewind.connectors.postgres.one_order import Asked
from tradewind.infra.cli.books.risk import explanation, lines
from tradewind.processors.risk.explained import Checked

CHECKS = (
    Checked("STALE_PRICE", "3", "1000", passed=True, differs=False),
    Checked("MAX_POSITION", "6250", "5000", passed=False, differs=False),
)


def test_a_denied_order_shows_each_check_and_what_it_was_judged_by() -> None:
    """From the request down to the decision."""
    denied = decision(1, outcome="DENIED", held=Decimal(4_000), exposure=Decimal("4000.50"), tenant_revision=3)
    denied = replace(denied, codes=("MAX_POSITION",), reason="the position would be worth 6250.00, above 5000.00")
    told = explanation(Asked(request(1, quote_ts=START - 3), denied, []), CHECKS, "")
    assert "\n".join(lines(json.loads(json.dumps(told)))).splitlines() == [
        "order     order-1 of alpha/main/test",
        "request   ADD 1000 EURUSD.OANDA, 2014-05-01T00:00:00.000000Z",
        "quote     1 / 1.25, 3 µs old",
        "position  4000 units of the deployment, 4000.5 of the account",
        "",
        "check         value  limit",
        "STALE_PRICE       3   1000  passed",
        "MAX_POSITION   6250   5000  FAILED",
        "The limits are those of revision 3 of alpha.",
        "",
        "decision  DENIED BUY 1000: MAX_POSITION",
        "          the position would be worth 6250.00, above 5000.00",
    ]


def test_an_order_without_a_decision_shows_why_there_are_no_checks() -> None:
    """Nothing is made up for what the sink does not have yet."""
    told = explanation(Asked(request(1), None, []), (), "risk has not decided yet")
    assert (told["position"], told["decision"], told["checks"], told["events"]) == (None, None, [], [])
    assert list(lines(told))[-1] == "\nrisk has not decided yet"
