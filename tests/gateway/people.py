"""Users and sessions in memory: so many of them, for pages and for routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tradewind.connectors.gateway.auth.audits import Actor
from tradewind.connectors.gateway.auth.roles import ROLES
from tradewind.connectors.gateway.problems import Problem

AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1",
    "a-program-of-a-customer-with-a-long-name/1.2.3 (build 4711)",
    "",
)
SINCE: Final = "2026-11-30T09:00:00+00:00"


@dataclass
class PeopleInMemory:
    """Stands for users and sessions, and keeps what was changed."""

    rows: int = 0
    done: list[tuple[str, ...]] = field(default_factory=list)

    async def users(self, scope: str | None) -> list[dict[str, Any]]:
        """Return so many users."""
        return [
            {
                "user_id": f"{at:016x}",
                "name": "ada" if at == 0 else f"a-user-with-a-long-name-{at}@customers.example.com",
                "role": ROLES[1:][at % 5] if scope or at % 7 else "operator",
                "tenant_id": scope or ("alpha" if at % 7 else None),
                "created_at": SINCE,
                "disabled": ("disable", "ada") in self.done if at == 0 else at % 6 == 5,
                "has_password": at % 3 > 0,
                "has_second_factor": at % 3 == 2,
                "sessions": at % 4,
                "seen_at": None if at % 4 == 0 else SINCE,
            }
            for at in range(self.rows)
        ]

    async def sessions(self, scope: str | None, user_id: str | None) -> list[dict[str, Any]]:
        """Return so many sessions."""
        return [
            {
                "session_id": f"s{at}",
                "user_id": user_id or f"{at:016x}",
                "user_name": "ada" if user_id else f"a-user-with-a-long-name-{at}@customers.example.com",
                "role": "trader",
                "tenant_id": "alpha",
                "created_at": SINCE,
                "seen_at": SINCE,
                "expires_at": SINCE,
                "address": ("127.0.0.1", "2001:db8:1234:5678:9abc:def0:1234:5678")[at % 2],
                "agent": AGENTS[at % 4],
                "remote": at % 2 == 1,
            }
            for at in range(self.rows)
            if ("end", f"s{at}") not in self.done
        ]

    async def recovery_codes(self, user_id: str) -> int:
        """Return how many are left."""
        return 9

    async def end_session(self, actor: Actor, session_id: str, scope: str | None, user_id: str | None) -> None:
        """End one of the sessions."""
        if session_id not in {f"s{at}" for at in range(self.rows)}:
            raise Problem(404, "UNKNOWN_SESSION", "there is no such session", "look again")
        self.done.append(("end", session_id))

    async def add(self, actor: Actor, name: str, role: str, tenant_id: str | None, user_id: str | None = None) -> str:
        """Note it, and return a code, another one each time; `ada` is taken."""
        if name == "ada":
            raise Problem(409, "USER_EXISTS", "there is a user ada", "choose another name", pointer="#/name")
        self.done.append(("add", name, role, tenant_id or "", user_id or ""))
        return f"{len(self.done):043}"

    async def set_role(self, actor: Actor, name: str, role: str, scope: str | None) -> None:
        """Note it."""
        self.done.append(("role", name, role))

    async def disable(self, actor: Actor, name: str, scope: str | None) -> int:
        """Note it."""
        self.done.append(("disable", name))
        return 1

    async def reset(self, actor: Actor, name: str, scope: str | None) -> str:
        """Note it, and return a code."""
        self.done.append(("reset", name))
        return "l" * 43
