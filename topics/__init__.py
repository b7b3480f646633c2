"""Every topic, as a typed constant."""

from tradewind.topics.ai import AI_ATTEMPTS, AI_CALLS, AI_REQUESTS, AI_RESPONSES, AI_SETTINGS
from tradewind.topics.billing import USAGE, USAGE_THRESHOLDS, USAGE_TOTALS
from tradewind.topics.catalog import UnknownTopic, topic_named
from tradewind.topics.execution import FILLS, ORDER_COMMANDS, ORDER_EVENTS, ORDER_REQUESTS
from tradewind.topics.market import BARS, FEED_POSITIONS, LATE_TICKS, MARKS, NEWS, TICKS, TRADES
from tradewind.topics.notifications import ALERTS
from tradewind.topics.portfolio import DEPLOYMENT_POSITIONS, POSITIONS
from tradewind.topics.risk import DECISIONS, KILL_SWITCHES
from tradewind.topics.runtime import CLOCK
from tradewind.topics.signals import DEPLOYMENT_CHANGES, DEPLOYMENT_REFUSALS, DEPLOYMENTS, SIGNALS
from tradewind.topics.tenancy import AUDIT, TENANT_CHANGES, TENANT_COMMANDS, TENANT_REFUSALS, TENANTS
from tradewind.topics.topic import PARTITIONS, Topic

DOMAIN_TOPICS: tuple[Topic, ...] = (
    TENANT_COMMANDS,
    TENANT_CHANGES,
    TENANTS,
    TENANT_REFUSALS,
    AUDIT,
    DEPLOYMENT_CHANGES,
    DEPLOYMENTS,
    DEPLOYMENT_REFUSALS,
    TICKS,
    TRADES,
    NEWS,
    LATE_TICKS,
    BARS,
    MARKS,
    FEED_POSITIONS,
    SIGNALS,
    ORDER_COMMANDS,
    ORDER_REQUESTS,
    DECISIONS,
    KILL_SWITCHES,
    ORDER_EVENTS,
    FILLS,
    POSITIONS,
    DEPLOYMENT_POSITIONS,
    ALERTS,
    AI_SETTINGS,
    AI_REQUESTS,
    AI_CALLS,
    AI_ATTEMPTS,
    AI_RESPONSES,
    USAGE,
    USAGE_TOTALS,
    USAGE_THRESHOLDS,
    CLOCK,
)
"""The topics that people read and write; each agent adds its own changelog and dead letters."""

__all__ = [
    "AI_ATTEMPTS",
    "AI_CALLS",
    "AI_REQUESTS",
    "AI_RESPONSES",
    "AI_SETTINGS",
    "ALERTS",
    "AUDIT",
    "BARS",
    "CLOCK",
    "DECISIONS",
    "DEPLOYMENTS",
    "DEPLOYMENT_CHANGES",
    "DEPLOYMENT_POSITIONS",
    "DEPLOYMENT_REFUSALS",
    "DOMAIN_TOPICS",
    "FEED_POSITIONS",
    "FILLS",
    "KILL_SWITCHES",
    "LATE_TICKS",
    "MARKS",
    "NEWS",
    "ORDER_COMMANDS",
    "ORDER_EVENTS",
    "ORDER_REQUESTS",
    "PARTITIONS",
    "POSITIONS",
    "SIGNALS",
    "TENANTS",
    "TENANT_CHANGES",
    "TENANT_COMMANDS",
    "TENANT_REFUSALS",
    "TICKS",
    "TRADES",
    "USAGE",
    "USAGE_THRESHOLDS",
    "USAGE_TOTALS",
    "Topic",
    "UnknownTopic",
    "topic_named",
]
