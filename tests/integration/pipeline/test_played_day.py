"""The recordings through the whole pipeline, as fast as it goes: everything balances, and is told as it is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from days.played import ASKING, FILES, HALTED, QUOTA, QUOTED, REASON, TENANTS, PlayedDay, check
from days.recorded import BTCUSDT, XAUUSD

from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.traces import Traces
from tradewind.connectors.gateway.views.reads import Reads
from tradewind.connectors.kafka.consumption import consume
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.registry import open_codec
from tradewind.connectors.timeseries.quotes import PAGE_ROWS, QuestDbQuotes
from tradewind.infra.status.report import report
from tradewind.schemas.billing import UsageThreshold
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import Signal
from tradewind.streams.agents import OURS, Registered
from tradewind.streams.backtest.planning import planned
from tradewind.streams.backtest.stored import opened
from tradewind.streams.replay import verify
from tradewind.testing.equality import backtested
from tradewind.topics import ALERTS, SIGNALS, USAGE_THRESHOLDS

pytestmark = pytest.mark.timeout(600)  # the first of them plays the day


async def test_the_recordings_balance(played_day: PlayedDay) -> None:
    """Every count is the same in Kafka, PostgreSQL and QuestDB; positions are the sum of fills."""
    await check(played_day.settings, played_day.ledger, FILES)


def test_every_quote_of_each_instrument_is_there(played_day: PlayedDay) -> None:
    """As many as the files hold; trades, too, each once."""
    ledger = played_day.ledger
    for file, symbol in zip(FILES, ("EURUSD", "XAUUSD", "BTCUSDT"), strict=True):
        assert sum(tick.symbol == symbol for tick in ledger.ticks) == file.ticks
    assert len({trade.trade_id for trade in ledger.trades}) == len(ledger.trades) == BTCUSDT.trades


def test_a_halted_tenant_is_denied_and_the_others_trade(played_day: PlayedDay) -> None:
    """The kill switch denies every request of its tenant, and no request of another."""
    of = {tenant: [d for d in played_day.ledger.decisions if d.tenant_id == tenant] for tenant in ("alpha", HALTED)}
    denied = [decision for decision in of[HALTED] if decision.outcome == "DENIED"]
    assert denied
    assert {decision.outcome for decision in of[HALTED]} <= {"DENIED", "MET"}, "what needs no order is not denied"
    assert all("KILL_SWITCH" in decision.codes for decision in denied)
    assert REASON in denied[0].reason
    assert any(decision.outcome == "APPROVED" for decision in of["alpha"])
    assert not any("KILL_SWITCH" in decision.codes for decision in of["alpha"])
    assert {fill.tenant_id for fill in played_day.ledger.fills} == {"alpha", "beta"}


def test_limits_deny(played_day: PlayedDay) -> None:
    """Beside the switch, which comes by command, the limits of the default tenants are met."""
    assert set(played_day.ledger.denials()) == {"KILL_SWITCH", "STALE_PRICE", "MAX_ORDER_SIZE", "MAX_POSITION"}


def test_status_tells_the_totals_that_the_topics_hold(played_day: PlayedDay, tmp_path: Path) -> None:
    """Distinct events, over all partitions, and no dead letter."""
    ledger = played_day.ledger
    told = report(played_day.settings, tmp_path).to_json()["totals"]
    assert told | {"signals": 0, "late": 0} == {
        "ticks": len(ledger.ticks),
        "late": 0,
        "bars": len(ledger.bars),
        "signals": 0,
        "orders": len(ledger.requests),
        "decisions": len(ledger.decisions),
        "denied": sum(decision.outcome == "DENIED" for decision in ledger.decisions),
        "fills": len(ledger.fills),
        "ai_requests": 2,
        "ai_responses": 2,
        "usage": len(ledger.usage),
        "dead_letters": 0,
    }
    assert told["signals"] > 0
    assert told["late"] == 0


async def test_the_balance_is_told_and_a_lost_row_is_named(played_day: PlayedDay) -> None:
    """`balance` sums what the topics hold, and exits 1 for one row less."""
    ledger, pipeline = played_day.ledger, played_day.pipeline
    told = json.loads(pipeline.run("balance", "--check", "--json"))
    counts = {one["name"]: (one["left"], one["right"], one["waiting"]) for one in told["equations"]}
    approved = sum(decision.outcome == "APPROVED" for decision in ledger.decisions)
    assert counts["order requests = decisions"] == (len(ledger.requests), len(ledger.decisions), 0)
    assert counts["approved orders = ended + open"] == (approved, approved, 0)
    assert counts["positions = sum of fills"] == (len(ledger.fills), len(ledger.fills), 0)
    assert sum(one["fills"] for one in told["cash"]) == len(ledger.fills)
    lost = ledger.fills[3].event_id
    connection = await connect(played_day.settings)
    try:
        await connection.execute("CREATE TEMP TABLE saved AS SELECT * FROM fills WHERE event_id = $1", lost)
        await connection.execute("DELETE FROM fills WHERE event_id = $1", lost)
        told = json.loads(pipeline.run("balance", "--check", "--json", status=1))
    finally:
        await connection.execute("INSERT INTO fills SELECT * FROM saved")
        await connection.close()
    (broken,) = [one for one in told["equations"] if one["differences"]]
    assert f"event {lost} has no row in the table fills" in broken["named"][0]["said"]


def test_usage_is_counted_to_the_last_unit(played_day: PlayedDay) -> None:
    """Each approved order, each fill and each token; `usage` tells the sums of the topic, from PostgreSQL."""
    ledger, answer = played_day.ledger, played_day.answer
    ledger.check_usage()
    assert (answer["status"], answer["provider"], answer["attempts"]) == ("ANSWERED", "paper", 1)
    assert played_day.shown == answer["text"], "what was shown while it came is not the answer"
    for tenant in ("alpha", ASKING):
        told = json.loads(played_day.pipeline.run("usage", tenant, "--json"))
        totals = {(tenant, one["meter"], one["dimension"]): one["quantity"] for one in told["totals"]}
        assert totals == {key: quantity for key, quantity in ledger.used().items() if key[0] == tenant}
    used = ledger.used().items()
    of_ai = {meter: quantity for (of, meter, _), quantity in used if of == ASKING and meter.startswith("ai.")}
    assert of_ai == {
        "ai.tokens.in": answer["input_tokens"],
        "ai.tokens.out": answer["output_tokens"],
        "ai.cost": Decimal(answer["cost"]) * 1_000_000,
    }


def test_a_strategy_has_asked_about_the_news(played_day: PlayedDay) -> None:
    """As tenant alpha, once; `replay --verify` of `signals` and `ai` repeats the question and what followed."""
    asked = [(one.tenant_id, one.prompt, one.reply_key) for one in played_day.ledger.ai_requests if one.prompt]
    assert asked == [("alpha", "news-sentiment@1", "EURUSD.OANDA")]
    assert {attempt.outcome for attempt in played_day.ledger.ai_attempts} == {"OK"}


def test_each_account_runs_each_strategy_that_is_not_retired(played_day: PlayedDay) -> None:
    """By deployments that a first start made of the settings; what one holds is named by its fills."""
    told = json.loads(played_day.pipeline.run("strategies", "list", "--all", "--json"))
    places = {(one["tenant_id"], one["account_id"], one["strategy"]): one["status"] for one in told["deployments"]}
    assert places == {
        (tenant.tenant_id, account, name): "RETIRED"
        if name == "news_sentiment" and tenant is not TENANTS[0]
        else "ACTIVE"
        for tenant in TENANTS
        for account in tenant.accounts
        for name in told["strategies"]
    }
    assert {fill.deployment for fill in played_day.ledger.fills} == {"ema_crossover", "ema_crossover_1s"}


def test_shares_of_a_quota_are_told_once_to_every_task(played_day: PlayedDay) -> None:
    """All partitions have the same records, and there is one alert for each."""
    (quota,) = QUOTA.values()
    found = Counter[tuple[int, int]]()
    for record in consume(USAGE_THRESHOLDS, settings=played_day.settings):
        assert isinstance(record.event, UsageThreshold)
        assert (record.event.tenant_id, record.event.quota) == (QUOTED, quota)
        found[record.event.percent, record.event.quantity] += 1
    assert found == dict.fromkeys(((50, 1), (80, 2), (100, 2)), USAGE_THRESHOLDS.partitions)
    alerts = [record.event for record in consume(ALERTS, settings=played_day.settings)]
    codes = [alert.code for alert in alerts if isinstance(alert, Alert) and alert.source == "rating"]
    assert sorted(codes) == ["USAGE_QUOTA_100", "USAGE_QUOTA_50", "USAGE_QUOTA_80"]


def test_a_backtest_on_what_the_stack_keeps_is_one_on_the_file(played_day: PlayedDay, tmp_path: Path) -> None:
    """From Kafka, and from QuestDB, page by page or at once; and its signals are those of its tenant's deployment."""
    name, of = "ema_crossover_1s", {"symbols": ["XAUUSD"], "settings": played_day.settings}
    wanted = backtested(planned(name, [str(XAUUSD.path)], **of))  # type: ignore[arg-type]
    for source in ("kafka", "questdb"):
        with opened(planned(name, [source], **of), tmp_path) as plan:  # type: ignore[arg-type]
            assert backtested(plan) == wanted
            assert [feed.name for feed in plan.feeds] == [f"{source} XAUUSD.OANDA"]
    assert not list(tmp_path.glob("backtests/*"))
    pages = [QuestDbQuotes(played_day.settings, None, None, rows) for rows in (1_000, PAGE_ROWS)]
    paged, whole = (pl.concat(of.blocks(("XAUUSD", "OANDA"))) for of in pages)
    for of in pages:
        of.close()
    assert paged.equals(whole)
    assert paged.height > 5_000
    live = [record.event for record in consume(SIGNALS, settings=played_day.settings)]
    signals = [event for event in live if isinstance(event, Signal) and event.tenant_id == plan.tenant]
    sent = [event for event in signals if (event.strategy, event.symbol) == (name, "XAUUSD")]
    decided = [event for event in wanted if isinstance(event, Signal)]
    assert [replace(event, ts_ingest=0) for event in sent] == [replace(event, ts_ingest=0) for event in decided]
    assert len(decided) > 20


