"""The table of commands. A command's module is imported when it is run, so that help and `status` come at once."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from pathlib import Path

import click

from tradewind import __version__

COMMANDS: dict[str, str] = {
    "up": "Start the services, the workers and a feed, and show what flows.",
    "down": "Stop what `up` started.",
    "status": "Show services, topics, consumer groups and totals.",
    "logs": "Print the logs of services and workers.",
    "doctor": "Check this machine and the services, and say what to do.",
    "reset": "Wipe the data folder, after asking.",
    "topics": "List, create and check topics.",
    "publish": "Publish events to a topic.",
    "consume": "Print the events of a topic.",
    "dlq": "Count, read and send back what agents and sinks could not process.",
    "replay": "Run an agent's journal again, and compare it with what it did.",
    "halt": "Stop a tenant's trading, or let it go on.",
    "feed": "Publish market data from files or the simulator.",
    "prepare": "Register schemas, create topics and migrate the database.",
    "worker": "Run agents by role.",
    "sink": "Write topics to a store.",
    "test": "Run the test suite; arguments go to pytest.",
    "check": "Check style, types, imports and generated code.",
    "generate": "Write the generated code again.",
    "bench": "Measure Tradewind beside a peer.",
}
"""Name -> short help. A command `x` is the click command `x` in `tradewind.infra.cli.x`."""


def _use_data(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    """Tell the settings of this process, and of those that it starts, which data folder to use."""
    if value is not None:
        os.environ["TRADEWIND_DATA"] = str(value.absolute())


def _data_option() -> click.Option:
    return click.Option(
        ["--data"],
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        is_eager=True,
        expose_value=False,
        callback=_use_data,
        help="Folder of the data, logs and passwords of what runs here.  [default: .tradewind]",
    )


def with_data(command: click.Command) -> click.Command:
    """Give `--data` to a command and to the commands under it, where they do not have it."""
    if not any(parameter.name == "data" for parameter in command.params):
        command.params.append(_data_option())
    if isinstance(command, click.Group):
        for under in command.commands.values():
            with_data(under)
    return command


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"tradewind.infra.cli.{cmd_name}"), cmd_name)
        return with_data(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


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
    try:
        tradewind(prog_name="tradewind")
    except Exception as error:
        if not _explains_itself(error):
            raise
        click.echo(f"tradewind: {error}", err=True)
        sys.exit(1)


def _explains_itself(error: Exception) -> bool:
    """Whether the message is all that a person needs: an error of Tradewind's own says what, where and what to do."""
    return type(error).__module__.startswith("tradewind.")
