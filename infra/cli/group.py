"""The table of commands. A command's module is imported when it is run, so that help and `status` come at once."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from tradewind import __version__
from tradewind.infra.cli.output import open_streams, printed
from tradewind.infra.cli.plain_errors import explained
from tradewind.infra.services.ending import Ended, die_by, ended_by_signals

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("stack", "Start the services, the workers and a feed, and show what flows."),
    "down": ("stack", "Stop what `up` started."),
    "status": ("stack", "Show services, topics, consumer groups and totals."),
    "retry": ("stack", "Start workers again that `up` has given up on."),
    "logs": ("stack", "Print the logs of services and workers."),
    "doctor": ("stack", "Check this machine and the services, and say what to do."),
    "reset": ("stack", "Wipe the data folder, after asking."),
    "topics": ("events", "List, create and check topics."),
    "publish": ("events", "Publish events to a topic."),
    "consume": ("events", "Print the events of a topic."),
    "transactions": ("events", "List open transactions, and end those that keep readers waiting."),
    "dlq": ("dead_letters", "List, show and send back dead letters; skip a record that stops an agent."),
    "replay": ("trading", "Copy topics to another namespace, or repeat an agent's journal and compare."),
    "archive": ("archive", "List, compare, compact and prune the Parquet files of topics."),
    "tenants": ("trading", "Create and change tenants, and see which revision is in force."),
    "strategies": ("trading", "Deploy strategies to accounts, pause and retire them."),
    "orders": ("books", "List orders, what risk decided, and how they ended; submit and cancel by hand."),
    "fills": ("books", "List what was bought and sold."),
    "positions": ("books", "List what accounts hold, and what each of their deployments holds."),
    "accounts": ("books", "List the accounts that have traded."),
    "risk": ("books", "Say why an order was approved or denied."),
    "balance": ("books", "Compare requests, decisions, fills, positions and cash."),
    "users": ("access", "Create users of the gateway, and make links to sign in."),
    "backtest": ("backtests", "Run a strategy on recorded quotes, and compare results."),
    "halt": ("trading", "Stop a tenant's trading, or resume it."),
    "ai": ("ai", "Ask a model; see and change providers, routes and prices; see what requests cost."),
    "usage": ("billing", "Show what a tenant has used."),
    "feed": ("processes", "Publish market data from files or the simulator."),
    "prepare": ("processes", "Register schemas, create topics and migrate the database."),
    "worker": ("processes", "Run agents by name."),
    "sink": ("processes", "Write topics to a store."),
    "caller": ("processes", "Perform calls to AI providers."),
    "gateway": ("processes", "Serve HTTP, WebSocket and the dashboard."),
    "test": ("checkout", "Run the test suite; arguments go to pytest."),
    "check": ("checkout", "Check style, types, imports and generated code."),
    "generate": ("checkout", "Generate the models from the schemas."),
    "vendor": ("checkout", "Check or fetch the libraries that the dashboard brings along."),
    "bench": ("checkout", "Measure Tradewind beside other libraries."),
}
"""Name -> (folder, short help). A command `x` is the click command `x` in `tradewind.infra.cli.<folder>.x`."""
HIDDEN = {"look": "processes"}
"""Name -> folder of what only `up` runs."""
FOLDERS = {name: folder for name, (folder, _) in COMMANDS.items()} | HIDDEN


def _use_data(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    """Set the data folder of this process, and of the processes that it starts."""
    from tradewind.infra.services.folder import check_path  # noqa: PLC0415 - help comes at once

    if value is not None:
        os.environ["TRADEWIND_DATA"] = str(value.absolute())
    if (told := os.environ.get("TRADEWIND_DATA")) is not None:
        check_path(Path(told).absolute())


def _data_option() -> click.Option:
    return click.Option(
        ["--data"],
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        is_eager=True,
        expose_value=False,
        callback=_use_data,
        help="Folder of this stack's data, logs and passwords.  [default: .tradewind]",
    )


def with_data(command: click.Command) -> click.Command:
    """Give `--data` to a command and to the commands under it, where they do not have it.

    A list of commands shows the first sentence of each: click would cut the sentence at the end of the line.
    """
    if not any(parameter.name == "data" for parameter in command.params):
        command.params.append(_data_option())
    if isinstance(command, click.Group):
        for under in command.commands.values():
            with_data(under)
            under.short_help = under.short_help or first_sentence(under.help or "")
    return command


def first_sentence(text: str) -> str:
    """Return the first sentence of a help text, on one line."""
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    end = paragraph.find(". ")
    return paragraph if end < 0 else paragraph[: end + 1]


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None where there is none of that name."""
        if cmd_name not in FOLDERS:
            return None
        folder = FOLDERS[cmd_name]
        command: click.Command = getattr(import_module(f"tradewind.infra.cli.{folder}.{cmd_name}"), cmd_name)
        return with_data(command)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, which a signal ends in order: it unwinds, and stops what it has started."""
        try:
            with ended_by_signals(), printed():
                return super().invoke(ctx)
        except Ended as ended:
            raise SystemExit(128 + ended.number) from ended

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    params=[_data_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(version=__version__, prog_name="tradewind")
def tradewind() -> None:
    """Event-driven, multi-tenant trading on Kafka."""


def main() -> None:
    """Run the command line; errors that say what to do are printed without a traceback."""
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # of platformdirs, as root; not used here
    open_streams()
    try:
        tradewind(prog_name="tradewind")
    except SystemExit as left:
        if isinstance(left.__cause__, Ended):
            die_by(left.__cause__.number)
        raise
    except Exception as error:
        said = explained(error)
        if said is None:
            raise
        click.echo(f"tradewind: {said}", err=True)
        sys.exit(1)
