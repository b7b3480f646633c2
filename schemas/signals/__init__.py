"""Event models of the signals domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = [
    "Deployment",
    "DeploymentCommand",
    "DeploymentRefused",
    "InstrumentState",
    "QuarantineState",
    "QuestionsState",
    "Signal",
    "StrategyState",
    "ViewState",
    "VolatilityState",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Event):
    """A deployment as a whole, after one change: a strategy that trades for an account of a tenant."""

    SCHEMA: ClassVar[str] = "tradewind.signals.Deployment"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "account_id": "name",
        "deployment": "name",
        "revision": "revision",
        "strategy": "name",
        "version": "ordinal",
        "parameters": "words",
        "since": "revision",
        "size": "quantity",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    account_id: str
    """the tenant's account"""
    deployment: str
    """its name within the account"""
    revision: int
    """counts the changes of the deployment from 1 on; a command names the revision that it changes"""
    status: Literal["UNKNOWN", "ACTIVE", "PAUSED", "RETIRED"]
    """a paused deployment is not asked and keeps its position; a retired one has been made flat"""
    strategy: str
    """name of the strategy"""
    parameters: str
    """parameters of the strategy that differ from its own, as a JSON object"""
    since: int
    """the revision at which strategy, version or parameters last changed: memory began empty"""
    instruments: tuple[str, ...]
    """symbols that it trades, sorted; * is every symbol"""
    mode: Literal["UNKNOWN", "TARGET", "ADD"]
    """what a view becomes: of TARGET the position that is wanted, of ADD a change of the position"""
    sizing: Literal["UNKNOWN", "VOLATILITY", "UNITS", "NOTIONAL"]
    """how large: VOLATILITY by what a move of one standard deviation a minute may cost, UNITS by units, NOTIONAL by value"""
    version: int | None = None
    """the only version of the strategy that may run; null for whichever is installed"""
    size: Decimal | None = None
    """amount at full strength: quote currency, or units of UNITS; null is the tenant's risk_per_trade, of VOLATILITY alone"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            revision=record["revision"],
            status=record["status"],
            strategy=record["strategy"],
            version=record["version"],
            parameters=record["parameters"],
            since=record["since"],
            instruments=tuple(record["instruments"]),
            mode=record["mode"],
            sizing=record["sizing"],
            size=record["size"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "revision": self.revision,
            "status": self.status,
            "strategy": self.strategy,
            "version": self.version,
            "parameters": self.parameters,
            "since": self.since,
            "instruments": list(self.instruments),
            "mode": self.mode,
            "sizing": self.sizing,
            "size": self.size,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and 1 <= len(self.deployment) <= 256
            and self.revision >= 1
            and 1 <= len(self.strategy) <= 256
            and (self.version is None or self.version >= 1)
            and len(self.parameters) <= 65536
            and self.since >= 1
            and (self.size is None or 0 < self.size <= 9999999999999999999999999999)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentCommand(Event):
    """What somebody wants to change of one deployment."""

    SCHEMA: ClassVar[str] = "tradewind.signals.DeploymentCommand"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "account_id": "name",
        "deployment": "name",
        "revision": "count",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    account_id: str
    """the tenant's account"""
    deployment: str
    """its name within the account"""
    action: Literal["UNKNOWN", "DEPLOY", "PAUSE", "RESUME", "RETIRE"]
    """what is to be done"""
    revision: int
    """the revision that the command changes; 0 for a new deployment"""
    changes: tuple[Mapping[str, str], ...]
    """values of the deployment by name, each as JSON; of DEPLOY alone, and all that differ from those of a new one"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            action=record["action"],
            revision=record["revision"],
            changes=tuple(record["changes"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "action": self.action,
            "revision": self.revision,
            "changes": list(self.changes),
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and 1 <= len(self.deployment) <= 256
            and self.revision >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRefused(Event):
    """A command for a deployment that changed nothing, with every reason."""

    SCHEMA: ClassVar[str] = "tradewind.signals.DeploymentRefused"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "account_id": "name",
        "deployment": "name",
        "revision": "count",
        "current_revision": "count",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    account_id: str
    """the tenant's account"""
    deployment: str
    """its name within the account"""
    action: Literal["UNKNOWN", "DEPLOY", "PAUSE", "RESUME", "RETIRE"]
    """what was to be done"""
    revision: int
    """the revision that the command names"""
    current_revision: int
    """the revision of the deployment; 0 if there is no such deployment"""
    reasons: tuple[Mapping[str, str], ...]
    """the reasons. Each has the key that it is about (empty for no key) and what to do"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            action=record["action"],
            revision=record["revision"],
            current_revision=record["current_revision"],
            reasons=tuple(record["reasons"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "action": self.action,
            "revision": self.revision,
            "current_revision": self.current_revision,
            "reasons": list(self.reasons),
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.account_id) <= 256
            and 1 <= len(self.deployment) <= 256
            and self.revision >= 0
            and self.current_revision >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentState(Event):
    """State of the signals agent: how far the time of one instrument has come, and its last closing quote, which a signal made without a bar carries."""

    SCHEMA: ClassVar[str] = "tradewind.signals.InstrumentState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    reached: int
    """the time that the heartbeats of the agent have promised: each later event of the instrument is later than this"""
    volatility: float
    """standard deviation of mid-price returns per minute, of the last bar that strategies were asked about"""
    quote_bid: float
    """bid of the last bar's closing quote"""
    quote_ask: float
    """ask of that quote"""
    quote_ts: int
    """event time of that quote"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            reached=record["reached"],
            volatility=record["volatility"],
            quote_bid=record["quote_bid"],
            quote_ask=record["quote_ask"],
            quote_ts=record["quote_ts"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "reached": self.reached,
            "volatility": self.volatility,
            "quote_bid": self.quote_bid,
            "quote_ask": self.quote_ask,
            "quote_ts": self.quote_ts,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineState(Event):
    """State of the signals agent: a deployment whose strategy failed, and that is not asked again."""

    SCHEMA: ClassVar[str] = "tradewind.signals.QuarantineState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant of the deployment"""
    account_id: str
    """the tenant's account"""
    deployment: str
    """the deployment, by its name within the account"""
    strategy: str
    """name of the strategy"""
    version: int
    """version of the strategy that failed"""
    ts_event: int
    """event time of the bar at which the strategy failed"""
    reason: str
    """why, in words"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            strategy=record["strategy"],
            version=record["version"],
            ts_event=record["ts_event"],
            reason=record["reason"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "strategy": self.strategy,
            "version": self.version,
            "ts_event": self.ts_event,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsState(Event):
    """State of the signals agent: what strategies have asked models about one instrument."""

    SCHEMA: ClassVar[str] = "tradewind.signals.QuestionsState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    open: tuple[Mapping[str, int | str], ...]
    """questions without an answer, in the order in which they were asked"""
    asked: int
    """questions that were asked"""
    answered: int
    """of these, those with an answer in time"""
    unanswered: int
    """of these, those without one: strategies got None"""
    late: int
    """responses that no open question waited for any more"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            open=tuple(record["open"]),
            asked=record["asked"],
            answered=record["answered"],
            unanswered=record["unanswered"],
            late=record["late"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "open": list(self.open),
            "asked": self.asked,
            "answered": self.answered,
            "unanswered": self.unanswered,
            "late": self.late,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Event):
    """A strategy's view of an instrument: which way it wants to be. Not an order."""

    SCHEMA: ClassVar[str] = "tradewind.signals.Signal"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "symbol": "name",
        "venue": "name",
        "strategy": "name",
        "account_id": "name",
        "deployment": "name",
        "strength": "share",
        "size": "quantity",
        "volatility": "volatility",
        "quote_bid": "price",
        "quote_ask": "price",
        "quote_ts": "later",
        "reason": "words",
    }
    RULES: ClassVar[tuple[str, ...]] = ("quote_bid <= quote_ask",)

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    strategy: str
    """name of the strategy"""
    direction: Literal["UNKNOWN", "LONG", "SHORT", "FLAT"]
    """which way the strategy wants to be: long, short, or out of the instrument"""
    strength: float
    """0 to 1"""
    volatility: float
    """standard deviation of mid-price returns per minute"""
    quote_bid: float
    """bid of the quote that the signal was made on"""
    quote_ask: float
    """ask of that quote"""
    quote_ts: int
    """event time of that quote"""
    reason: str
    """why, in words"""
    tenant_id: str | None = None
    """the tenant of the deployment; null for a signal for every tenant"""
    account_id: str | None = None
    """the tenant's account; null for every account of every active tenant"""
    deployment: str | None = None
    """the deployment, by its name within the account; null if none gave the signal"""
    mode: Literal["UNKNOWN", "TARGET", "ADD"] = "TARGET"
    """what a view becomes: of TARGET the position that is wanted, of ADD a change of the position"""
    sizing: Literal["UNKNOWN", "VOLATILITY", "UNITS", "NOTIONAL"] = "VOLATILITY"
    """how large: VOLATILITY by what a move of one standard deviation a minute may cost, UNITS by units, NOTIONAL by value"""
    size: Decimal | None = None
    """amount at full strength: quote currency, or units of UNITS; null is the tenant's risk_per_trade, of VOLATILITY alone"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            symbol=record["symbol"],
            venue=record["venue"],
            strategy=record["strategy"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            direction=record["direction"],
            strength=record["strength"],
            mode=record["mode"],
            sizing=record["sizing"],
            size=record["size"],
            volatility=record["volatility"],
            quote_bid=record["quote_bid"],
            quote_ask=record["quote_ask"],
            quote_ts=record["quote_ts"],
            reason=record["reason"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "symbol": self.symbol,
            "venue": self.venue,
            "strategy": self.strategy,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "direction": self.direction,
            "strength": self.strength,
            "mode": self.mode,
            "sizing": self.sizing,
            "size": self.size,
            "volatility": self.volatility,
            "quote_bid": self.quote_bid,
            "quote_ask": self.quote_ask,
            "quote_ts": self.quote_ts,
            "reason": self.reason,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.symbol) <= 256
            and 1 <= len(self.venue) <= 256
            and 1 <= len(self.strategy) <= 256
            and (self.account_id is None or 1 <= len(self.account_id) <= 256)
            and (self.deployment is None or 1 <= len(self.deployment) <= 256)
            and 0.0 <= self.strength <= 1.0
            and (self.size is None or 0 < self.size <= 9999999999999999999999999999)
            and 0.0 <= self.volatility <= 1e24
            and 1e-10 <= self.quote_bid <= 1000000000000.0
            and 1e-10 <= self.quote_ask <= 1000000000000.0
            and 0 <= self.quote_ts <= 253402214400000000
            and len(self.reason) <= 65536
            and self.quote_bid <= self.quote_ask
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyState(Event):
    """State of the signals agent: what one deployment remembers of one instrument."""

    SCHEMA: ClassVar[str] = "tradewind.signals.StrategyState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant of the deployment"""
    account_id: str
    """the tenant's account"""
    deployment: str
    """the deployment, by its name within the account"""
    strategy: str
    """name of the strategy"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    memory: str
    """a JSON object"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            strategy=record["strategy"],
            symbol=record["symbol"],
            venue=record["venue"],
            memory=record["memory"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "strategy": self.strategy,
            "symbol": self.symbol,
            "venue": self.venue,
            "memory": self.memory,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewState(Event):
    """State of the signals agent: that a deployment's newest view of an instrument is not flat."""

    SCHEMA: ClassVar[str] = "tradewind.signals.ViewState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant"""
    account_id: str
    """the tenant's account"""
    deployment: str
    """its name within the account"""
    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    direction: Literal["UNKNOWN", "LONG", "SHORT", "FLAT"]
    """the view"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            account_id=record["account_id"],
            deployment=record["deployment"],
            symbol=record["symbol"],
            venue=record["venue"],
            direction=record["direction"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "account_id": self.account_id,
            "deployment": self.deployment,
            "symbol": self.symbol,
            "venue": self.venue,
            "direction": self.direction,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilityState(Event):
    """State of the signals agent: volatility of one instrument on bars of one length."""

    SCHEMA: ClassVar[str] = "tradewind.signals.VolatilityState"
    VERSION: ClassVar[int] = 1

    symbol: str
    """the instrument as its venue writes it, such as EURUSD"""
    venue: str
    """where it trades or is quoted, such as OANDA"""
    interval_s: int
    """length of the bars, seconds"""
    mid_close: float
    """close of the newest bar"""
    variance: float
    """exponentially weighted variance of returns per bar; 0 before the second bar"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            symbol=record["symbol"],
            venue=record["venue"],
            interval_s=record["interval_s"],
            mid_close=record["mid_close"],
            variance=record["variance"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "interval_s": self.interval_s,
            "mid_close": self.mid_close,
            "variance": self.variance,
        }
