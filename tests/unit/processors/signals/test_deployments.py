"""Deployments change by commands, and each is asked with its own parameters, instruments and memory."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import START, assert_law, bar, ingested, places

from tradewind.processors.batch import Processor
from tradewind.processors.signals.deployments import MOST, Catalogue
from tradewind.processors.signals.parameters import by_name, parameters_of
from tradewind.processors.signals.processor import signals
from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.processors.tenancy.processor import tenancy
from tradewind.processors.tenancy.seed import commands_of
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import Deployment, DeploymentCommand, DeploymentRefused, Signal
from tradewind.testing import MemoryState, run


class Counting(Strategy):
    """Says each bar how many it has seen, from its first number on; out of the market after its last."""

    name, interval_s = "counting", 60

    def __init__(self, first: int = 1, last: float = 100.0, side: str = "LONG", *, loud: bool = False) -> None:
        if first < 0:
            raise ValueError("first is below 0")
        self.first, self.last, self.side, self.loud = first, last, side, loud

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        memory["seen"] = memory.get("seen", self.first - 1) + 1
        side: Any = self.side if memory["seen"] <= self.last else "FLAT"
        return View(side, 1.0, str(memory["seen"]))


KNOWN = by_name([Counting()])
CATALOGUE = Catalogue(KNOWN, {"EURUSD", "XAUUSD"})


def command(action: Any = "DEPLOY", revision: int = 0, name: str = "one", **values: Any) -> DeploymentCommand:
    """Return a command for a deployment of alpha's account main, with an id of its content."""
    given = {"strategy": "counting", **values} if action == "DEPLOY" else values
    told = {key: json.dumps(value) for key, value in given.items()}
    event_id = f"{name} {action} {revision} {sorted(told.items())}"[:200]
    return DeploymentCommand(
        event_id=event_id,
        tenant_id="alpha",
        ts_event=START,
        ts_ingest=START,
        correlation_id=event_id,
        causation_id=event_id,
        account_id="main",
        deployment=name,
        action=action,
        revision=revision,
        changes=tuple({"key": key, "value": value} for key, value in told.items()),
    )


def told(*commands: DeploymentCommand, state: MemoryState | None = None) -> list[Event]:
    """Return what the agent says of commands, after those that create the tenants."""
    kept = MemoryState() if state is None else state
    run(tenancy(CATALOGUE), commands_of(DEFAULT_TENANTS, 1), kept)
    return run(tenancy(CATALOGUE), commands, kept)


def deployments(*commands: DeploymentCommand) -> list[Deployment]:
    """Return what becomes of commands that are all accepted."""
    made = [event for event in told(*commands) if isinstance(event, Deployment)]
    assert len(made) == len(commands)
    return made


def said(events: list[Event]) -> list[tuple[str | None, str, str]]:
    """Return deployment, direction and reason of each signal."""
    return [(one.deployment, one.direction, one.reason) for one in events if isinstance(one, Signal)]


def make() -> Processor:
    """Return the agent that asks deployments."""
    return signals(KNOWN.values())


