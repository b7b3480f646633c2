"""What a command makes of a deployment: the whole deployment, with its next revision, or every reason against it.

A deployment is a strategy that trades for an account of a tenant, with parameters, instruments and a sizing of its own.
DEPLOY creates one, or gives one other values. Its name is free again once it is retired.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, cast

from tradewind.processors.batch import State
from tradewind.processors.identity import derive_id
from tradewind.processors.signals.parameters import Unfit, UnknownParameter, with_parameters
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.tenancy.keys import DECIMAL, is_name, told
from tradewind.schemas.ranges import RANGES
from tradewind.schemas.signals import Deployment, DeploymentCommand, DeploymentRefused
from tradewind.schemas.tenancy import Tenant

Action: TypeAlias = Literal["DEPLOY", "PAUSE", "RESUME", "RETIRE"]
Status: TypeAlias = Literal["ACTIVE", "PAUSED", "RETIRED"]
STATUSES: Final[Mapping[tuple[Status | None, Action], Status]] = {
    (None, "DEPLOY"): "ACTIVE",
    ("ACTIVE", "DEPLOY"): "ACTIVE",
    ("PAUSED", "DEPLOY"): "PAUSED",
    ("RETIRED", "DEPLOY"): "ACTIVE",
    ("ACTIVE", "PAUSE"): "PAUSED",
    ("PAUSED", "RESUME"): "ACTIVE",
    ("ACTIVE", "RETIRE"): "RETIRED",
    ("PAUSED", "RETIRE"): "RETIRED",
}
"""(status, action) -> status; None is a deployment that does not exist."""
EVERY: Final = "*"
DEPLOYED: Final = "deployment/"
DEFAULTS: Final[Mapping[str, Any]] = {
    "version": None,
    "parameters": "{}",
    "instruments": (EVERY,),
    "mode": "TARGET",
    "sizing": "VOLATILITY",
    "size": None,
}
"""What a new deployment has that names no other value. `strategy` has none."""
MOST: Final = 64  # deployments of a tenant, retired ones included: each is asked about each bar of its instruments
MOST_SYMBOLS: Final = 64
BYTES: Final = 4_096  # of JSON, as of a tenant
Code: TypeAlias = str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be deployed: strategies by name, and the symbols that orders can be made of."""

    strategies: Mapping[str, Strategy]
    symbols: Collection[str]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a command is refused."""

    code: Code
    key: str
    """What it is about; empty where it is about no key."""
    text: str


class _Refused(Exception):
    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def place_of(tenant_id: str, account_id: str, name: str) -> str:
    """Return where a deployment is: `tenant/account/name`."""
    return f"{tenant_id}/{account_id}/{name}"


def on_command(
    state: State, command: DeploymentCommand, tenant: Tenant | None, catalogue: Catalogue, ts_ingest: int
) -> list[Deployment | DeploymentRefused]:
    """Return what a command of a known action leads to, and keep it. A command that comes again changes nothing."""
    key = f"{DEPLOYED}{place_of(command.tenant_id, command.account_id, command.deployment)}"
    current = state.get(key, Deployment)
    if current is not None and current.causation_id == command.event_id:
        return []
    reasons = _of_place(state, command, tenant, current)
    values, unread = _read(command)
    reasons += unread
    if not reasons:
        made = _changed(command, current, values, ts_ingest)
        reasons = _of_whole(made, current, command, catalogue)
    if reasons:
        return [_refused(command, current, reasons, ts_ingest)]
    state.put(key, made)
    return [made]


def _of_place(
    state: State, command: DeploymentCommand, tenant: Tenant | None, current: Deployment | None
) -> list[Reason]:
    """Return why a command does not fit its tenant, or the deployment's present status or revision."""
    at = f"{command.tenant_id}/{command.account_id}"
    if tenant is None or tenant.status == "CLOSED":
        return [Reason("NO_SUCH_TENANT", "", f"there is no tenant {command.tenant_id!r} that may trade")]
    if command.account_id not in tenant.accounts:
        known = ", ".join(tenant.accounts)
        return [
            Reason("NO_SUCH_ACCOUNT", "", f"{command.tenant_id} has no account {command.account_id!r}, but {known}")
        ]
    if not is_name(command.deployment):
        said = "expected a name of up to 64 letters, digits, dots, dashes and underscores"
        return [Reason("INVALID_VALUE", "deployment", said)]
    action = cast("Action", command.action)
    if current is None and action != "DEPLOY":
        said = f"{at} has no deployment {command.deployment!r}: ./dev strategies list shows all"
        return [Reason("NO_SUCH_DEPLOYMENT", "", said)]
    found = []
    if current is not None and (cast("Status", current.status), action) not in STATUSES:
        found.append(Reason("WRONG_STATUS", "", f"a deployment that is {current.status} takes no {action}"))
    revision = 0 if current is None else current.revision
    if command.revision != revision:
        said = f"the command changes revision {command.revision}, and it is at {revision}: look again, then decide"
        found.append(Reason("STALE_REVISION", "", said))
    if current is None and sum(1 for _ in state.keys(f"{DEPLOYED}{command.tenant_id}/")) >= MOST:
        found.append(Reason("TOO_MANY", "", f"a tenant has at most {MOST}: give a retired one other values"))
    return found


