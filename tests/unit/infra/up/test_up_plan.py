"""What `up` was asked for becomes processes, each told all that it must know."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.infra.services.ports import DEFAULT_BASE
from tradewind.infra.up.environment import variables
from tradewind.infra.up.plan import Plan, slot_of


def feed(plan: Plan, data: Path) -> tuple[str, ...]:
    """Return the arguments of the plan's feed."""
    return next(role.arguments for role in plan.roles(data) if role.name == "feed")


def test_without_files_the_simulator_feeds(tmp_path: Path) -> None:
    """With the feed's own rate and speed."""
    assert feed(Plan(), tmp_path) == ("feed", "--no-sessions", "--history", "15", "simulator")


def test_files_are_named_by_their_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed runs in a folder of its own, where a relative name would mean another file."""
    (tmp_path / "day.zip").touch()
    monkeypatch.chdir(tmp_path)
    plan = Plan(sources=("day.zip", "my-feed"), speed="max")
    assert feed(plan, tmp_path) == ("feed", "--speed", "max", str(tmp_path / "day.zip"), "my-feed")


def test_every_agent_and_sink_runs_once(tmp_path: Path) -> None:
    """All six agents and both sinks, whatever processes they share."""
    words = [word for role in Plan().roles(tmp_path) for word in role.arguments if role.name != "feed"]
    for name in ("market", "signals", "sizing", "risk", "execution", "portfolio", "questdb", "postgres"):
        assert words.count(name) == 1


def test_the_archive_runs_if_it_is_asked_for(tmp_path: Path) -> None:
    """Beside the other sinks; otherwise there is none."""
    found = [[role.name for role in Plan(archive=archive).roles(tmp_path)] for archive in (False, True)]
    assert set(found[1]) - set(found[0]) == {"sink-archive"}


def test_every_process_has_a_port_of_its_own_for_metrics(tmp_path: Path) -> None:
    """In the second half of what the base stands for, the same at every start."""
    for base in (None, 21_000):
        found = [role.metrics_port for role in Plan(base_port=base).roles(tmp_path)]
        assert found == [(base or DEFAULT_BASE) + 16 + at for at in range(len(found))]


def test_a_detached_up_gets_the_same_plan() -> None:
    """What `arguments` says is what the command line reads back."""
    plan = Plan(("a.zip", "b.gz"), "10", 500, 60.0, 21_000)
    assert plan.arguments() == [
        *("--speed", "10", "--rate", "500", "--for", "60.0", "--base-port", "21000"),
        *("--feed", "a.zip", "--feed", "b.gz"),
    ]


def test_a_slot_belongs_to_one_data_folder(tmp_path: Path) -> None:
    """The same after a crash, another one for another folder: one live owner per slot."""
    assert slot_of(tmp_path) == slot_of(tmp_path)
    assert slot_of(tmp_path) != slot_of(tmp_path / "other")


def test_workers_get_the_settings_of_up(tmp_path: Path) -> None:
    """Variables win over `.env`; paths are made absolute; nothing else of the environment is passed this way."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("TRADEWIND_NAMESPACE=from_file.\ntradewind_bar_grace_ms=100\nSECRET=x\n")
    told = variables(
        Path("data"),
        {
            "TRADEWIND_NAMESPACE": "mine.",
            "TRADEWIND_KAFKA__CA_FILE": "ca.pem",
            "TRADEWIND_AI__PROMPTS_FOLDER": "own",
            "HOME": "/h",
        },
        dotenv,
    )
    assert told == {
        "TRADEWIND_NAMESPACE": "mine.",
        "TRADEWIND_BAR_GRACE_MS": "100",
        "TRADEWIND_KAFKA__CA_FILE": str(Path("ca.pem").absolute()),
        "TRADEWIND_AI__PROMPTS_FOLDER": str(Path("own").absolute()),
        "TRADEWIND_DATA": str(Path("data").absolute()),
    }


def test_an_accepted_cluster_is_accepted_by_a_detached_up_as_well() -> None:
    """Else it would refuse what a person has just accepted."""
    assert Plan(accept_cluster=True).arguments() == ["--accept-cluster"]
    assert Plan(rate=7).arguments() == ["--rate", "7"]
