"""The bucket of InfluxDB 2: whether it is there and takes writes, and how it is made."""

from __future__ import annotations

import logging

from influxdb_client import BucketRetentionRules, InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from tradewind.connectors.settings import InfluxSettings
from tradewind.connectors.sinks.influxdb.answers import NotFound, meaning
from tradewind.connectors.sinks.sink import StoreUnavailable

log = logging.getLogger(__name__)

EMPTY = "writing requires points"
"""The answer to a write without lines (`http/points/points_parser.go`), if InfluxDB finds organisation, bucket and
permission. So the answer shows that the token may write to the bucket, even a token that may do nothing else."""
EXISTS = 422
"""Of a bucket's creation: somebody was faster (`BucketAlreadyExistsError` is a conflict)."""


def ensure_bucket(client: InfluxDBClient, settings: InfluxSettings) -> None:
    """Create the bucket if it is missing; raises `StoreUnavailable` if it cannot be written to."""
    if _is_writable(client, settings):
        return
    _create(client, settings)
    kept = f"keeps {settings.retention_s:,} s of event time" if settings.retention_s else "keeps all"
    log.warning("InfluxDB at %s: created bucket %s, which %s", settings.url, settings.bucket, kept)


def _is_writable(client: InfluxDBClient, settings: InfluxSettings) -> bool:
    """Return whether the bucket is there; raises `StoreUnavailable` if token or organisation are wrong."""
    try:
        WriteService(client.api_client).post_write(
            org=settings.org, bucket=settings.bucket, body=b"", precision="ns", content_type="text/plain; charset=utf-8"
        )
    except ApiException as error:
        body = str(error.body or error.reason)
        if EMPTY in body:
            return True
        meant = meaning(error.status, body, error.headers or {}, b"")
        if isinstance(meant, NotFound) and "organization" not in body:
            return False
        if isinstance(meant, NotFound):
            meant = StoreUnavailable(f"knows no organisation {settings.org!r}: set TRADEWIND_INFLUX__ORG")
        elif not isinstance(meant, StoreUnavailable):
            meant = StoreUnavailable(f"answers {error.status} to a write without lines: {meant}")
        raise meant from error
    return True  # as before 2.1, where a write without lines was no error


def _create(client: InfluxDBClient, settings: InfluxSettings) -> None:
    rules = [BucketRetentionRules(type="expire", every_seconds=settings.retention_s)] if settings.retention_s else []
    try:
        found = client.organizations_api().find_organizations(org=settings.org)
        if not found:
            raise StoreUnavailable(f"shows the token no organisation {settings.org!r}, {_by_hand(settings)}")
        client.buckets_api().create_bucket(bucket_name=settings.bucket, org=found[0], retention_rules=rules)
    except ApiException as error:
        if error.status == EXISTS:
            return
        raise StoreUnavailable(
            f"has no bucket {settings.bucket!r}, and the token may not create it ({error.status}: {error.message}), "
            f"{_by_hand(settings)}"
        ) from error


def _by_hand(settings: InfluxSettings) -> str:
    return f"so that the bucket is to be made by hand: influx bucket create -o {settings.org} -n {settings.bucket}"