def _read(command: DeploymentCommand) -> tuple[dict[str, Any], list[Reason]]:
    """Return the values that a command sets, and what is wrong with the others."""
    values: dict[str, Any] = {}
    reasons: list[Reason] = []
    for change in command.changes:
        key, text = str(change["key"]), str(change["value"])
        if command.action != "DEPLOY":
            reasons.append(Reason("UNKNOWN_KEY", key[:60], f"{command.action} takes no values: use DEPLOY"))
        elif key not in READ:
            reasons.append(Reason("UNKNOWN_KEY", key[:60], f"there is no such key; keys are {', '.join(READ)}"))
        elif key in values:
            reasons.append(Reason("REPEATED_KEY", key, "the command has it more than once"))
        else:
            try:
                values[key] = READ[key](json.loads(text, parse_constant=_no_number))
            except _Refused as refused:
                reasons.append(Reason(refused.code, key, str(refused)))
            except (ValueError, RecursionError):
                reasons.append(Reason("INVALID_VALUE", key, f"{text[:60]} is no JSON; write a text in double quotes"))
    if command.action == "DEPLOY" and "strategy" not in values and not reasons:
        reasons.append(Reason("MISSING_KEY", "strategy", "a deployment needs it"))
    return values, reasons


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _one_of(*known: str) -> Any:
    def read(value: Any) -> str:
        if value not in known:
            raise _Refused("INVALID_VALUE", f"expected {' or '.join(known)}")
        return str(value)

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _Refused("INVALID_VALUE", "expected a name")
    return value


def _version(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31):
        raise _Refused("INVALID_VALUE", "expected a whole number above 0, or null for whichever is installed")
    return value


