"""Every route: who may use it, and who answers it. What is not built yet says which domain will bring it.

Nothing is served that has no line here, and a route without roles is nobody's: deny is the default.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tradewind.connectors.gateway.auth.roles import AUDITORS, EVERYONE, OWNERS, PLATFORM, SIGNED_IN, TRADERS, Role
from tradewind.connectors.gateway.limits import Kind

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE", "WS"]
Answer: TypeAlias = Callable[..., Awaitable[Any]]
PREFIX = "/api/v1"
QUESTIONS = ("ai/", "llm/", "rag/")
"""How paths begin whose `POST` asks a model and changes nothing."""


@dataclass(frozen=True, slots=True)
class Route:
    """A line of the table."""

    method: Method
    path: str
    """Under `/api/v1`, without a leading slash."""
    roles: frozenset[Role] | None
    """Who may use it; None is everybody, without a login."""
    summary: str
    domain: str = ""
    """Who will bring it, where it is not built yet."""
    command: bool = False
    """Whether it changes something under an `Idempotency-Key`; each refusal leaves an audit event."""

    @property
    def kind(self) -> Kind:
        """Which rate limits hold for it."""
        if self.method == "GET":
            return "reads"
        return "questions" if self.path.startswith(QUESTIONS) else "commands"

    @property
    def action(self) -> str:
        """How audit events name it."""
        return f"{self.method} {self.path}"

    @property
    def name(self) -> str:
        """The name that its function has in `answers/`."""
        words = self.path.replace("{", "").replace("}", "").replace("-", "_").replace("/", "_")
        return f"{self.method.lower()}_{words}"


def _later(domain: str, method: Method, path: str, roles: frozenset[Role], summary: str) -> Route:
    return Route(method, path, roles, summary, domain)


ROUTES: tuple[Route, ...] = (
    Route("POST", "auth/login", None, "Begin a session by a one-time link, or by name and password."),
    Route("POST", "auth/refresh", None, "Get an access token by the session's cookie."),
    Route("POST", "auth/logout", None, "End the session of the cookie."),
    Route("POST", "auth/password", SIGNED_IN, "Set or change the own password."),
    Route("POST", "auth/totp", SIGNED_IN, "Add or remove the own second factor."),
    Route("GET", "auth/sessions", EVERYONE, "Sessions of the user; of all users that the user may change with `all`."),
    Route("DELETE", "auth/sessions/{id}", EVERYONE, "End a session."),
    Route("GET", "auth/keys", OWNERS, "Keys of machines."),
    Route("GET", "users", OWNERS, "Users of the tenant."),
    Route("POST", "users", OWNERS, "Create a user, and make a link for the first login.", command=True),
    Route("POST", "users/{name}/role", OWNERS, "Give a user another role."),
    Route("POST", "users/{name}/disable", OWNERS, "Let a user sign in no more."),
    Route("POST", "users/{name}/reset", OWNERS, "Take a user's login, and make a link for a new one."),
    Route("GET", "health/system", EVERYONE, "Services and processes: what is up, what stands still."),
    Route("GET", "system/logs", PLATFORM, "The end of the log of a service or process."),
    Route("GET", "streams/flow", EVERYONE, "Who writes and reads which topic: picture, rates, lag, states."),
    Route("GET", "streams/topics", EVERYONE, "Topics: rates, bytes, retention, last record, readers."),
    Route("GET", "streams/groups", EVERYONE, "Consumer groups: lag, trend, time to catch up, state, members."),
    Route("GET", "streams/transactions", PLATFORM, "Open transactions, who waits for them, and what ends them."),
    Route("GET", "streams/messages", EVERYONE, "Records of a topic: newest first, filtered, step by step."),
    Route("GET", "streams/balance", PLATFORM, "Counts, sums and cash that must agree, at named offsets."),
    Route("GET", "streams/verify", PLATFORM, "The last check of each agent's journal."),
    Route("POST", "streams/verify", PLATFORM, "Repeat an agent's journal and compare."),
    Route("GET", "letters", PLATFORM, "Dead letters, counted by agent, error, topic and reason."),
    Route("POST", "letters/redrive", PLATFORM, "Send dead letters back to their agent, each once."),
    Route("GET", "alerts/active", EVERYONE, "Alerts of the last day: what holds first."),
    Route("POST", "alerts/{id}/acknowledge", TRADERS, "Say that somebody looks into an alert.", command=True),
    Route("GET", "markets/live-data", EVERYONE, "The last tick and bars of each instrument."),
    Route("GET", "markets/{symbol}/tick", EVERYONE, "The last tick."),
    Route("GET", "markets/{symbol}/bars", EVERYONE, "The last bar of each interval."),
    Route("GET", "portfolio/positions", EVERYONE, "What accounts hold."),
    Route("GET", "orders/status", EVERYONE, "Orders and their states, newest first."),
    Route("GET", "orders/choices", TRADERS, "What an order may name: accounts, and instruments with their steps."),
    Route("GET", "orders/{id}", EVERYONE, "One order with its fills."),
    Route("GET", "executions/history", EVERYONE, "Fills, newest first."),
    Route("GET", "ai/providers", EVERYONE, "Models with their breakers, latency and errors, and what today has cost."),
    Route("GET", "ai/models", TRADERS | {"analyst"}, "Models and routes that the tenant may name, as OpenAI's API."),
    Route("POST", "ai/chat/completions", TRADERS | {"analyst"}, "Ask a model, as OpenAI's API."),
    Route("POST", "ai/embeddings", TRADERS | {"analyst"}, "Embeddings, as OpenAI's API."),
    Route(
        "POST",
        "system/emergency-stop",
        TRADERS,
        "Stop the trading of a tenant, an account or all, or allow it again.",
        command=True,
    ),
    Route("POST", "orders/create", TRADERS, "Submit an order.", command=True),
    Route("POST", "executions/cancel", TRADERS, "Cancel an open order.", command=True),
    Route("GET", "trace/{id}", EVERYONE, "The way of an order by any id on it, from the quote to the position."),
    Route("GET", "usage", EVERYONE, "What tenants have used in a month, by meter and dimension."),
    Route("GET", "audit", AUDITORS, "Who changed what, and what was refused."),
    Route("WS", "stream", EVERYONE, "Ticks, bars, the flow and the events of accounts, as they come."),
    Route("WS", "markets/stream", EVERYONE, "Ticks and bars, as they change."),
    _later("analytics", "GET", "metrics/performance", EVERYONE, "Latencies and throughput."),
    _later("analytics", "POST", "data/import", OWNERS, "Import data."),
    _later("analytics", "GET", "data/visualizations", EVERYONE, "Charts of data."),
    _later("analytics", "POST", "data/transform", OWNERS, "Transform data."),
    _later("analytics", "GET", "data/export/{format}", EVERYONE, "Export data."),
    _later("ai", "GET", "models/registry", EVERYONE, "Models that are known."),
    _later("ai", "POST", "models/train", OWNERS, "Train a model."),
    _later("ai", "POST", "models/deploy", OWNERS, "Deploy a model."),
    _later("ai", "GET", "models/metrics", EVERYONE, "How models do."),
    _later("ai", "GET", "models/analysis", EVERYONE, "What models say of the market."),
    _later("analytics", "GET", "markets/correlations", EVERYONE, "Correlations of instruments."),
    _later("notifications", "POST", "markets/alerts", TRADERS, "Ask for an alert at a price."),
    _later("market", "GET", "markets/{symbol}/features", EVERYONE, "The features of the last bar."),
    _later("ai", "POST", "llm/query", TRADERS | {"analyst"}, "Ask a model."),
    _later("ai", "POST", "rag/query", TRADERS | {"analyst"}, "Ask documents."),
    _later("ai", "POST", "research/comprehensive", TRADERS | {"analyst"}, "Research a question."),
    _later("ai", "POST", "documents/ingest", OWNERS, "Add documents."),
    _later("signals", "GET", "strategies/registry", EVERYONE, "Strategies that are known."),
    _later("signals", "POST", "strategies/create", OWNERS, "Create a strategy."),
    _later("signals", "POST", "strategies/backtest", TRADERS | {"analyst"}, "Test a strategy on the past."),
    _later("signals", "POST", "strategies/deploy", OWNERS, "Deploy a strategy."),
    _later("analytics", "POST", "simulation/backtest", TRADERS | {"analyst"}, "Run a backtest."),
    _later("analytics", "POST", "simulation/monte-carlo", TRADERS | {"analyst"}, "Simulate many paths."),
    _later("analytics", "POST", "simulation/stress-test", TRADERS | {"analyst"}, "Test against shocks."),
    _later("analytics", "GET", "simulation/results", EVERYONE, "Results of simulations."),
    _later("risk", "GET", "portfolio/risk-metrics", EVERYONE, "Risk of a portfolio."),
    _later("portfolio", "POST", "portfolio/rebalance", TRADERS, "Rebalance a portfolio."),
    _later("risk", "POST", "portfolio/risk-limits", OWNERS, "Change limits."),
    _later("analytics", "GET", "system/status", EVERYONE, "State of the platform in short."),
    _later("tenancy", "POST", "system/config", PLATFORM, "Change settings."),
    _later("analytics", "POST", "system/maintenance", PLATFORM, "Maintenance."),
)
"""Each may be read in `docs/gateway.md`, which a test compares with this table and with OpenAPI."""
HOT = next(route for route in ROUTES if route.path == "markets/{symbol}/tick")
"""The routes of `lane.py` have its roles; OpenAPI describes them by their functions in `answers/`."""
