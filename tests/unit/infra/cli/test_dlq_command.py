"""`tradewind dlq`: what is asked wrongly is told in a line, and letters are shown whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from runtime.records import CODEC, tick

from tradewind.connectors.dead_letters import Group
from tradewind.connectors.kafka.consumption import Record
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.dead_letters.owners import agents, sinks
from tradewind.infra.cli.dead_letters.shown import letter_to_json, letter_to_text, table
from tradewind.infra.cli.group import tradewind
from tradewind.schemas.runtime import DeadLetter, Redriven
from tradewind.streams.agents import OURS

FIRST = 1_788_000_000_000_000
AT = Record("market.dlq", 1, 5, 0, b"", None)
LETTER = DeadLetter(
    event_id="ab", agent="market", error="POISON", reason="no price", topic="market.ticks", partition=2, offset=7,
    ts_ingest=1_788_000_000_000_000, key=b"EURUSD.SIM", value=CODEC.encode(tick(7)),
    headers=({"key": "trace", "value": b"\x00\xff"}, {"key": "by", "value": b"me"}, {"key": "no", "value": None}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("show", "nobody"),
            "there is no agent or sink 'nobody'; there are: ai, archive, caller-ai, execution, influxdb, market",
        ),
        (("list", "market", "nobody"), "there is no agent or sink 'nobody'"),
        (("redrive", "nobody"), "there is no agent or sink 'nobody'"),
        (("show", "market", "--since", "yesterday"), "'yesterday' is not a time such as 2026-01-31T09:00:00Z"),
        (("show", "market", "--until", "2026-01-31T09:00:00"), "has no time zone: end it in Z for UTC"),
        (("redrive", "market", "--since", ""), "'' is not a time"),
        (("list", "--until", "noon"), "'noon' is not a time"),
        (("list", "--offset", "5"), "--offset needs --partition"),
        (("redrive", "market", "--error", "TIRED"), "'TIRED' is not one of"),
        (("redrive", "market", "--offset", "5"), "--offset needs --partition"),
        (("show", "market", "--partition", "-1"), "-1"),
        (("show", "market", "--limit", "0"), "0"),
        (("show",), "AGENT"),
        (
            ("skip", "signal", "market.bars", "0", "1"),
            "there is no agent 'signal'; did you mean signals? there are: ai",
        ),
        (("skip", "postgres", "market.bars", "0", "1"), "there is no agent 'postgres'; there are"),
        (("skip", "signals", "market.bar", "0", "1"), "does not read 'market.bar'; did you mean market.bars? there"),
        (
            ("skip", "signals", "risk.decisions", "0", "1"),
            "there are: ai.responses, market.bars, market.news, signals.deployments, signals.redrive",
        ),
        (("skip", "signals", "market.bars", "4", "1"), "market.bars has partitions 0 to 3, not 4"),
        (("skip", "signals", "signals.redrive", "4", "1"), "signals.redrive has partitions 0 to 3, not 4"),
        (("skip", "signals", "market.bars", "0", "-1"), "-1"),
        (("skip", "signals", "market.bars", "0", "1", "--reason", "a\nb"), "one line of up to 500 characters"),
        (("skips", "signal"), "did you mean signals?"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_a_line(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Before anything is asked of Kafka; exit code 2."""
    done = CliRunner().invoke(tradewind, ["dlq", arguments[0], "--data", str(tmp_path), *arguments[1:]])
    assert done.exit_code == 2, done.output
    assert said in done.output.splitlines()[-1]


def test_without_services_it_says_how_to_start_them(tmp_path: Path) -> None:
    """As every command does."""
    for arguments in (("list",), ("show", "market"), ("redrive", "market", "--yes")):
        done = CliRunner().invoke(tradewind, ["dlq", *arguments, "--data", str(tmp_path)])
        assert (done.exit_code, "./dev up" in done.output) == (1, True), done.output


def test_every_agent_and_every_sink_has_dead_letters() -> None:
    """Agents are sent theirs back, sinks are not."""
    found = agents(Settings(_env_file=None))
    assert list(found) == [one.name for one in OURS]
    assert all(owner.returns is not None and owner.returns.inputs for owner in found.values())
    assert set(sinks()) >= {"questdb", "postgres"}
    assert all(owner.returns is None for owner in sinks().values())


def test_a_letter_is_shown_whole() -> None:
    """The event where the value is one; text where bytes are readable; what became of it."""
    mark = Redriven(event_id="ab", agent="market", times=2, ts_redriven=1_788_000_001_000_000)
    shown = json.loads(json.dumps(letter_to_json(AT, LETTER, mark, CODEC)))
    assert (shown["letter"], shown["key"], shown["attempt"]) == ("market.dlq/1@5", "EURUSD.SIM", 1)
    assert (shown["topic"], shown["partition"], shown["offset"]) == ("market.ticks", 2, 7)
    assert shown["value"]["event"] == "Tick"
    assert shown["value"]["ts_event"] == "1970-01-01T00:00:00.000007Z"
    assert shown["headers"] == [
        {"name": "trace", "value_hex": "00ff"},
        {"name": "by", "value": "me"},
        {"name": "no", "value": None},
    ]
    assert shown["redriven"]["times"] == 2
    text = letter_to_text(shown)
    for part in ("market.ticks/2@7", "market.dlq/1@5", "no price", "EURUSD.SIM", "trace = hex 00ff", '"bid": 1.0'):
        assert part in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"\x00garbage", {"value_hex": "0067617262616765"}), (b"", {"value_hex": ""}), (None, {"value": None})],
)
def test_what_is_no_event_is_shown_in_hexadecimal(value: bytes | None, expected: dict[str, str | None]) -> None:
    """All of it; a tombstone is not an empty value."""
    letter = DeadLetter(**{**LETTER.to_dict(), "value": value, "key": b"\xff", "headers": ()})
    shown = letter_to_json(AT, letter, None, CODEC)
    assert {name: shown[name] for name in shown if name.startswith("value")} == expected
    assert (shown["key_hex"], shown["redriven"]) == ("ff", None)
    assert "redriven  no" in letter_to_text(shown)


def test_groups_are_a_table_with_their_sums() -> None:
    """Numbers under each other, times to the second."""
    groups = [
        Group("market", "POISON", "market.ticks", 1, "no price", FIRST, FIRST + 9_900_000, 1200, 1000, 200),
        Group("risk", "UNDECODABLE", "execution.order_requests", 2, "byte #", 0, 0, 1, 1, 0),
    ]  # fmt: skip
    lines = table(groups).splitlines()
    assert len(lines) == 4
    assert lines[1].split()[:7] == ["market", "POISON", "market.ticks", "1", "1,200", "1,000", "200"]
    assert "2026-08-29T10:40:00Z  2026-08-29T10:40:09Z  no price" in lines[1]
    assert lines[3].split() == ["all", "1,201", "1,001", "200", "1970-01-01T00:00:00Z", "2026-08-29T10:40:09Z"]
    assert len(table(groups[:1]).splitlines()) == 2