def _parameters(value: Any) -> str:
    if not isinstance(value, dict):
        raise _Refused("INVALID_VALUE", 'expected values by name, such as {"fast": 5}')
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _symbols(value: Any) -> tuple[str, ...]:
    names = [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
    if not 0 < len(names) <= MOST_SYMBOLS or len(names) < len(value):
        raise _Refused("INVALID_VALUE", f"expected a list of 1 to {MOST_SYMBOLS} symbols, or of * alone")
    if EVERY in names and len(names) > 1:
        raise _Refused("INVALID_VALUE", "* is every symbol: name it alone")
    return tuple(sorted(set(names)))


def _size(value: Any) -> Decimal | None:
    if value is None:
        return None
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else repr(value)
    if DECIMAL.fullmatch(text) is None or not RANGES["quantity"].holds(Decimal(text)):
        raise _Refused("INVALID_VALUE", f"expected a decimal; its range is {RANGES['quantity']}")
    return Decimal(text)


READ: Final[Mapping[str, Any]] = {
    "strategy": _text,
    "version": _version,
    "parameters": _parameters,
    "instruments": _symbols,
    "mode": _one_of("TARGET", "ADD"),
    "sizing": _one_of("VOLATILITY", "UNITS", "NOTIONAL"),
    "size": _size,
}
"""Key of a command -> from JSON to what a deployment holds; raises `_Refused`."""


def _changed(
    command: DeploymentCommand, current: Deployment | None, values: Mapping[str, Any], ts_ingest: int
) -> Deployment:
    """Return the deployment as the command makes it."""
    revision = command.revision + 1
    place = command.tenant_id, command.account_id, command.deployment
    told: dict[str, Any] = {
        "event_id": derive_id("Deployment", *place, revision),
        "ts_event": command.ts_event,
        "ts_ingest": ts_ingest,
        "correlation_id": command.correlation_id,
        "causation_id": command.event_id,
        "revision": revision,
        "status": STATUSES[None if current is None else cast("Status", current.status), cast("Action", command.action)],
    }
    if command.action != "DEPLOY":
        assert current is not None  # a command for one that is not there was refused
        return replace(current, **told)
    made = Deployment(
        tenant_id=command.tenant_id,
        account_id=command.account_id,
        deployment=command.deployment,
        since=revision,
        **told,
        **{**DEFAULTS, **values},
    )
    if current is not None and current.status != "RETIRED" and _code_of(current) == _code_of(made):
        return replace(made, since=current.since)
    return made


def _code_of(deployment: Deployment) -> tuple[str, int | None, str]:
    return deployment.strategy, deployment.version, deployment.parameters


def _of_whole(
    made: Deployment, current: Deployment | None, command: DeploymentCommand, catalogue: Catalogue
) -> list[Reason]:
    """Return what is wrong with the deployment that would be."""
    if command.action != "DEPLOY":
        return []
    reasons = _of_strategy(made, catalogue)
    for symbol in made.instruments:
        if symbol != EVERY and symbol not in catalogue.symbols:
            known = ", ".join(sorted(catalogue.symbols))
            reasons.append(
                Reason("UNKNOWN_INSTRUMENT", "instruments", f"{symbol[:60]} is not known; known are {known}")
            )
    if made.size is None and made.sizing != "VOLATILITY":
        reasons.append(Reason("MISSING_KEY", "size", f"a sizing by {made.sizing} needs a size"))
    values = [{key: getattr(of, key) for key in READ} for of in (made, current) if of is not None]
    if current is not None and current.status != "RETIRED" and values[0] == values[1]:
        reasons.append(Reason("NOTHING_CHANGED", "", "the deployment has these values already"))
    if (size := len(json.dumps(values[0], default=str).encode())) > BYTES:
        reasons.append(Reason("TOO_LARGE", "", f"it would take {size} bytes of JSON, and the most is {BYTES}"))
    return reasons


def _of_strategy(made: Deployment, catalogue: Catalogue) -> list[Reason]:
    strategy = catalogue.strategies.get(made.strategy)
    if strategy is None:
        known = ", ".join(catalogue.strategies)
        return [
            Reason("UNKNOWN_STRATEGY", "strategy", f"{made.strategy[:60]!r} is not installed; installed are {known}")
        ]
    if made.version not in {None, strategy.version}:
        said = f"version {made.version} of {made.strategy} is not installed, but {strategy.version}"
        return [Reason("WRONG_VERSION", "version", said)]
    try:
        with_parameters(strategy, made.parameters)
    except UnknownParameter as unknown:
        return [Reason("UNKNOWN_PARAMETER", "parameters", str(unknown))]
    except Unfit as unfit:
        return [Reason("INVALID_PARAMETER", "parameters", str(unfit))]
    return []


def _refused(
    command: DeploymentCommand, current: Deployment | None, reasons: list[Reason], ts_ingest: int
) -> DeploymentRefused:
    return DeploymentRefused(
        event_id=derive_id("DeploymentRefused", command.event_id),
        tenant_id=command.tenant_id,
        ts_event=command.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=command.correlation_id,
        causation_id=command.event_id,
        account_id=command.account_id,
        deployment=command.deployment,
        action=command.action,
        revision=command.revision,
        current_revision=0 if current is None else current.revision,
        reasons=told(reasons),
    )