def test_a_command_makes_the_whole_deployment() -> None:
    """With what it names, and what a new one has."""
    (made,) = deployments(command(parameters={"first": 5, "last": 7}, instruments=["XAUUSD", "EURUSD"], size="0.5"))
    assert (made.tenant_id, made.account_id, made.deployment, made.strategy) == ("alpha", "main", "one", "counting")
    assert (made.revision, made.since, made.status, made.version) == (1, 1, "ACTIVE", None)
    assert (made.parameters, made.instruments) == ('{"first":5,"last":7}', ("EURUSD", "XAUUSD"))
    assert (made.mode, made.sizing, str(made.size)) == ("TARGET", "VOLATILITY", "0.5")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (command(strategy="nothing"), "UNKNOWN_STRATEGY"),
        (command(version=2), "WRONG_VERSION"),
        (command(parameters={"fast": 1}), "UNKNOWN_PARAMETER"),
        (command(parameters={"first": 1.5}), "INVALID_PARAMETER"),
        (command(parameters={"first": True}), "INVALID_PARAMETER"),
        (command(parameters={"loud": 1}), "INVALID_PARAMETER"),
        (command(parameters={"first": -1}), "INVALID_PARAMETER"),
        (command(parameters=[1]), "INVALID_VALUE"),
        (command(instruments=["EURUSD", "GBPUSD"]), "UNKNOWN_INSTRUMENT"),
        (command(instruments=[]), "INVALID_VALUE"),
        (command(instruments=["*", "EURUSD"]), "INVALID_VALUE"),
        (command(sizing="UNITS"), "MISSING_KEY"),
        (command(size="-1"), "INVALID_VALUE"),
        (command(mode="HOLD"), "INVALID_VALUE"),
        (command(colour="red"), "UNKNOWN_KEY"),
        (command(parameters={"side": "x" * 5_000}), "TOO_LARGE"),
        (command(name="a/b"), "INVALID_VALUE"),
        (command(revision=3), "STALE_REVISION"),
        (command("PAUSE"), "NO_SUCH_DEPLOYMENT"),
        (replace(command(), tenant_id="nobody"), "NO_SUCH_TENANT"),
        (replace(command(), account_id="second"), "NO_SUCH_ACCOUNT"),
        (replace(command(), changes=()), "MISSING_KEY"),
    ],
)
def test_what_cannot_be_deployed_is_refused_with_the_reason(wrong: DeploymentCommand, code: str) -> None:
    """And nothing is kept of it."""
    state = MemoryState()
    (refused,) = told(wrong, state=state)
    assert isinstance(refused, DeploymentRefused)
    assert [reason["code"] for reason in refused.reasons] == [code]
    assert not list(state.keys("deployment/"))


def test_every_reason_is_told_at_once() -> None:
    """Whoever mends one need not find the next by trying."""
    (refused,) = told(command(revision=3, mode="HOLD", colour="red"))
    assert isinstance(refused, DeploymentRefused)
    assert {reason["code"] for reason in refused.reasons} == {"STALE_REVISION", "INVALID_VALUE", "UNKNOWN_KEY"}


def test_a_life_of_a_deployment() -> None:
    """Its revision counts the changes; memory begins anew with other code or parameters alone."""
    made = deployments(
        command(),
        command("PAUSE", 1),
        command("RESUME", 2),
        command(revision=3, instruments=["EURUSD"]),
        command(revision=4, instruments=["EURUSD"], parameters={"first": 2}),
        command("RETIRE", 5),
        command(revision=6),
    )
    assert [one.status for one in made] == ["ACTIVE", "PAUSED", "ACTIVE", "ACTIVE", "ACTIVE", "RETIRED", "ACTIVE"]
    assert [one.since for one in made] == [1, 1, 1, 1, 5, 5, 7]


def test_a_command_that_comes_again_changes_nothing_and_what_is_the_same_is_refused() -> None:
    """The first is a repetition, the second a misunderstanding."""
    assert len(told(command(), command())) == 1
    (_, refused) = told(command(), command(revision=1))
    assert isinstance(refused, DeploymentRefused)
    assert refused.reasons[0]["code"] == "NOTHING_CHANGED"


def test_a_tenant_has_so_many_deployments() -> None:
    """Each costs a call for each bar."""
    *_, last = told(*(command(name=f"n{number}") for number in range(MOST + 1)))
    assert isinstance(last, DeploymentRefused)
    assert last.reasons[0]["code"] == "TOO_MANY"


def test_parameters_are_typed_by_the_constructor() -> None:
    """What a person may set, and of which type."""
    assert parameters_of(Counting()) == {"first": int, "last": float, "side": str, "loud": bool}


def test_each_deployment_has_its_own_parameters_instruments_and_memory() -> None:
    """Though both run one strategy."""
    two = command(name="two", parameters={"first": 11}, instruments=["XAUUSD"])
    bars = [bar(START + at, symbol=symbol) for at, symbol in enumerate(("EURUSD", "XAUUSD", "XAUUSD"))]
    sent = run(make(), [*deployments(command(), two), *bars])
    assert said(sent) == [
        ("one", "LONG", "1"),
        ("one", "LONG", "1"),
        ("two", "LONG", "11"),
        ("one", "LONG", "2"),
        ("two", "LONG", "12"),
    ]
    assert {(one.tenant_id, one.account_id) for one in sent if isinstance(one, Signal)} == {("alpha", "main")}