@pytest.mark.parametrize("agent", OURS, ids=lambda agent: agent.name)
def test_what_an_agent_did_is_done_again_equal(played_day: PlayedDay, agent: Registered) -> None:
    """Every task of every agent, byte by byte, in a process with another hash seed than the workers had."""
    settings = played_day.settings
    codec, partitions = open_codec(settings), agent.declare(settings).partitions
    found = [verify(agent.declare, settings, codec, at) for at in range(partitions)]
    assert [task.text() for task in found if task.difference is not None] == []
    assert sum(task.records for task in found) > 0


def test_the_command_verifies_too(played_day: PlayedDay) -> None:
    """`replay --verify`, with all quotes in and all bars out."""
    found = json.loads(played_day.pipeline.run("replay", "--verify", "market", "--json"))
    assert found["equal"], found
    tasks, ledger = found["tasks"], played_day.ledger
    assert sum(task["records"] for task in tasks) >= len(ledger.ticks)
    outputs = sum(task["outputs"] for task in tasks)
    assert outputs == sum(task["outputs_on_topics"] for task in tasks) >= len(ledger.bars)


def test_commands_list_what_postgresql_holds(played_day: PlayedDay) -> None:
    """Orders, fills, positions and accounts: as many as the topics have, and of one tenant alone where it is named."""
    ledger, run = played_day.ledger, played_day.pipeline.run
    listed = {
        name: json.loads(run(name, "--json", "--limit", "10000", "--tenant", "alpha"))
        for name in ("orders", "fills", "positions", "accounts")
    }
    assert {row["tenant_id"] for of in listed.values() for rows in of.values() if rows for row in rows} == {"alpha"}
    mine = [one.order_id for one in ledger.requests if one.tenant_id == "alpha"]
    assert Counter(row["order_id"] for row in listed["orders"]["orders"]) == Counter(mine)
    mine = [one.order_id for one in ledger.fills if one.tenant_id == "alpha"]
    assert Counter(row["order_id"] for row in listed["fills"]["fills"]) == Counter(mine)
    whole = {row["symbol"]: row for row in listed["positions"]["positions"] if row["deployment"] is None}
    for symbol, account in whole.items():
        own = [row for row in listed["positions"]["positions"] if row["symbol"] == symbol and row["deployment"]]
        assert sum(Decimal(row["quantity"]) for row in own) == Decimal(account["quantity"])
    (account,) = listed["accounts"]["accounts"]
    assert (account["account_id"], account["fills"]) == ("main", len(mine))
    assert "alpha/main" in run("positions", "--limit", "1")


