"""The contract between an agent and what runs it, on a real worker and a real Kafka, which the test kit is held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from contract.cases import CASES
from contract.claims import Contract, Play
from contract.in_memory import in_memory
from contract.on_kafka import on_kafka, unsigned
from contract.steps import Seen

from tradewind.connectors.settings import Settings


@pytest.fixture(scope="module")
async def on_broker(module_settings: Settings) -> Mapping[str, list[Seen]]:
    """Give what there was to see of every case, all of which are played once."""
    return await on_kafka(module_settings, Path(module_settings.data))


class TestOnKafka(Contract):
    @pytest.fixture
    def play(self, on_broker: Mapping[str, list[Seen]]) -> Play:
        """Give what tells of a case that was played."""
        return lambda case: on_broker[case.agent.name]


@pytest.mark.parametrize("name", CASES)
def test_the_test_kit_shows_what_kafka_shows(on_broker: Mapping[str, list[Seen]], name: str) -> None:
    """After each step, to the last header: whatever an agent does, a test with the kit tells the truth of it."""
    real, kit = on_broker[name], in_memory(name)
    assert len(real) == len(kit)
    for one, other in zip(real, kit, strict=True):
        assert unsigned(replace(one, crash=None)).by_key() == unsigned(replace(other, crash=None)).by_key()
        assert (one.crash is None) == (other.crash is None)
