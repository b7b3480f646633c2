"""Keys of records: what identifies an event's subject, and what chooses its partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import polars as pl

from tradewind.schemas.event import Event
from tradewind.schemas.tenancy import Seeded


class _Instrument(Protocol):
    symbol: str
    venue: str


class _Account(Protocol):
    tenant_id: str | None
    account_id: str


class _Deployment(Protocol):
    tenant_id: str
    account_id: str
    deployment: str


class _Position(_Instrument, Protocol):
    tenant_id: str
    account_id: str


SEEDED = "seeded"
"""The key of what marks the end of a first start."""
INSTRUMENT = ("symbol", "venue")
"""The columns of `instrument_key`."""


def instrument_key(event: Event) -> str:
    """`SYMBOL.VENUE` of an event of one instrument."""
    of = cast("_Instrument", event)
    return f"{of.symbol}.{of.venue}"


def account_key(event: Event) -> str:
    """`tenant/account` of an event of one account."""
    of = cast("_Account", event)
    return f"{of.tenant_id}/{of.account_id}"


def tenant_key(event: Event) -> str:
    """Return the tenant of an event, so that its accounts share a partition."""
    return str(cast("_Account", event).tenant_id)


def keys_of(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Return the key of each row, made of a topic's `key_columns`."""
    return frame.select(pl.concat_str(columns, separator=".").alias("key"))["key"]


def position_key(event: Event) -> str:
    """`tenant/account/SYMBOL.VENUE` of a position."""
    of = cast("_Position", event)
    return f"{of.tenant_id}/{of.account_id}/{of.symbol}.{of.venue}"


def deployment_position_key(event: Event) -> str:
    """`tenant/account/name/SYMBOL.VENUE` of what a deployment holds."""
    return f"{deployment_key(event)}/{instrument_key(event)}"


def deployment_key(event: Event) -> str:
    """`tenant/account/name` of a deployment, or of what is said of one."""
    if isinstance(event, Seeded):
        return SEEDED
    of = cast("_Deployment", event)
    return f"{of.tenant_id}/{of.account_id}/{of.deployment}"
