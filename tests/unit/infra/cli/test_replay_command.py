"""`replay --verify` runs in another process with another hash seed, and its exit code says whether all was equal."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tradewind.connectors.copying.comparison import Compared
from tradewind.infra.cli.trading.copying import alike
from tradewind.infra.cli.trading.replay import CHILD, equal, replay
from tradewind.streams.replay import Difference, Verified

DIFFERENT = Difference("input", 3, {"topic": "market.ticks", "partition": 0, "offset": 7}, "another record", "a value")


def test_it_runs_in_another_process_with_a_hash_seed_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose seed is set, such as to 0, is verified with another one; the child's exit code is passed on."""
    seen: list[dict[str, str]] = []

    def run(command: list[str], *, env: dict[str, str]) -> int:
        assert command[1:4] == ["-P", "-m", "tradewind.infra.cli"]
        seen.append(env)
        return 1

    monkeypatch.setattr("tradewind.infra.services.guard.run", run)
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    assert [CliRunner().invoke(replay, ["--verify", "market"]).exit_code for _ in range(2)] == [1, 1]
    seeds = [int(env["PYTHONHASHSEED"]) for env in seen]
    assert all(env[CHILD] for env in seen)
    assert 0 not in seeds
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verify", "marked"], "there is no agent 'marked'; agents are: tenancy, "),
        (["--verify", "market", "-p", "4"], "market has partitions 0 to 3, not 4"),
        (["--verify", "market", "--from", "-1"], "give the number of a journal entry"),
        ([], "give --verify AGENT, or TOPIC... --into NAMESPACE"),
        (["--verify", "market", "--into", "bt1"], "give --verify AGENT, or TOPIC... --into NAMESPACE"),
        (["market.ticks", "--verify", "market"], "--verify takes an agent"),
        (["--into", "bt1"], "name the topics to copy"),
        (["market.ticks", "--into", "BT 1"], "write small letters"),
        (["market.ticks", "--into", "bt1", "--speed", "fast"], "neither a number nor max"),
        (["market.ticks", "--into", "bt1", "--from", "noon"], "is no time such as"),
        (["market.ticks", "--into", "bt1", "--from", "2026-01-02", "--to", "2026-01-01"], "--from is not before --to"),
        (["portfolio.positions", "--into", "bt1"], "portfolio.positions is compacted"),
        (["market.ticks", "--into", "bt1", "--drop"], "name no topic"),
    ],
)
def test_what_cannot_be_verified_is_refused(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """Before anything is asked of Kafka."""
    monkeypatch.setenv(CHILD, "1")
    monkeypatch.setattr("tradewind.connectors.registry.open_codec", lambda settings: None)
    done = CliRunner().invoke(replay, arguments)
    assert (done.exit_code, message in done.output) == (2, True), done.output


def test_tasks_are_equal_together_where_one_was_compared_and_none_differs() -> None:
    """Tasks that processed nothing prove nothing, and all of them together are no proof."""
    good, idle, bad = Verified("a", 0, 0, 5, 6), Verified("a", 1), Verified("a", 2, 0, 2, 3, difference=DIFFERENT)
    assert equal([good, idle])
    assert not equal([idle])
    assert not equal([good, bad])


def test_a_difference_is_told_with_its_coordinates() -> None:
    """For people in a sentence, for machines by name."""
    told = Verified("a", 2, 0, 2, 3, notes=["a note"], difference=DIFFERENT)
    assert "input differs in entry 3 (topic market.ticks, partition 0, offset 7)" in told.text()
    assert "note: a note" in told.text()
    assert told.to_json()["difference"]["where"] == {"topic": "market.ticks", "partition": 0, "offset": 7}


def test_namespaces_are_alike_where_something_was_compared_and_nothing_differs() -> None:
    """A slice without a record, as of a misspelt time, is no proof."""
    assert alike([Compared("market.bars", equal=1), Compared("market.news")])
    assert not alike([Compared("market.bars"), Compared("market.news")])
    assert not alike([Compared("market.bars", equal=1), Compared("market.news", missing=1)])
