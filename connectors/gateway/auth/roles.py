"""Who somebody is, and the roles that routes name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from tradewind.connectors.gateway.problems import Problem

UserRole: TypeAlias = Literal["operator", "owner", "trader", "analyst", "viewer", "auditor"]
"""What a user may be."""
Role: TypeAlias = UserRole | Literal["enrolling"]
ENROLLING: Role = "enrolling"
"""Whoever signs in over a network and has no second factor: may add one, and nothing else."""
ROLES: tuple[UserRole, ...] = get_args(UserRole)
PLATFORM: frozenset[Role] = frozenset({"operator"})
"""Who runs the platform and sees all tenants. All other roles are of one tenant."""
EVERYONE: frozenset[Role] = frozenset(ROLES)
SIGNED_IN: frozenset[Role] = EVERYONE | {ENROLLING}
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


def second_factor_wanted() -> Problem:
    """Return the answer to whoever must add a second factor first."""
    return Problem(
        403,
        "SECOND_FACTOR_WANTED",
        "over a network, nobody gets in without a second factor",
        "add one by POST /api/v1/auth/totp, and refresh",
    )
