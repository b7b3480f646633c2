"""Who somebody is, and the roles that routes name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Role: TypeAlias = Literal["operator", "owner", "trader", "analyst", "viewer", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)
PLATFORM: frozenset[Role] = frozenset({"operator"})
"""Who runs the platform and sees all tenants. All other roles are of one tenant."""
EVERYONE: frozenset[Role] = frozenset(ROLES)
TRADERS: frozenset[Role] = frozenset({"operator", "owner", "trader"})
OWNERS: frozenset[Role] = frozenset({"operator", "owner"})
AUDITORS: frozenset[Role] = frozenset({"operator", "owner", "auditor"})


@dataclass(frozen=True, slots=True)
class Who:
    """A person or machine whose token was verified."""

    user_id: str
    role: Role
    tenant_id: str | None
    """None for the platform's operators."""
    session_id: str
    expires_s: int
    """When the token ends, s since 1970."""
