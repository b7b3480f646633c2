"""A group is described from a process that may end by it."""

from __future__ import annotations

import os
import signal
import time
from threading import Thread

import pytest
from runtime.records import NOWHERE

from tradewind.infra.bench.parts.faults.groups import Groups, Undescribed


def test_a_process_that_ends_costs_an_answer_and_not_the_bench() -> None:
    """As by an assertion of the client; the next question starts another one."""
    groups, ended = Groups(NOWHERE), list[int]()

    def end() -> None:
        while groups._process is None or not (processes := groups._process._processes):
            time.sleep(0.01)
        ended.extend(processes)
        time.sleep(0.5)
        os.kill(ended[-1], signal.SIGABRT)

    for count in (1, 2):
        killer = Thread(target=end)
        killer.start()
        with pytest.raises(Undescribed, match="g was not described: who asked ended"):
            groups.described("g")
        killer.join()
        assert len(ended) == count
    assert ended[0] != ended[1]
    groups.close()
