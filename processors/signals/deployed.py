"""The deployments that the signals agent asks, as its state has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tradewind.processors.batch import State, checked, require_known
from tradewind.processors.signals.deployments import DEPLOYED, EVERY, place_of
from tradewind.processors.signals.parameters import Unfit, with_parameters
from tradewind.processors.signals.strategy import Strategy, takes_many
from tradewind.schemas.signals import Deployment, ViewState

MEMORY: Final = "memory/"
QUARANTINE: Final = "quarantine/"
VIEW: Final = "view/"


@dataclass(frozen=True, slots=True)
class Deployed:
    """An active deployment, and the strategy that it runs."""

    deployment: Deployment
    strategy: Strategy
    place: str
    """Where it is: `tenant/account/name`."""
    run: str
    """Names what its memory and its quarantine belong to: other code or other parameters begin anew."""
    asks: bool
    """Whether its strategy may ask models: it takes answers."""
    many: bool
    """Whether its strategy takes many bars at once."""

    @classmethod
    def of(cls, deployment: Deployment, strategy: Strategy) -> Deployed:
        """Return a deployment with its strategy."""
        where = place(deployment)
        asks = type(strategy).on_answer is not Strategy.on_answer
        many = not asks and takes_many(strategy)
        return cls(deployment, strategy, where, f"{where}/{deployment.since}/{strategy.version}", asks, many)


class Deployments:
    """The active deployments of a task while it processes one segment, sorted by place."""

    def __init__(self, state: State, strategies: Mapping[str, Strategy]) -> None:
        self._state = state
        self._strategies = strategies
        self._about: dict[str, list[Deployed]] = {}

    @cached_property
    def all(self) -> tuple[tuple[Deployed, ...], tuple[tuple[Deployment, str], ...]]:
        """Those that can run, and those that cannot, each with the reason."""
        sound, broken = [], []
        for key in self._state.keys(DEPLOYED):
            deployment = self._state.get(key, Deployment)
            if deployment is None or deployment.status != "ACTIVE":
                continue
            try:
                sound.append(Deployed.of(deployment, self._strategy_of(deployment)))
            except Unfit as unfit:
                broken.append((deployment, str(unfit)))
        return tuple(sound), tuple(broken)

    def _strategy_of(self, deployment: Deployment) -> Strategy:
        strategy = self._strategies.get(deployment.strategy)
        if strategy is None:
            raise Unfit(f"strategy {deployment.strategy} is not installed")
        if deployment.version not in {None, strategy.version}:
            raise Unfit(f"version {deployment.version} may run, and {strategy.version} is installed")
        return with_parameters(strategy, deployment.parameters)

    def about(self, symbol: str) -> list[Deployed]:
        """Return those that can run and trade a symbol."""
        found = self._about.get(symbol)
        if found is None:
            found = self._about[symbol] = [one for one in self.all[0] if trades(one.deployment, symbol)]
        return found

    def broken_about(self, symbol: str) -> list[tuple[Deployment, str]]:
        """Return those that cannot run and trade a symbol, each with the reason."""
        return [one for one in self.all[1] if trades(one[0], symbol)]

    def at(self, place: str, since: int, version: int) -> Deployed | None:
        """Return the deployment at a place, if it still has the same code and parameters."""
        for one in self.all[0]:
            if one.place == place and (one.deployment.since, one.strategy.version) == (since, version):
                return one
        return None


def place(deployment: Deployment) -> str:
    """Return where a deployment is."""
    return place_of(deployment.tenant_id, deployment.account_id, deployment.deployment)


def trades(deployment: Deployment, symbol: str) -> bool:
    """Return whether a deployment trades a symbol."""
    return EVERY in deployment.instruments or symbol in deployment.instruments


def note(state: State, index: int, deployment: Deployment) -> list[ViewState]:
    """Store a deployment and drop what it does not need any more; return the views that it leaves.

    Ignores an older revision, which a redrive may bring. Raises `PoisonRecord` if a field that decides has an unknown
    symbol.
    """
    require_known(deployment, index, "status", "mode", "sizing")
    where = place(deployment)
    before = state.get(f"{DEPLOYED}{where}", Deployment)
    if before is not None and before.revision >= deployment.revision:
        return []
    state.put(f"{DEPLOYED}{where}", checked(deployment, index))
    retired = deployment.status == "RETIRED"
    if retired or before is None or before.since != deployment.since:
        for prefix in (MEMORY, QUARANTINE):
            for key in tuple(state.keys(f"{prefix}{where}/")):
                state.delete(key)
    left = []
    for key in tuple(state.keys(f"{VIEW}{where}/")):
        view = state.get(key, ViewState)
        if view is not None and (retired or not trades(deployment, view.symbol)):
            left.append(view)
            state.delete(key)
    return left
