"""`tradewind retry`: start workers again that `up` has given up."""

from __future__ import annotations

import click


@click.command()
@click.argument("names", nargs=-1, metavar="[WORKER]...")
def retry(names: tuple[str, ...]) -> None:
    """Start workers again that stay down after several failures. Without WORKER, start all of them."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.up.crew import STAYS_DOWN, retry_file  # noqa: PLC0415
    from tradewind.infra.up.holder import holder  # noqa: PLC0415
    from tradewind.infra.up.state import read_state  # noqa: PLC0415

    data = Settings().data.absolute()
    workers = {worker.name: worker for worker in read_state(data)}
    if holder(data) is None:
        raise click.ClickException(f"`up` is not running in {data}: start it with ./dev up")
    for name in names:
        if name not in workers:
            raise click.UsageError(f"there is no worker {name!r}; there are: {', '.join(workers)}")
    down = [name for name in names or workers if workers[name].phase in {phase.value for phase in STAYS_DOWN}]
    for name in down:
        retry_file(data, name).touch()
        click.echo(f"{name} is started again")
    for name in names:
        if name not in down:
            click.echo(f"{name} is not down: it is {workers[name].phase}")
    if not names and not down:
        click.echo("no worker is down")
