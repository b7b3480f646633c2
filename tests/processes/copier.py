"""Runs the command line in a process that kills itself before it commits a transaction.

python copier.py NUMBER ARGUMENT...
"""

from __future__ import annotations

import os
import signal
import sys

from tradewind.connectors.kafka.transaction import TransactionalProducer
from tradewind.infra.cli.group import main

if __name__ == "__main__":
    left = [int(sys.argv[1])]
    committing = TransactionalProducer.commit

    def commit(self: TransactionalProducer) -> None:
        """Commit, or end."""
        if left[0] == 0:
            self.client.flush(10)
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        committing(self)

    TransactionalProducer.commit = commit  # type: ignore[method-assign]
    sys.argv = ["tradewind", *sys.argv[2:]]
    main()
