"""AI requests under faults: caller and agent are killed or frozen at five points while 200 calls are in flight.

The points: before a claim, between claim and send, in flight, after an answer and before its attempt is published; and
the agent between a call and its response. A process is killed by kill -9, or frozen until its successor works. A
provider on loopback logs each call id and counts its tokens. At the end, all topics, the provider's log and `tradewind
usage` are compared, and `replay --verify` repeats the decisions. Some calls in suspense are settled by `ai reconcile`.
Each figure but the counts must be 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from tradewind.connectors.ai.in_force import apply
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka import publish
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.faults import progress
from tradewind.infra.bench.parts.ai.asked import TENANTS, Asked
from tradewind.infra.bench.parts.ai.faults import KINDS, Faults
from tradewind.infra.bench.parts.ai.held_caller import ADAPTER
from tradewind.infra.bench.parts.ai.judged import Judged
from tradewind.infra.bench.parts.ai.provider import Provider
from tradewind.infra.bench.parts.ai.reconciled import Reconciled
from tradewind.infra.bench.parts.progress import say
from tradewind.infra.bench.parts.results import Result
from tradewind.infra.bench.parts.services import services
from tradewind.infra.bench.parts.tenants import tenant_command
from tradewind.processors.ai.seed import first_settings
from tradewind.schemas.ai import AiPrice, AiProvider, AiRoute
from tradewind.schemas.tenancy import TenantCommand
from tradewind.topics import TENANT_COMMANDS

IN_FLIGHT = 200  # calls at the same time
OPEN = 250  # requests: the rest waits unclaimed
ATTEMPTS = 30  # of one request: more than faults can take from it
PREPARED_S = 300.0


def measure(kills: int, seed: int) -> tuple[list[Result], list[str], bool]:
    """Run the faults; return figures, notes, and whether anything is wrong."""
    begun = time.monotonic()
    wrong, counts, done = suite(kills, seed)
    results = [Result.of(name, "cases", [count]) for name, count in wrong.items()]
    results += [Result.of(name, "times", [count]) for name, count in (*counts.items(), *done.items())]
    results.append(Result.of("duration_s", "s", [time.monotonic() - begun]))
    return results, [f"seed {seed}; {OPEN} requests open, {IN_FLIGHT} calls in flight at most"], any(wrong.values())


def suite(kills: int, seed: int) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Run faults until there were enough and each kind came; return what is wrong, counts, and faults by kind."""
    begun = time.monotonic()
    with services() as settings, Provider(seed) as provider:
        codec, price = open_codec(settings), prepare(settings, provider.url)
        with Asked(settings, codec, OPEN, seed) as asked, Faults(settings, provider, asked, seed) as faults:
            while faults.kills < max(kills, len(KINDS)):
                told = faults.next()
                far = progress(faults.kills, kills, time.monotonic() - begun)
                say(f"{far}, {len(asked.responses):,} responses: {told}")
            say("no more faults: what is open is answered, and all of it is compared")
            asked.stop()
            reconciled = Reconciled(settings, codec, provider, price).wrong()
            faults.stop()
            judged = Judged(settings, codec, provider, asked, price=price, claimed=faults.claimed)
            wrong = {**judged.wrong(), **reconciled}
            counts = {**judged.evidence.counts(), "calls_that_waited_at_faults": faults.waiting}
        done = {f"{way}, {point}": count for (point, way), count in faults.done.items()}
    return wrong, counts, done


def prepare(settings: Settings, url: str) -> AiPrice:
    """Prepare topics, tables, tenants and the settings of AI; return the price of the double's model."""
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "prepare"]
    environment = {**os.environ, "TRADEWIND_DATA": str(settings.data)}
    subprocess.run(command, env=environment, check=True, timeout=PREPARED_S, stdout=subprocess.DEVNULL)
    publish(TENANT_COMMANDS, [_large(name) for name in TENANTS], settings)
    provider, route, price = first_settings()
    assert isinstance(provider, AiProvider)
    assert isinstance(route, AiRoute)
    assert isinstance(price, AiPrice)
    model = {**provider.models[0], "name": "m"}
    key = {"key_id": ADAPTER.upper(), "tenant_id": None, "requests_per_minute": 0, "tokens_per_minute": 0}
    double = replace(
        provider,
        name=ADAPTER,
        adapter=ADAPTER,
        base_url=url,
        allow_private=True,
        keys=({**key, "concurrent": IN_FLIGHT},),
        models=(model,),
        max_attempts=ATTEMPTS,
    )
    candidates: tuple[Mapping[str, int | str], ...] = ({"provider": ADAPTER, "model": "m", "weight": 1},)
    paid = replace(price, provider=ADAPTER, model="m", price_id="double", cache_write_per_million=Decimal(2))
    apply([double, replace(route, candidates=candidates, max_attempts=ATTEMPTS), paid], 1, settings)
    return paid


def _large(tenant: str) -> TenantCommand:
    """Return a command that lets a tenant ask as often as it likes."""
    changes = {"ai_requests_per_hour": 10_000_000, "ai_requests_per_day": 10_000_000}
    return tenant_command(tenant, "SET", 1, changes, clock_us())
