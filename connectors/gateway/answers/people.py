"""What the routes of sessions and users answer: where one is signed in, and whom owners and operators let in."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from tradewind.connectors.gateway.answers.basics import gateway_of, who_of
from tradewind.connectors.gateway.auth.audits import Actor
from tradewind.connectors.gateway.auth.origin import origin_of
from tradewind.connectors.gateway.auth.roles import OWNERS, UserRole
from tradewind.connectors.gateway.auth.store import LINK_S
from tradewind.connectors.gateway.problems import Problem
from tradewind.schemas.ranges import NAME_CHARACTERS

SESSION_CHARACTERS: Final = 64
NAME: Final = r"^[^\x00-\x1f\x7f]+$"
"""PostgreSQL takes no NUL."""
UserName: TypeAlias = Annotated[str, Path(max_length=NAME_CHARACTERS, pattern=NAME)]
SessionId: TypeAlias = Annotated[str, Path(max_length=SESSION_CHARACTERS, pattern=NAME)]
All: TypeAlias = Annotated[bool, Query(description="For owners and operators: sessions of all users.")]


class NewRole(BaseModel):
    """The role that a user will have."""

    model_config = ConfigDict(extra="forbid")

    role: UserRole


async def get_auth_sessions(request: Request, *, all: All = False) -> dict[str, Any]:  # noqa: A002 - as the query has it
    """Return where the user is signed in, and how many recovery codes are left; or all sessions of the tenant."""
    gateway, who = gateway_of(request), who_of(request)
    if all and who.role not in OWNERS:
        raise Problem(
            403,
            "FORBIDDEN",
            f"the role {who.role} sees its own sessions alone",
            "leave `all` out, or ask an owner of your tenant",
            pointer="query: all",
        )
    sessions = await gateway.people.sessions(who.tenant_id, None if all else who.user_id)
    told = [{**one, "own": one["session_id"] == who.session_id} for one in sessions]
    return {"sessions": told, "recovery_codes": await gateway.people.recovery_codes(who.user_id)}


async def delete_auth_sessions_id(id: SessionId, request: Request) -> dict[str, bool]:  # noqa: A002 - as the path has it
    """End a session of the user, or of anybody whose sessions the user sees; it holds everywhere within a second."""
    gateway, who = gateway_of(request), who_of(request)
    own = None if who.role in OWNERS else who.user_id
    await gateway.people.end_session(_actor(request), id, who.tenant_id, own)
    gateway.tokens.end(id)
    return {"ended": True}


async def get_users(request: Request) -> dict[str, Any]:
    """Return the users of the tenant, or all, with how they sign in."""
    return {"users": await gateway_of(request).people.users(who_of(request).tenant_id)}


async def post_users_name_role(name: UserName, body: NewRole, request: Request) -> dict[str, str]:
    """Give a user another role; it holds from the next access token on, in 10 minutes at the most."""
    await gateway_of(request).people.set_role(_actor(request), name, body.role, who_of(request).tenant_id)
    return {"name": name, "role": body.role}


async def post_users_name_disable(name: UserName, request: Request) -> dict[str, Any]:
    """End a user's sessions and keys within a second, and let the user sign in no more."""
    ended = await gateway_of(request).people.disable(_actor(request), name, who_of(request).tenant_id)
    return {"name": name, "ended_sessions": ended}


async def post_users_name_reset(name: UserName, request: Request, response: Response) -> dict[str, Any]:
    """Take a user's password, second factor and sessions; returns the code of a link by which the user begins anew."""
    response.headers["Cache-Control"] = "no-store"
    link = await gateway_of(request).people.reset(_actor(request), name, who_of(request).tenant_id)
    return {"name": name, "link": link, "expires_in": LINK_S}


def _actor(request: Request) -> Actor:
    who = who_of(request)
    return Actor(who.user_id, who.role, who.tenant_id, who.session_id, origin_of(request).address)
