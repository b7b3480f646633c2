"""Tenants are changed by commands: as a whole, at the revision that was seen, or not at all with every reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import START, assert_law, ingested, places

from tests.unit.schemas.strategies import examples
from tradewind.processors.batch import Processor, UnknownSymbol
from tradewind.processors.identity import derive_id
from tradewind.processors.tenancy.keys import KEYS, MOST_NAMES, MOST_REASONS
from tradewind.processors.tenancy.processor import STATUSES, TENANT_BYTES, tenancy
from tradewind.schemas.avsc import committed, newest
from tradewind.schemas.event import Event
from tradewind.schemas.tenancy import Seeded, Tenant, TenantCommand, TenantRefused
from tradewind.testing import MemoryState, run

NEEDED: Mapping[str, Any] = {
    "accounts": ["main"],
    "risk_per_trade": "25",
    "max_order_notional": "500000",
    "max_position_notional": "600000",
}


def command(number: int, action: Any, revision: int, changes: Mapping[str, Any] | None = None, **other: Any) -> Event:
    """Return a command about tenant alpha, unless told otherwise; values are written as JSON."""
    fields: dict[str, Any] = {
        "event_id": derive_id("command", number),
        "tenant_id": "alpha",
        "ts_event": START + number,
        "ts_ingest": START + number,
        "correlation_id": "c",
        "causation_id": "c",
        "action": action,
        "revision": revision,
        "changes": tuple({"key": key, "value": json.dumps(value)} for key, value in (changes or {}).items()),
    }
    return TenantCommand(**{**fields, **other})


def create(**changes: Any) -> Event:
    """Return the command that creates alpha."""
    return command(0, "CREATE", 0, {**NEEDED, **changes})


def seeded() -> Seeded:
    """Return the end of the tenants that were known."""
    return Seeded(event_id="s", ts_event=1, ts_ingest=1, correlation_id="s", causation_id="s", tenants=1)


def done(*commands: Event, state: MemoryState | None = None) -> Tenant:
    """Return what the last of commands made of the tenant; fails where it was refused."""
    made = run(tenancy(), list(commands), state)[-1]
    assert isinstance(made, Tenant), made
    return made


def reasons(*commands: Event) -> set[tuple[str, str]]:
    """Return the codes and keys for which the last of commands is refused, having changed nothing."""
    state = MemoryState()
    if commands[:-1]:
        run(tenancy(), list(commands[:-1]), state)
    before = dict(state.values)
    (made,) = run(tenancy(), [commands[-1]], state)
    assert isinstance(made, TenantRefused), made
    assert state.values == before
    assert all(reason["text"] for reason in made.reasons)
    return {(str(reason["code"]), str(reason["key"])) for reason in made.reasons}


def test_a_command_may_set_every_field_of_a_tenant() -> None:
    """But for the envelope, the revision and the status."""
    schema = newest(committed())[Tenant.SCHEMA].schema
    fields = [field["name"] for field in schema["fields"]]
    assert list(KEYS) == fields[fields.index("status") + 1 :]


def test_a_new_tenant_is_active_at_revision_1_with_what_it_names_and_defaults_for_the_rest() -> None:
    """Quotas of AI have the limits that docs/ai.md states; what is written twice is the same."""
    made = done(create(features=["hedging", "alerts"], currency="EUR"))
    assert (made.tenant_id, made.revision, made.status, made.causation_id) == (
        "alpha",
        1,
        "ACTIVE",
        derive_id("command", 0),
    )
    assert (made.accounts, made.features, made.currency) == (("main",), ("alerts", "hedging"), "EUR")
    assert (made.risk_per_trade, made.max_order_notional) == (Decimal(25), Decimal(500_000))
    assert (made.order_type, made.ai_requests_per_day, made.ai_budget_per_month) == ("MARKET", 10_000, Decimal(5_000))
    assert made.in_range()


def test_a_change_holds_for_the_tenant_as_a_whole() -> None:
    """What is not named stays; the revision counts."""
    before = done(create())
    after = done(create(), command(1, "SET", 1, {"max_order_notional": 1.5, "tier": "gold"}))
    kept = {"event_id": before.event_id, "causation_id": before.causation_id, "ts_event": before.ts_event}
    assert replace(after, **kept, ts_ingest=before.ts_ingest, revision=1) == replace(
        before, max_order_notional=Decimal("1.5"), tier="gold"
    )
    assert after.revision == 2
    assert after.event_id != before.event_id


def test_a_tenant_is_suspended_resumed_and_closed() -> None:
    """A suspended one may still be set; nothing follows a close."""
    life = [
        create(),
        command(1, "SUSPEND", 1),
        command(2, "SET", 2, {"tier": "gold"}),
        command(3, "RESUME", 3),
        command(4, "CLOSE", 4),
    ]
    made = [event for event in run(tenancy(), life) if isinstance(event, Tenant)]
    assert [(of.revision, of.status) for of in made] == [
        (1, "ACTIVE"),
        (2, "SUSPENDED"),
        (3, "SUSPENDED"),
        (4, "ACTIVE"),
        (5, "CLOSED"),
    ]
    for action in ("SET", "SUSPEND", "RESUME", "CLOSE"):
        changes = {"tier": "x"} if action == "SET" else None
        assert reasons(*life, command(9, action, 5, changes)) == {("WRONG_STATUS", "")}
    assert reasons(*life, command(9, "CREATE", 5, NEEDED)) == {("EXISTS", "")}


@pytest.mark.parametrize("revision", [0, 1, 3, 2**40])
def test_a_stale_command_is_refused(revision: int) -> None:
    """Whoever gave it has not seen what the tenant is now; the refusal says what that is."""
    said = [create(), command(1, "SET", 1, {"tier": "gold"}), command(2, "SUSPEND", revision)]
    assert reasons(*said) == {("STALE_REVISION", "")}
    refused = run(tenancy(), said)[-1]
    assert isinstance(refused, TenantRefused)
    assert (refused.action, refused.revision, refused.current_revision) == ("SUSPEND", revision, 2)
    assert refused.causation_id == derive_id("command", 2)


def test_a_refusal_has_every_reason_at_once() -> None:
    """Of the place and of each key, so that nobody corrects them one by one."""
    wrong = {"tier": 5, "colour": "red", "orders_per_minute": -1, "currency": "euro", "max_order_notional": "NaN"}
    assert reasons(create(), command(1, "SET", 7, wrong)) == {
        ("STALE_REVISION", ""),
        ("INVALID_VALUE", "tier"),
        ("UNKNOWN_KEY", "colour"),
        ("INVALID_VALUE", "orders_per_minute"),
        ("INVALID_VALUE", "currency"),
        ("INVALID_VALUE", "max_order_notional"),
    }
    assert reasons(command(1, "CREATE", 3, {"tier": "gold", "accounts": []}, tenant_id="a/b")) == {
        ("STALE_REVISION", ""),
        ("INVALID_VALUE", "tenant_id"),
        ("INVALID_VALUE", "accounts"),
        *(("MISSING_KEY", key) for key in ("risk_per_trade", "max_order_notional", "max_position_notional")),
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("tier", value) for value in ("", "a b", "a/b", None, 1, ["a"], "x" * 65)),
        *(("accounts", value) for value in ([], ["a", "a"], ["a", 1], "main", [str(n) for n in range(MOST_NAMES + 1)])),
        *(("risk_per_trade", value) for value in ("0", "-1", "1e3", "1.00000000001", True, None, "9" * 60, [])),
        *(("limit_offset", value) for value in ("1.1", "-0.1")),
        *(("max_exposure_notional", value) for value in ("-1", "x", True)),
        *(("max_daily_loss", value) for value in ("-0.01", [])),
        *(("max_drawdown", value) for value in ("-1", "1e3")),
        *(("order_type", value) for value in ("STOP", "UNKNOWN", None, "market")),
        *(("time_to_live_us", value) for value in (0, -1, 1.5, "5", 2**63)),
        *(("max_quote_age_us", value) for value in (0, True, 2**63, None)),
        *(("orders_per_minute", value) for value in (-1, 2**31, 1.0, "1")),
        *(("ai_routes", value) for value in ({}, [{}], [{"purpose": "a", "provider": "b"}])),
        ("ai_routes", [{"purpose": "a", "provider": "b", "model": "c", "more": "d"}]),
        ("ai_routes", [{"purpose": "a", "provider": "b", "model": ""}]),
        *(("quotas", value) for value in ([], {"coffee": 1}, {"ai.cost": 1}, None)),
        *(("quotas", {"orders": value}) for value in (0, -1, True, 1.5, "5", 10**15 + 1)),
        *(("billing_zone", value) for value in ("", "Berlin time", "/", "../etc", 1)),
        *(("currency", value) for value in ("eur", "EURO", "", None)),
    ],
)
def test_what_a_key_does_not_take_is_refused_by_its_name(key: str, value: Any) -> None:
    """The reason quotes the value and says what is expected."""
    assert reasons(create(), command(1, "SET", 1, {key: value})) == {("INVALID_VALUE", key)}


def test_quotas_come_by_meter_and_are_kept_sorted() -> None:
    """The whole of them at once, so that an empty object takes all away."""
    asked = command(1, "SET", 1, {"quotas": {"orders": 5, "ai.tokens.in": 7}})
    *_, made = run(tenancy(), [create(), asked], MemoryState())
    assert isinstance(made, Tenant)
    assert made.quotas == ({"meter": "ai.tokens.in", "units": 7}, {"meter": "orders", "units": 5})
    *_, without = run(tenancy(), [create(), asked, command(2, "SET", 2, {"quotas": {}})], MemoryState())
    assert isinstance(without, Tenant)
    assert without.quotas == ()


def test_what_is_no_json_is_refused() -> None:
    """A word without quotes, a number that JSON lacks, a key twice, brackets without end."""
    for text in ("gold", "NaN", "Infinity", "", "[" * 100_000, '{"a":1,}'):
        raw = command(1, "SET", 1, changes=None)
        assert isinstance(raw, TenantCommand)
        asked = replace(raw, changes=({"key": "tier", "value": text},))
        assert reasons(create(), asked) == {("INVALID_VALUE", "tier")}
    twice = replace(asked, changes=({"key": "tier", "value": '"a"'}, {"key": "tier", "value": '"b"'}))
    assert reasons(create(), twice) == {("REPEATED_KEY", "tier")}


def test_what_does_not_fit_together_is_refused() -> None:
    """A market order that expires; a change of nothing; keys beside a suspension; a tenant that is too large."""
    assert reasons(create(time_to_live_us=5)) == {("INVALID_VALUE", "time_to_live_us")}
    assert done(create(time_to_live_us=5, order_type="LIMIT")).time_to_live_us == 5
    assert reasons(create(), command(1, "SET", 1, {"tier": "standard"})) == {("NOTHING_CHANGED", "")}
    assert reasons(create(), command(1, "SET", 1)) == {("NOTHING_CHANGED", "")}
    assert reasons(create(), command(1, "SUSPEND", 1, {"tier": "gold"})) == {("UNKNOWN_KEY", "tier")}
    names = [f"{number:02}{'x' * 60}" for number in range(MOST_NAMES)]
    assert len(json.dumps([names, names])) > TENANT_BYTES
    assert reasons(create(), command(1, "SET", 1, {"accounts": names, "features": names})) == {("TOO_LARGE", "")}


def test_a_refusal_is_never_larger_than_a_record_may_be() -> None:
    """However many keys somebody sends."""
    many = {f"key{number}" * 100: "x" * 10_000 for number in range(1_000)}
    (refused,) = run(tenancy(), [command(1, "CREATE", 0, many)])
    assert isinstance(refused, TenantRefused)
    assert len(refused.reasons) == MOST_REASONS
    assert len(json.dumps(refused.to_dict())) < 100_000


def test_commands_about_nobody_are_refused() -> None:
    """But for the one that creates."""
    for action in ("SET", "SUSPEND", "RESUME", "CLOSE"):
        changes = {"tier": "gold"} if action == "SET" else None
        assert reasons(command(1, action, 1, changes)) == {("NO_SUCH_TENANT", "")}


def test_a_command_that_comes_again_changes_nothing() -> None:
    """It made the tenant what it is: neither a change nor a refusal."""
    assert len(run(tenancy(), [create(), create()])) == 1


def test_seeded_passes_on_and_unknown_actions_are_poison() -> None:
    """In its place among the changes."""
    sent = run(tenancy(), [create(), seeded(), command(1, "SUSPEND", 1)])
    assert [type(event) for event in sent] == [Tenant, Seeded, Tenant]
    with pytest.raises(UnknownSymbol, match="action"):
        run(tenancy(), [command(1, "UNKNOWN", 1)])


@st.composite
def commands(draw: st.DrawFn) -> list[Event]:
    """Draw commands about a few tenants, right and wrong, some of them twice."""
    stream: list[Event] = []
    for number in range(draw(st.integers(0, 25))):
        if stream and draw(st.integers(0, 9)) == 0:
            stream.append(draw(st.sampled_from(stream)))
            continue
        action = draw(st.sampled_from(("CREATE", "SET", "SET", "SUSPEND", "RESUME", "CLOSE")))
        changes: dict[str, Any] = dict(NEEDED) if action == "CREATE" and draw(st.integers(0, 4)) else {}
        if action in ("CREATE", "SET") and draw(st.booleans()):
            changes["tier"] = draw(st.sampled_from(("gold", "silver", "a b")))
            changes["orders_per_minute"] = draw(st.integers(-1, 3))
        tenant = draw(st.sampled_from(("alpha", "beta")))
        stream.append(command(number, action, draw(st.integers(0, 4)), changes, tenant_id=tenant))
    return stream


def make() -> Processor:
    """Return the processor."""
    return tenancy()


@given(commands(), places)
@examples(200)
def test_cuts_change_nothing(stream: list[Event], cuts: list[int]) -> None:
    """The law of processors."""
    assert_law(make, ingested(stream, "tenancy.commands"), cuts)


@given(commands())
@examples(200)
def test_each_tenant_is_the_last_that_was_told_and_revisions_have_no_gaps(stream: list[Event]) -> None:
    """Each command makes one change, or one refusal that changes nothing, or comes again; statuses follow the table."""
    state = MemoryState()
    told: dict[str, Tenant] = {}
    for event in stream:
        assert isinstance(event, TenantCommand)
        before = told.get(event.tenant_id)
        sent = run(tenancy(), [event], state)
        if not sent:
            assert before is not None
            assert before.causation_id == event.event_id
            continue
        (made,) = sent
        if isinstance(made, TenantRefused):
            assert made.reasons
            continue
        assert isinstance(made, Tenant)
        assert made.in_range()
        assert made.revision == event.revision + 1 == (0 if before is None else before.revision) + 1
        assert STATUSES[None if before is None else before.status, event.action] == made.status  # type: ignore[index]
        told[event.tenant_id] = made
    assert {f"tenant/{name}": tenant for name, tenant in told.items()} == state.values
