"""The command line: help at once, `--data` everywhere, and errors that a person can act on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tradewind.infra.cli.group import COMMANDS, tradewind, with_data
from tradewind.infra.services.service import UnusableFolder

HELP_CPU_S = 0.5


def commands(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    """Return a command and those under it."""
    under = command.commands.items() if isinstance(command, click.Group) else ()
    return [(name, command), *(found for part, one in under for found in commands(one, f"{name} {part}"))]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_each_under_it_takes_data(name: str) -> None:
    """So that several Tradewinds live on one machine."""
    command = tradewind.get_command(click.Context(tradewind), name)
    assert command is not None
    for where, one in commands(command, name):
        assert [parameter.opts for parameter in one.params].count(["--data"]) == 1, where
        assert one.help, where


def test_data_reaches_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this process, and of those that it starts."""
    monkeypatch.setenv("TRADEWIND_DATA", "elsewhere")

    @click.command()
    def show() -> None:
        click.echo(os.environ["TRADEWIND_DATA"])

    assert CliRunner().invoke(with_data(show), ["--data", str(tmp_path)]).output.strip() == str(tmp_path)


def test_help_comes_at_once() -> None:
    """Nothing heavy is imported for it; processor time, for the machine may be busy."""
    before = os.times()
    subprocess.run(
        [sys.executable, "-P", "-m", "tradewind.infra.cli", "--help"], check=True, capture_output=True, timeout=60
    )
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < HELP_CPU_S


def test_a_service_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Exit code 1, what to do, and no traceback."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tradewind.infra.cli", "prepare", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 1
    assert "./dev up" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_without_feed_are_refused() -> None:
    """`up a.zip` would else be taken for something that it is not."""
    done = CliRunner().invoke(tradewind, ["up", "a.zip"])
    assert done.exit_code == 2
    assert "--feed" in done.output


def test_a_file_that_is_not_there_is_told_before_anything_starts() -> None:
    """Not by a feed that dies five times."""
    done = CliRunner().invoke(tradewind, ["up", "--feed", "absent.zip"])
    assert done.exit_code == 2
    assert "absent.zip" in done.output


def test_a_speed_is_a_number_or_max() -> None:
    """Told before anything starts."""
    assert CliRunner().invoke(tradewind, ["up", "--speed", "fast"]).exit_code == 2


def test_logs_without_a_name_shows_all_and_with_a_name_that_one(tmp_path: Path) -> None:
    """The last lines of each, with whose they are."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "kafka.log").write_text("one\ntwo\n")
    (folder / "market.log").write_text("three\n")
    shown = CliRunner().invoke(tradewind, ["logs", "-n", "1", "--data", str(tmp_path)])
    assert shown.output == "kafka  | two\nmarket | three\n"
    assert CliRunner().invoke(tradewind, ["logs", "kafka", "--data", str(tmp_path)]).output == "one\ntwo\n"
    assert CliRunner().invoke(tradewind, ["logs", "other", "--data", str(tmp_path)]).exit_code == 2


def test_reset_wipes_what_is_ours_and_asks_first(tmp_path: Path) -> None:
    """What somebody else put into the folder stays."""
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "log").write_text("x")
    (tmp_path / "mine.txt").write_text("x")
    runner = CliRunner()
    assert runner.invoke(tradewind, ["reset", "--data", str(tmp_path)], input="n\n").exit_code == 1
    assert (tmp_path / "kafka").exists()
    assert runner.invoke(tradewind, ["reset", "--data", str(tmp_path)], input="y\n").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert "nothing" in runner.invoke(tradewind, ["reset", "--data", str(tmp_path)]).output


def test_down_and_status_of_a_folder_where_nothing_runs(tmp_path: Path) -> None:
    """Down is done at once; status says that nothing answers, by its exit code too."""
    runner = CliRunner()
    start = time.monotonic()
    assert "nothing runs" in runner.invoke(tradewind, ["down", "--data", str(tmp_path)]).output
    assert time.monotonic() - start < 5
    shown = runner.invoke(tradewind, ["status", "--json", "--data", str(tmp_path)], catch_exceptions=False)
    assert shown.exit_code == 1
    assert '"healthy": false' in shown.output


@pytest.mark.parametrize("name", ["a\nb", "x" * 300, "long/" * 200])
@pytest.mark.parametrize("command", ["up", "status", "doctor", "reset"])
def test_a_path_that_no_server_reads_is_told_in_a_sentence(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every command, given as an argument or by the environment; and nothing is written."""
    for arguments, told in ((["--data", str(tmp_path / name)], None), ([], str(tmp_path / name))):
        monkeypatch.delenv("TRADEWIND_DATA", raising=False)
        if told is not None:
            monkeypatch.setenv("TRADEWIND_DATA", told)
        done = CliRunner().invoke(tradewind, [command, *arguments])
        assert isinstance(done.exception, UnusableFolder)
        assert "--data DIR" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_value_of_a_tenant_is_refused_before_anything_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mistake at once; the agent judges by the same function."""
    from tradewind.connectors import registry  # noqa: PLC0415 - help comes at once
    from tradewind.infra.cli.trading.tenants import tenants  # noqa: PLC0415

    monkeypatch.setattr(registry, "open_codec", lambda _: pytest.fail("a service was asked"))
    given = ["set", "alpha", "tiers=gold", "currency=euro", "orders_per_minute=many", "tier=gold", "tier=silver"]
    done = CliRunner().invoke(tenants, given)
    assert done.exit_code == 1
    assert [line.split(":")[0].strip() for line in done.output.splitlines()[1:]] == [
        "UNKNOWN_KEY tiers",
        "INVALID_VALUE currency",
        "INVALID_VALUE orders_per_minute",
        "REPEATED_KEY tier",
    ]
    done = CliRunner().invoke(tenants, ["create", "gamma", "accounts=main"])
    assert (done.exit_code, done.output.count("MISSING_KEY")) == (1, 3)


def test_no_sentence_of_a_list_of_commands_is_cut() -> None:
    """Whoever reads a list must not have to open each command."""
    group = tradewind.get_command(click.Context(tradewind), "ai")
    said = CliRunner().invoke(tradewind, ["ai", "--help"]).output
    assert isinstance(group, click.Group)
    assert "..." not in said.partition("Commands:")[2]
    assert all(name in said for name in group.commands)
