"""Settles calls in suspense by the provider's count, as a person does, on services that run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.ai.evidence import cost
from tradewind.infra.bench.parts.ai.judged import records
from tradewind.infra.bench.parts.ai.provider import Counted, Provider
from tradewind.schemas.ai import AiPrice
from tradewind.schemas.billing import Usage
from tradewind.schemas.codec import Codec
from tradewind.topics import USAGE

CALLS = 3
PATIENCE_S = 60.0
COMMAND_S = 120.0


class Reconciled:
    """`ai reconcile`, and what usage says after it."""

    def __init__(self, settings: Settings, codec: Codec, provider: Provider, price: AiPrice) -> None:
        self._settings, self._codec, self._provider, self._price = settings, codec, provider, price
        self._environment = {**os.environ, "TRADEWIND_DATA": str(settings.data)}

    def wrong(self) -> dict[str, int]:
        """Settle some calls once and again, and one that there is not; return what is wrong, by name."""
        known = {one.call_id: one for one in self._provider.log}
        before = self._listed()
        calls = [known[call_id] for call_id in before if call_id in known][:CALLS]
        settled = [self._reconcile(call.call_id, call.input, call.output) for call in calls]
        used = self._usage(calls)
        repeated = [self._reconcile(call.call_id, call.input + 1, call.output) for call in calls]
        nobody = self._reconcile("nobody", 1, 1)
        refused = [one for one in (*repeated, nobody) if one.returncode == 1 and "is not in suspense" in one.stderr]
        return {
            "calls_that_could_not_be_reconciled": CALLS - sum(one.returncode == 0 for one in settled),
            "reconciled_by_other_amounts": sum(used.get(call.call_id) != self._expected(call) for call in calls),
            "reconciled_twice_or_of_nobody": len(calls) + 1 - len(refused),
            "reconciled_and_still_listed": len({call.call_id for call in calls} & set(self._listed())),
        }

    def _expected(self, call: Counted) -> dict[str, int]:
        """Return the units of each meter."""
        units = {"ai.tokens.in": call.input, "ai.tokens.out": call.output, "ai.cost": cost(self._price, call)}
        return {meter: count for meter, count in units.items() if count}

    def _usage(self, calls: list[Counted]) -> dict[str, dict[str, int]]:
        """Return the usage of calls, when there is some of each."""
        deadline, wanted = time.monotonic() + PATIENCE_S, {call.call_id for call in calls}
        while True:
            found: dict[str, dict[str, int]] = {}
            for one in records(self._settings, self._codec, USAGE, Usage):
                if one.call_id in wanted:
                    of = found.setdefault(str(one.call_id), {})
                    of[one.meter] = of.get(one.meter, 0) + one.quantity
            if found.keys() == wanted or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def _listed(self) -> list[str]:
        found = self._run("--json")
        if found.returncode:
            raise RuntimeError(f"ai reconcile cannot list the calls in suspense: {found.stderr}")
        return [one["call"] for one in json.loads(found.stdout)["calls"]]

    def _reconcile(self, call: str, tokens_in: int, tokens_out: int) -> subprocess.CompletedProcess[str]:
        return self._run(call, "--tokens-in", str(tokens_in), "--tokens-out", str(tokens_out))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "ai", "reconcile", *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
