"""Topics of the billing domain: what tenants used, its totals, and the shares of quotas that they reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tradewind.schemas.billing import Usage, UsageThreshold, UsageTotal
from tradewind.topics.topic import KEEP_ALL, Topic

if TYPE_CHECKING:
    from tradewind.schemas.event import Event


def _tenant(event: Event) -> str:
    return cast("Usage | UsageTotal | UsageThreshold", event).tenant_id


USAGE = Topic(
    name="billing.usage",
    model=Usage,
    key=_tenant,
    key_columns=("tenant_id",),
    owner="billing",
    total="usage",
    producers=("metering", "ai", "consume", "gateway"),
    consumers=("rating",),
    retention_bytes=KEEP_ALL,
    columnar=True,
    traced=False,
)
"""Kept for ever: what a tenant pays can be computed again from its first unit."""
USAGE_TOTALS = Topic(
    name="billing.totals",
    model=UsageTotal,
    key=_tenant,
    key_columns=("tenant_id",),
    owner="billing",
    producers=("rating",),
    consumers=("postgres",),
    traced=False,
)
USAGE_THRESHOLDS = Topic(
    name="billing.quotas",
    model=UsageThreshold,
    key=_tenant,
    owner="billing",
    producers=("rating",),
    consumers=("risk", "ai"),
    retention_bytes=KEEP_ALL,
    broadcast=True,
)
"""Each record goes to every partition, for each task of an agent that reads it."""
