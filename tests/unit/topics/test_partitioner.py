"""Keys go where Java's clients put them."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from tradewind.topics.partitioner import CACHED_KEYS, murmur2, partition_of


@given(st.binary(max_size=200))
def test_murmur2_is_the_one_of_the_other_clients(data: bytes) -> None:
    """Every length modulo 4, and bytes with the sign bit set, hash as aiokafka hashes them."""
    assert murmur2(data) == reference(data) & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(1, 200))
def test_a_key_goes_to_the_partition_that_faust_reads_it_from(key: bytes, partitions: int) -> None:
    """The choice equals aiokafka's default partitioner, which Faust uses."""
    everything = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, everything, everything)


def test_java_test_vectors() -> None:
    """Values from Kafka's own UtilsTest, so that the reference above is not the only witness."""
    java = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    assert {key: murmur2(key) for key in java} == {key: value & 0xFFFFFFFF for key, value in java.items()}


def test_a_topic_without_partitions_is_refused() -> None:
    """Zero partitions is an error, not a division by zero."""
    with pytest.raises(ValueError, match="at least one partition"):
        partition_of(b"EURUSD.OANDA", 0)


def test_the_cache_is_bounded() -> None:
    """Keys of users cannot fill the memory."""
    assert partition_of.cache_info().maxsize == CACHED_KEYS
