"""A caller of tests: `tradewind caller ai` with short limits, that obeys orders, and a provider that logs calls."""

from __future__ import annotations

import json
import os
from pathlib import Path

from calls.calling import LIMITS, ORDERS, PROVIDER_LOG, Logged
from tradewind.connectors.ai.calls import OURS
from tradewind.connectors.calls import loop
from tradewind.connectors.calls.limits import Limits
from tradewind.infra.bench.parts.ai.held_caller import HeldCaller
from tradewind.infra.bench.parts.ai.orders import Orders
from tradewind.infra.cli.processes.caller import run_callers
from tradewind.infra.cli.processes.process_log import set_up_log


def main() -> None:
    """Run until told to stop."""
    set_up_log()
    HeldCaller.orders = Orders(Path(os.environ[ORDERS]))
    loop.Caller = HeldCaller  # type: ignore[misc]
    adapters = {**OURS, "logged": lambda: Logged(Path(os.environ[PROVIDER_LOG]))}
    run_callers(("ai",), Limits(**json.loads(os.environ[LIMITS])), adapters)


if __name__ == "__main__":
    main()
