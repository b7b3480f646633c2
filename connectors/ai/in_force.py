"""The settings of AI in force, as the agent has them: by the same function, from the same records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.consumption import consume
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.settings import Settings
from tradewind.processors.ai.prices import EVERYONE
from tradewind.processors.ai.seed import first_settings, revised
from tradewind.processors.ai.settings import Setting, revision_of, take
from tradewind.schemas.ai import AiPrice, AiPricesState, AiProvider, AiRoute
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.topics import AI_SETTINGS

E = TypeVar("E", bound=Event)


@dataclass(slots=True)
class InForce:
    """Settings that were applied. It is the state that `processors.ai.settings` changes."""

    values: dict[str, Event] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    """Where each price comes from, by its id."""

    def get(self, key: str, model: type[E]) -> E | None:
        """Return a value, or None if there is none."""
        value = self.values.get(key)
        return value if isinstance(value, model) else None

    def put(self, key: str, value: Event) -> None:
        """Set a value."""
        self.values[key] = value

    def delete(self, key: str) -> None:
        """Remove a value."""
        self.values.pop(key, None)

    def keys(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys with a prefix, sorted."""
        return iter(sorted(key for key in self.values if key.startswith(prefix)))

    @property
    def revision(self) -> int:
        """The revision of the settings; 0 before the first."""
        return revision_of(self)

    @property
    def providers(self) -> list[AiProvider]:
        """Every provider in use, by name."""
        return self._all("provider/", AiProvider)

    @property
    def routes(self) -> list[AiRoute]:
        """Every route in use, by type of request."""
        return self._all("route/", AiRoute)

    @property
    def prices(self) -> list[AiPricesState]:
        """The prices of every model that has one."""
        return self._all("price/", AiPricesState)

    @property
    def priced(self) -> dict[tuple[str | None, str, str], AiPricesState]:
        """The prices of each model by (tenant, provider, model); the tenant is None for all tenants."""
        found = {}
        for key in self.keys("price/"):
            _, whose, provider, model = key.split("/", 3)
            if (prices := self.get(key, AiPricesState)) is not None:
                found[None if whose == EVERYONE else whose, provider, model] = prices
        return found

    def _all(self, prefix: str, model: type[E]) -> list[E]:
        found = (self.get(key, model) for key in self.keys(prefix))
        return [one for one in found if one is not None]


def in_force(settings: Settings, codec: Codec) -> InForce:
    """Return the settings in force. Raises `TopicMissing` and `StreamError`."""
    found = InForce()
    for record in consume(AI_SETTINGS, settings=settings, codec=codec, on_undecodable=lambda _: None):
        if isinstance(record.event, AiProvider | AiRoute | AiPrice):
            take(found, record.event)
        if isinstance(record.event, AiPrice):
            found.origins[record.event.price_id] = record.event.origin
    return found


def apply(changes: Sequence[Setting], revision: int, settings: Settings) -> int:
    """Write changes as the revision that follows `revision`; return the new one.

    The agent refuses it, with an alert, if another one has come meanwhile.
    """
    publish(AI_SETTINGS, revised(changes, revision + 1, clock_us()), settings)
    return revision + 1


def seed(settings: Settings, codec: Codec) -> bool:
    """Write the first settings if there are none; return whether they were written."""
    if in_force(settings, codec).revision:
        return False
    apply(first_settings(), 0, settings)
    return True
