"""`tradewind caller`: perform calls to the outside until told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from tradewind.infra.cli.processes.process_log import set_up_log
from tradewind.infra.cli.processes.stopping import set_from_thread
from tradewind.infra.services.ending import heard
from tradewind.infra.up.gate import pass_gate

if TYPE_CHECKING:
    from tradewind.connectors.ai.adapter import Adapter
    from tradewind.connectors.calls.kind import Kind
    from tradewind.connectors.calls.limits import Limits
    from tradewind.connectors.calls.loop import Caller
    from tradewind.connectors.settings import Settings
    from tradewind.connectors.telemetry.process import Telemetry

KINDS = ("ai",)
log = logging.getLogger(__name__)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="KIND...")
def caller(names: tuple[str, ...]) -> None:
    """Perform calls of these kinds: ai (to AI providers).

    Each call is claimed before it is sent, and is never sent twice. Keys of providers come from
    ./dev ai keys and from TRADEWIND_AI__KEYS__<ID>. Stops within 5 s of SIGTERM or Ctrl-C.
    """
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise click.UsageError(f"there is no kind of call {unknown[0]!r}; kinds are: {', '.join(KINDS)}")
    set_up_log()
    pass_gate()
    run_callers(tuple(dict.fromkeys(names)))


def run_callers(
    names: Sequence[str], limits: Limits | None = None, adapters: Mapping[str, Callable[[], Adapter]] | None = None
) -> None:
    """Perform calls until told to stop, with the limits and the AI adapters of service unless others are given.

    Exits with 1 if a caller cannot continue.
    """
    from tradewind.connectors.calls.loop import Caller  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.calls.telemetry import CallerTelemetry  # noqa: PLC0415
    from tradewind.connectors.cluster.guard import guarded  # noqa: PLC0415
    from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.telemetry.process import telemetry  # noqa: PLC0415
    from tradewind.connectors.watchdogs.watch import watched  # noqa: PLC0415
    from tradewind.infra.services.disk import tell_disk  # noqa: PLC0415

    settings = Settings()
    process = f"caller {' '.join(names)}"
    with telemetry(settings, process.replace(" ", "-")) as told, guarded(settings, process, told.health) as guard:
        tell_disk(told.health, settings)
        codec = open_codec(settings, PATIENT_ATTEMPTS)
        kinds = [kind_named(name, settings, told, adapters) for name in names]
        callers = [Caller(settings, kind, codec, limits) for kind in kinds]
        watching = [CallerTelemetry(one, told) for one in callers]

        async def run() -> None:
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            guard.start(lambda: set_from_thread(stop, loop))
            for number in heard():
                loop.add_signal_handler(number, _stopped, stop, number)
            await _run(callers, stop)

        with watched(watching, settings, codec, told.health):
            try:
                asyncio.run(run())
            except Exception:
                log.exception("the caller cannot continue")
                sys.exit(1)


def kind_named(
    name: str,
    settings: Settings,
    told: Telemetry | None = None,
    adapters: Mapping[str, Callable[[], Adapter]] | None = None,
) -> Kind:
    """Return the kind of call of a name; its own metrics go to `told`."""
    from tradewind.connectors.ai.cache.cache import AnswerCache  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.ai.cache.shared import shared_answers  # noqa: PLC0415
    from tradewind.connectors.ai.cache.telemetry import points_of  # noqa: PLC0415
    from tradewind.connectors.ai.calls import AiCalls  # noqa: PLC0415
    from tradewind.connectors.ai.deltas.writer import DeltaWriter  # noqa: PLC0415
    from tradewind.connectors.ai.keys.keys import keys_of  # noqa: PLC0415
    from tradewind.connectors.ai.valkey import Link  # noqa: PLC0415

    assert name == "ai", f"{name} is none of {KINDS}"
    cache = AnswerCache(shared=shared_answers(settings))
    if told is not None and told.instruments is not None:
        told.instruments.add_source(points_of(cache))
    deltas = None if settings.redis.url is None else DeltaWriter(Link(settings.redis), settings.namespace)
    return AiCalls(keys_of(settings), adapters, deltas, cache)


async def _run(callers: Sequence[Caller], stop: asyncio.Event) -> None:
    """Run callers until `stop` is set; where one ends, all do."""

    async def one(caller: Caller) -> None:
        try:
            await caller.run(stop)
        finally:
            stop.set()

    await asyncio.gather(*(one(caller) for caller in callers))


def _stopped(stop: asyncio.Event, number: int) -> None:
    log.info("stopping: %s", signal.Signals(number).name)
    stop.set()
