"""Kafka is not started on files that lack the cluster that the data folder knew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.connectors.cluster.file import Noted, NotedTopic
from tradewind.infra.services.kafka_logs.files import FIRST_SNAPSHOT, KafkaFilesLost, missing, refuse_lost

NOTED = Noted("one", {"market.ticks": NotedTopic("a", 2, "")})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a whole storage of one node."""
    data = tmp_path / "data"
    for folder in ("__cluster_metadata-0", "market.ticks-0", "market.ticks-1"):
        (data / folder).mkdir(parents=True)
    (data / "meta.properties").write_text("#\nversion=1\ncluster.id=one\n")
    (data / "__cluster_metadata-0" / FIRST_SNAPSHOT).write_bytes(b"format")
    (data / "__cluster_metadata-0" / "00000000000000000000.log").write_bytes(b"records")
    return data


def test_a_whole_storage_is_started(data: Path) -> None:
    """Nothing is missing."""
    assert missing(data, NOTED, every_partition=True) == []


def test_nothing_can_be_missing_before_anything_was_known(tmp_path: Path) -> None:
    """The first `up`, and one that was killed while it formatted."""
    assert missing(tmp_path / "none", Noted(), every_partition=True) == []


def test_storage_that_would_be_formatted_anew_is_refused(data: Path) -> None:
    """Its folder was emptied, or only its properties were lost."""
    (data / "meta.properties").unlink()
    with pytest.raises(KafkaFilesLost, match=r"format the storage as a new cluster.*--accept-cluster"):
        refuse_lost(data, NOTED, every_partition=True)


def test_storage_of_another_cluster_is_refused(data: Path) -> None:
    """Somebody has put another Kafka's folder there."""
    (data / "meta.properties").write_text("cluster.id=two\n")
    assert missing(data, NOTED, every_partition=True) == [f"{data}/meta.properties is of cluster two, known is one"]


def test_metadata_of_no_bytes_is_refused(data: Path) -> None:
    """What a full disk left: the snapshot of the format is there, and names no topic."""
    (data / "__cluster_metadata-0" / "00000000000000000000.log").write_bytes(b"")
    (found,) = missing(data, NOTED, every_partition=True)
    assert "0 bytes" in found


def test_metadata_in_a_later_snapshot_is_metadata(data: Path) -> None:
    """The log begins anew after a snapshot."""
    (data / "__cluster_metadata-0" / "00000000000000000000.log").write_bytes(b"")
    (data / "__cluster_metadata-0" / "00000000000000000900-0000000002.checkpoint").write_bytes(b"records")
    assert missing(data, NOTED, every_partition=True) == []


def test_a_partition_whose_folder_is_gone_is_refused(data: Path) -> None:
    """Kafka would make it again, empty, under the same id of the topic."""
    (data / "market.ticks-1").rename(data / "market.ticks-1.0123-stray")
    (found,) = missing(data, NOTED, every_partition=True)
    assert found == "the folders of 1 partitions are missing: market.ticks-1; Kafka has renamed 1 folders to stray ones"
    assert missing(data, NOTED, every_partition=False) == []
