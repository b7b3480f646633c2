"""`tradewind gateway`: serve HTTP, WebSocket and the dashboard until told to stop."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tradewind.infra.cli.processes.process_log import set_up_log
from tradewind.infra.up.gate import pass_gate

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tradewind.connectors.gateway.gateway import Declared, Gateway
    from tradewind.connectors.settings import Settings

log = logging.getLogger(__name__)
COMMAND = (sys.executable, "-P", "-m", "tradewind.infra.cli")


@click.command()
@click.option(
    "--link-file",
    type=click.Path(dir_okay=False, path_type=Path),
    hidden=True,
    help="Write a one-time link for the operator into this file.",
)
def gateway(*, link_file: Path | None) -> None:
    """Serve HTTP, WebSocket and the dashboard on loopback, until SIGTERM or Ctrl-C.

    TRADEWIND_GATEWAY__PORT is the port (3001).
    """
    set_up_log()
    pass_gate()
    from tradewind.connectors.cluster.guard import guarded  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.gateway.app import make_app  # noqa: PLC0415
    from tradewind.connectors.gateway.gateway import make_gateway  # noqa: PLC0415
    from tradewind.connectors.gateway.server import listen, server_of  # noqa: PLC0415
    from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.telemetry.process import telemetry  # noqa: PLC0415

    settings = Settings()
    with telemetry(settings, "gateway") as told, guarded(settings, "gateway", told.health) as guard:
        codec, declared = open_codec(settings, PATIENT_ATTEMPTS), declared_of(settings)
        sock = listen(settings.gateway.port)
        url = f"http://127.0.0.1:{settings.gateway.port}"

        def app(made: Callable[[Gateway], None]) -> ASGIApp:
            def make() -> Gateway:
                found = make_gateway(settings, codec, declared)
                made(found)
                told.health.must_live("views", found.dead_views)
                if link_file is not None:
                    task = asyncio.get_running_loop().create_task(_write_link(found, url, link_file))
                    found.tasks.add(task)
                return found

            return make_app(make, settings.gateway.hosts)

        server = server_of(app, settings.gateway.hosts)
        guard.start(lambda: setattr(server, "should_exit", True))
        log.info("the gateway answers at %s", url)
        with sock:
            server.run([sock])
        if not server.started:
            sys.exit(1)


async def _write_link(made: Gateway, url: str, file: Path) -> None:
    """Write a one-time link for the operator, again and again until PostgreSQL is there to keep it."""
    from tradewind.connectors.gateway.problems import Problem  # noqa: PLC0415 - help comes at once
    from tradewind.infra.services.passwords import write_private  # noqa: PLC0415

    while True:
        try:
            link = link_to(url, await made.store.new_link(await made.store.ensure_operator()))
        except Problem as problem:
            log.warning("no link yet: %s", problem)
            await asyncio.sleep(1.0)
            continue
        write_private(file, f"{link}\n")
        return


def url_of(settings: Settings) -> str:
    """Return where the gateway of a data folder answers: at the base port of its `up`, if that runs."""
    from tradewind.infra.services.ports import DEFAULT_BASE, Ports, kept_base  # noqa: PLC0415 - help comes at once
    from tradewind.infra.up.holder import holder  # noqa: PLC0415

    data = settings.data.absolute()
    if holder(data) is None:
        return f"http://127.0.0.1:{settings.gateway.port}"
    return f"http://127.0.0.1:{Ports(kept_base(data) or DEFAULT_BASE).gateway}"


def link_to(url: str, code: str) -> str:
    """Return the address that signs in once. The code follows `#`, so that no request line and no log holds it."""
    return f"{url}/login#{code}"


def declared_of(settings: Settings) -> Declared:
    """Return what `infra` and `streams` know of this installation."""
    from tradewind.connectors.gateway.gateway import Declared  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.gateway.views.system import Ports  # noqa: PLC0415
    from tradewind.connectors.timeseries.product import TITLES  # noqa: PLC0415
    from tradewind.infra.cli.dead_letters.owners import owners_named  # noqa: PLC0415
    from tradewind.infra.status.names import CALLER_NAMES, known, sinks_of  # noqa: PLC0415
    from tradewind.infra.up.logs import logs_of, tail  # noqa: PLC0415
    from tradewind.streams.agents import OURS, installed  # noqa: PLC0415

    return Declared(
        known=known(settings),
        order=(*(one.name for one in (*OURS, *installed())), *CALLER_NAMES),
        left_out=frozenset(TITLES.keys() - set(sinks_of(settings))),
        owners=cache(lambda: tuple(owners_named((), settings))),
        command=lambda arguments: (*COMMAND, *arguments, "--data", str(settings.data.absolute())),
        without_journal=frozenset(CALLER_NAMES),
        ports=Ports(
            services=lambda: _services(settings),
            processes=lambda: _processes(settings),
            logs=lambda: [*logs_of(settings.data.absolute())],
            log=lambda name, lines: asdict(tail(logs_of(settings.data.absolute())[name], lines)),
        ),
    )


def _services(settings: Settings) -> list[dict[str, Any]]:
    from tradewind.infra.services.stack import check  # noqa: PLC0415 - help comes at once

    return [
        {"name": one.name, "healthy": one.healthy, "version": one.version, "detail": one.detail}
        for one in check(settings.data.absolute(), settings)
    ]


def _processes(settings: Settings) -> list[dict[str, Any]]:
    from tradewind.infra.status.readiness import with_readiness  # noqa: PLC0415 - help comes at once
    from tradewind.infra.up.state import read_state  # noqa: PLC0415

    return [
        {
            "name": worker.name,
            "phase": worker.phase,
            "down": worker.down,
            "stands_still": worker.stands_still,
            "ready": worker.ready,
            "reasons": list(worker.reasons),
            "deaths": worker.deaths,
            "age_s": worker.age_s,
            "held": [asdict(held) for held in worker.held],
            "restoring": list(worker.restoring),
        }
        for worker in with_readiness(read_state(settings.data.absolute()))
    ]
