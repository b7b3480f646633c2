"""Agents of other packages are known by name wherever ours are; what gives no agent is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from tradewind.connectors.settings import Settings
from tradewind.infra.cli.dead_letters.owners import owners_named
from tradewind.infra.cli.processes.prepare import every_topic
from tradewind.infra.status.names import inputs_of, readers, topics_of
from tradewind.infra.up.plan import Plan
from tradewind.streams import agents as module
from tradewind.streams.agents import ENTRY_POINTS, OURS, AgentUnusable, agents, installed, processes
from tradewind.streams.runtime import Agent
from tradewind.topics import ALERTS, LATE_TICKS, SIGNALS

OWN = replace(LATE_TICKS, name="regrets.ticks")
REGRETS = Agent("regrets", (SIGNALS, OWN), (ALERTS,), lambda state, segment: [])
SETTINGS = Settings(_env_file=None, namespace="t.")
HOME = "elsewhere"
"""The module that the agents of other packages are said to be in."""
Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Give a function that installs packages with agents by name."""
    home, load = SimpleNamespace(), EntryPoint.load

    def loaded(point: EntryPoint) -> object:
        return getattr(home, point.name) if point.module == HOME else load(point)

    def installed_now(**found: object) -> None:
        home.__dict__.update(found)
        points = [EntryPoint(name, f"{HOME}:{name}", ENTRY_POINTS) for name in found]
        monkeypatch.setattr(module, "entry_points", lambda group: points if group == ENTRY_POINTS else [])
        monkeypatch.setattr(EntryPoint, "load", loaded)

    return installed_now


@pytest.mark.parametrize("given", [REGRETS, lambda settings: REGRETS], ids=["an agent", "a function"])
def test_an_installed_agent_is_known_to_every_command(install: Install, tmp_path: Path, given: object) -> None:
    """`up` runs it in a process of its own, and topics, `status` and dead letters know it."""
    ours = processes()
    install(regrets=given)
    assert list(agents()) == [*(one.name for one in OURS), "regrets"]
    assert agents()["regrets"].declare(SETTINGS) is REGRETS
    assert processes() == {**ours, "agent-regrets": ("regrets",)}
    (role,) = [role for role in Plan().roles(tmp_path) if role.name == "agent-regrets"]
    assert role.arguments[:2] == ("worker", "regrets")
    assert inputs_of(SETTINGS)["t.tradewind.regrets"] == {"t.signals.signals", "t.regrets.ticks"}
    assert {"t.regrets.ticks", "t.regrets.dlq", "t.regrets.journal"} <= set(topics_of(SETTINGS))
    assert readers().index("regrets") == len(OURS)


def test_its_topics_are_made_once(install: Install) -> None:
    """Inputs and outputs, and what the runtime keeps for it."""
    before = [topic.name for topic in every_topic(SETTINGS)]
    assert len(set(before)) == len(before)
    install(regrets=REGRETS)
    names = [topic.name for topic in every_topic(SETTINGS)]
    assert len(set(names)) == len(names)
    assert {"regrets.ticks", "regrets.changelog"} <= set(names) - set(before)
    assert set(before) < set(names)


def test_its_dead_letters_are_found_by_its_name(install: Install) -> None:
    """As those of ours are."""
    install(regrets=REGRETS)
    (owner,) = owners_named(["regrets"], SETTINGS)
    assert owner.letters.name == "regrets.dlq"


def test_a_name_that_is_taken_is_refused(install: Install) -> None:
    """Two agents would share a group, and each would get a part of the records."""
    install(risk=REGRETS)
    with pytest.raises(AgentUnusable, match=r"risk of tradewind\.agents \(elsewhere:risk\): there is another agent"):
        installed()


def fails(settings: Settings) -> Agent:
    """Fail as a module that was written for another version does."""
    raise AttributeError("no such topic")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (replace(REGRETS, name="other"), "gives the agent other, not an agent called regrets"),
        (lambda settings: "no agent", "gives a str, not an agent called regrets"),
        (fails, "fails: AttributeError: no such topic. Repair or uninstall it"),
        (7, "fails: TypeError"),
    ],
)
def test_what_gives_no_agent_of_its_name_is_refused(install: Install, given: object, said: str) -> None:
    """The message names the entry point."""
    install(regrets=given)
    with pytest.raises(AgentUnusable) as refused:
        agents()["regrets"].declare(SETTINGS)
    assert "entry point regrets of tradewind.agents (elsewhere:regrets)" in str(refused.value)
    assert said in str(refused.value)


def test_more_agents_than_ports_are_refused(install: Install, tmp_path: Path) -> None:
    """Each process answers `/ready` on a port of its own."""
    install(**{f"agent{number}": REGRETS for number in range(40)})
    with pytest.raises(AgentUnusable, match="has ports for 16 processes, and there are 49"):
        Plan().roles(tmp_path)