def test_a_paused_deployment_is_not_asked() -> None:
    """And goes on with its memory when it is resumed."""
    made = deployments(command(), command("PAUSE", 1), command("RESUME", 2))
    sent = run(make(), [made[0], bar(START), made[1], bar(START + 1), made[2], bar(START + 2)])
    assert said(sent) == [("one", "LONG", "1"), ("one", "LONG", "2")]


def test_a_retired_deployment_leaves_what_it_holds_and_forgets() -> None:
    """FLAT where its newest view was another, after what was promised; a new one of its name begins anew."""
    state = MemoryState()
    made = deployments(command(parameters={"last": 1}), command("RETIRE", 1), command(revision=2))
    bars = [bar(START, symbol="XAUUSD"), bar(START, symbol="EURUSD"), bar(START + 1, symbol="XAUUSD")]
    run(make(), [made[0], *bars], state)
    (flat,) = run(make(), [made[1]], state)
    assert isinstance(flat, Signal)
    assert (flat.symbol, flat.direction, flat.reason) == ("EURUSD", "FLAT", "the deployment is retired")
    assert (flat.ts_event, flat.quote_ts, flat.deployment) == (START, START, "one")
    assert not [*state.keys("memory/"), *state.keys("view/")]
    assert said(run(make(), [bar(START + 9), made[2], bar(START + 10)], state)) == [("one", "LONG", "1")]


def test_an_instrument_that_is_traded_no_more_is_left() -> None:
    """The others stay as they are."""
    made = deployments(command(), command(revision=1, instruments=["EURUSD"]))
    bars = [bar(START, symbol=symbol) for symbol in ("EURUSD", "XAUUSD")]
    *_, flat = run(make(), [made[0], *bars, made[1]])
    assert isinstance(flat, Signal)
    assert (flat.symbol, flat.direction, flat.reason) == ("XAUUSD", "FLAT", "XAUUSD is traded no more")


def test_an_older_revision_changes_nothing() -> None:
    """Dead letters are sent back at any time."""
    made = deployments(command(), command("PAUSE", 1))
    assert said(run(make(), [made[1], made[0], bar(START)])) == []


@pytest.mark.parametrize(
    "change",
    [{"strategy": "gone"}, {"version": 7}, {"parameters": '{"fast":1}'}, {"parameters": "{"}, {"parameters": "[1]"}],
)
def test_a_deployment_that_cannot_run_alerts_once(change: dict[str, Any]) -> None:
    """Its strategy was removed, or replaced by another version; its neighbours go on."""
    broken, sound = deployments(command(), command(name="two"))
    sent = run(make(), [replace(broken, **change), sound, bar(START), bar(START + 1)])
    alerts = [event for event in sent if isinstance(event, Alert)]
    assert [(one.code, one.source) for one in alerts] == [("STRATEGY_QUARANTINED", change.get("strategy", "counting"))]
    assert alerts[0].message.startswith("deployment alpha/main/one of strategy ")
    assert [name for name, *_ in said(sent)] == ["two", "two"]


@given(st.lists(st.integers(0, 9), max_size=30), places)
def test_cuts_change_nothing(drawn: list[int], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), with changes of deployments among the bars."""
    life = deployments(
        command(),
        command("PAUSE", 1),
        command("RESUME", 2),
        command(revision=3, parameters={"last": 2}),
        command(revision=4, instruments=["XAUUSD"], parameters={"last": 2}),
        command("RETIRE", 5),
    )
    symbols = ("EURUSD", "XAUUSD")
    stream = [
        life[one] if one < len(life) else bar(START + at, symbol=symbols[one % 2]) for at, one in enumerate(drawn)
    ]
    assert_law(make, ingested(stream), cuts)
