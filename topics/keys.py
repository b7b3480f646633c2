"""Keys of records: what identifies an event's subject, and what chooses its partition."""

from __future__ import annotations

from typing import Protocol, cast

import polars as pl

from tradewind.schemas.event import Event


class _Instrument(Protocol):
    symbol: str
    venue: str


class _Position(_Instrument, Protocol):
    tenant_id: str
    account_id: str


def instrument_key(event: Event) -> str:
    """`SYMBOL.VENUE` of an event of one instrument."""
    of = cast("_Instrument", event)
    return f"{of.symbol}.{of.venue}"


def instrument_keys(frame: pl.DataFrame) -> pl.Series:
    """`SYMBOL.VENUE` of each row of events of instruments."""
    return frame.select(pl.concat_str("symbol", pl.lit("."), "venue").alias("instrument"))["instrument"]


def position_key(event: Event) -> str:
    """`tenant/account/SYMBOL.VENUE` of a position."""
    of = cast("_Position", event)
    return f"{of.tenant_id}/{of.account_id}/{of.symbol}.{of.venue}"
