"""`tradewind up`: everything, from the services to the feed, in the foreground or detached."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import click

PORTS = "First port.  [default: 19090, or free ports if that is in use; each data folder keeps its ports]"
SPEED = re.compile(r"^(max|\d+(\.\d+)?)$")


def _speed(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not SPEED.match(value):
        raise click.BadParameter(f"{value!r}: give a factor, such as 10, or max")
    return value


@click.command()
@click.option("--feed", "sources", multiple=True, metavar="FILE...", help="Feed these files instead of the simulator.")
@click.argument("more", nargs=-1, metavar="")
@click.option("--speed", metavar="N|max", callback=_speed, help="Speed of replay: a factor of real time, or max.")
@click.option("--rate", type=click.IntRange(min=1), help="Ticks per second of the simulator.  [default: 1000]")
@click.option("--for", "for_s", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after this time.")
@click.option("--base-port", type=click.IntRange(1024, 65_000), envvar="TRADEWIND_BASE_PORT", help=PORTS)
@click.option(
    "--accept-cluster",
    is_flag=True,
    help="Accept another Kafka or other topics than the known ones. What the known ones held is lost.",
)
@click.option("--detach", is_flag=True, help="Return once everything is up. `tradewind down` stops it.")
@click.option("--every", default=1.0, type=click.FloatRange(min=0.1), hidden=True)
def up(
    *,
    sources: tuple[str, ...],
    more: tuple[str, ...],
    speed: str | None,
    rate: int | None,
    for_s: float | None,
    base_port: int | None,
    accept_cluster: bool,
    detach: bool,
    every: float,
) -> None:
    """Start the services, the workers and a feed, and show what flows until Ctrl-C."""
    if more and not sources:
        raise click.UsageError(f"unexpected {' '.join(more)}: files to feed come after --feed")
    given = [source for source in (*sources, *more) if not source.startswith("archive:")]
    missing = [source for source in given if "." in source and not Path(source).is_file()]
    if missing:
        raise click.UsageError(f"there is no file {missing[0]}")

    from tradewind.connectors.settings import Settings, strangers  # noqa: PLC0415 - help comes at once
    from tradewind.infra.services.folder import check_folder, check_format  # noqa: PLC0415
    from tradewind.infra.services.ports import DEFAULT_BASE, base_of, kept_base  # noqa: PLC0415
    from tradewind.infra.services.timeseries import chosen  # noqa: PLC0415
    from tradewind.infra.up.holder import refuse_second  # noqa: PLC0415
    from tradewind.infra.up.plan import Plan  # noqa: PLC0415
    from tradewind.infra.up.screen import Screen  # noqa: PLC0415
    from tradewind.infra.up.supervisor import Supervisor  # noqa: PLC0415

    settings = Settings()
    data = settings.data.absolute()
    check_folder(data)
    check_format(data)
    plan = Plan((*sources, *more), speed, rate, for_s, base_port, accept_cluster)
    if detach:
        from tradewind.infra.up.detach import start_detached  # noqa: PLC0415

        start_detached(data, plan.arguments())
        return
    refuse_second(data)
    plan = replace(plan, timeseries=chosen(settings, data), archive=settings.archive.enabled)
    had = kept_base(data) or DEFAULT_BASE
    plan = replace(plan, base_port=base_of(data, base_port))
    screen = Screen(every)
    for name, meant in strangers(os.environ).items():
        screen.say(f"warning: {name} is set, but no such setting exists{f'; is it {meant}?' if meant else ''}")
    if base_port is None and plan.base_port != had:
        screen.say(f"some ports from {had} on are in use; {data} now uses and keeps those from {plan.base_port} on")
    try:
        Supervisor(settings, data, plan, screen).run()
    finally:
        screen.close()
