"""The contract between an agent and what runs it, on the test kit."""

from __future__ import annotations

import pytest
from contract.cases import CASES
from contract.claims import Contract, Play
from contract.in_memory import in_memory, play


class TestInMemory(Contract):
    @pytest.fixture
    def play(self) -> Play:
        """Give what runs a case in memory."""
        return lambda case: in_memory(case.agent.name)


@pytest.mark.parametrize("limit", [1, 2, 7])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.crashes])
def test_batches_of_any_size_give_the_same(name: str, limit: int) -> None:
    """All that there is to see after each step: what was sent, dead letters, state and positions."""
    assert [seen.by_key() for seen in play(CASES[name], limit)] == [seen.by_key() for seen in in_memory(name)]
