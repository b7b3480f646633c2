"""The `tradewind` command; `./dev` runs it from a checkout."""

from tradewind.infra.cli.group import main as main