async def test_the_way_of_a_fill_is_found_from_every_id_on_it(played_day: PlayedDay) -> None:
    """From the quote to the fill, by PostgreSQL and Kafka; another tenant's id is as unknown as one that never was."""
    settings = played_day.settings
    reads = Reads(settings)
    traces = Traces(settings, open_codec(settings), reads)
    fill = next(one for one in played_day.ledger.fills if one.tenant_id == "alpha" and one.symbol == "EURUSD")
    found = await traces.trace("alpha", fill.event_id)
    ((order_id, steps),) = [(one["order_id"], one["steps"]) for one in found["orders"]]
    kinds = [step["kind"] for step in steps if step["kind"] != "position"]  # of which the topic keeps the newest alone
    assert (order_id, found["trouble"]) == (fill.order_id, None)
    assert kinds[:5] == ["quote", "bar", "signal", "request", "decision"]
    assert set(kinds[5:]) == {"order", "fill"}
    by_kind = {step["kind"]: step for step in steps}
    assert by_kind["quote"]["event"]["ts_event"] == by_kind["request"]["event"]["quote_ts"]
    assert by_kind["bar"]["id"] == by_kind["signal"]["event"]["causation_id"]
    for kind in ("signal", "request", "decision", "order"):
        again = await traces.trace("alpha", by_kind[kind]["id"])
        assert order_id in [one["order_id"] for one in again["orders"]]
    for tenant, event_id in (("beta", fill.event_id), ("alpha", "never")):
        with pytest.raises(Problem) as refused:
            await traces.trace(tenant, event_id)
        assert (refused.value.status, refused.value.code) == (404, "UNKNOWN_ID")
    await reads.close()


def test_a_command_explains_a_decision(played_day: PlayedDay) -> None:
    """Its checks, from PostgreSQL and the tenant's revision on Kafka, are those that the decision names."""
    ledger, run = played_day.ledger, played_day.pipeline.run
    denied = next(one for one in ledger.decisions if "MAX_ORDER_SIZE" in one.codes)
    filled = next(one for one in ledger.fills if one.tenant_id == "alpha")
    told = json.loads(run("risk", "explain", denied.order_id, "--json"))
    assert [one["code"] for one in told["checks"] if not one["passed"]] == list(denied.codes)
    assert (told["note"], told["decision"]["reason"], told["events"]) == (None, denied.reason, [])
    assert Decimal(told["position"]["exposure"]) == denied.exposure
    text = run("risk", "explain", filled.order_id)
    assert "decision  APPROVED" in text
    assert "FILLED" in text
