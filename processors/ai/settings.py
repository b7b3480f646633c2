"""The settings in force: providers, routes and prices, which change as a whole or not at all.

A revision of the settings is several records. They wait until all of them have come; then they take effect together,
if they were made from the settings in force. Others were made by somebody who had not seen those: they change nothing.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from tradewind.processors.ai.breakers import forgive
from tradewind.processors.ai.prices import EVERYONE, keep_price
from tradewind.processors.batch import State
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiPrice, AiProvider, AiRoute, AiSettingsState
from tradewind.schemas.event import Event
from tradewind.schemas.notifications import Alert

Setting: TypeAlias = AiProvider | AiRoute | AiPrice
SETTINGS: Final = "settings"
STAGED: Final = "staged/"


def revision_of(state: State) -> int:
    """Return the revision of the settings in force; 0 before the first."""
    known = state.get(SETTINGS, AiSettingsState)
    return 0 if known is None else known.revision


def take(state: State, setting: Setting) -> list[Alert]:
    """Keep a record until its revision is whole, and then apply all of it; return an alert where that cannot be.

    Records of a revision come in the order of their parts, since one transaction writes them.
    """
    if setting.part < setting.parts:
        if setting.revision > revision_of(state):
            state.put(_staged(setting, setting.part), setting)
        return []
    keys = list(state.keys(_staged(setting, None)))
    whole = len(keys) == setting.parts - 1 and setting.revision == revision_of(state) + 1
    if whole:
        for kept in (*(state.get(key, Event) for key in keys), setting):
            _apply(state, kept)
        state.put(SETTINGS, AiSettingsState(revision=setting.revision))
    for key in list(state.keys(STAGED) if whole else keys):  # of revisions that were never whole, too
        state.delete(key)
    return [] if whole else [_refused(state, setting)]


def provider_of(state: State, tenant_id: str, name: str) -> AiProvider | None:
    """Return a provider in use by its name, the tenant's own first."""
    for whose in (tenant_id, EVERYONE):
        known = state.get(f"provider/{whose}/{name}", AiProvider)
        if known is not None:
            return known
    return None


def route_of(state: State, tenant_id: str, request_type: str) -> AiRoute | None:
    """Return the route of a type of request: the tenant's own, then everyone's, then those for all types."""
    for name in (request_type, EVERYONE):
        for whose in (tenant_id, EVERYONE):
            known = state.get(f"route/{whose}/{name}", AiRoute)
            if known is not None:
                return known
    return None


def _apply(state: State, setting: Event | None) -> None:
    match setting:
        case AiPrice():
            keep_price(state, setting)
        case AiProvider():
            forgive(state, setting.name)
            _set(state, f"provider/{setting.tenant_id or EVERYONE}/{setting.name}", setting)
        case AiRoute():
            _set(state, f"route/{setting.tenant_id or EVERYONE}/{setting.request_type}", setting)
        case _:
            raise TypeError(f"settings of AI have no {type(setting).__name__}")


def _set(state: State, key: str, setting: AiProvider | AiRoute) -> None:
    if setting.active:
        state.put(key, setting)
    else:
        state.delete(key)


def _refused(state: State, setting: Setting) -> Alert:
    said = (
        f"settings of AI, revision {setting.revision}: revision {revision_of(state)} is in force, and a revision "
        "follows the one that it was made from, with all its records. Nothing was changed: apply the file once more"
    )
    return Alert(
        event_id=derive_id("Alert", "AI_SETTINGS_REFUSED", setting.event_id),
        tenant_id=setting.tenant_id,
        ts_event=setting.ts_event,
        ts_ingest=setting.ts_ingest,
        correlation_id=setting.correlation_id,
        causation_id=setting.event_id,
        severity="WARNING",
        source="ai",
        code="AI_SETTINGS_REFUSED",
        message=said,
    )


def _staged(setting: Setting, part: int | None) -> str:
    whole = f"{STAGED}{setting.revision}/{setting.correlation_id}/"
    return whole if part is None else f"{whole}{part:06}"
