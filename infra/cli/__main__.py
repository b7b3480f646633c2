"""`python -m tradewind.infra.cli`, as `./dev` and the supervisor run it."""

from tradewind.infra.cli.group import main

main()
