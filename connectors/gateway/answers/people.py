"""What the routes of sessions and users answer: where one is signed in, and whom owners and operators let in."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tradewind.connectors.gateway.answers.basics import accounts_of, gateway_of, who_of
from tradewind.connectors.gateway.auth.audits import Actor
from tradewind.connectors.gateway.auth.origin import origin_of
from tradewind.connectors.gateway.auth.roles import OWNERS, UserRole, Who
from tradewind.connectors.gateway.auth.store import LINK_S
from tradewind.connectors.gateway.commands.asked import KeyText, asked_of
from tradewind.connectors.gateway.problems import Problem, meant
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


class NewUser(BaseModel):
    """Who will sign in."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS)]
    role: UserRole
    tenant: Annotated[
        str | None,
        Field(min_length=1, max_length=NAME_CHARACTERS, description="For operators: the user's. Operators have none."),
    ] = None


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


async def post_users(
    body: NewUser,
    key: KeyText,  # noqa: ARG001 - it is in OpenAPI, and checked, by standing here
    request: Request,
    response: Response,
) -> dict[str, Any]:
    """Create a user; returns the code of a link by which the user signs in once. A repeat makes another link.

    The ledger of commands does not keep the answer: it would keep the link. The user's id derives from the key.
    """
    gateway, who = gateway_of(request), who_of(request)
    tenant = _tenant_of(body, who)
    if tenant is not None and who.tenant_id is None:
        known = await accounts_of(gateway)
        if tenant not in known:
            remedy = meant(tenant, known, "./dev tenants list shows them")
            raise Problem(404, "UNKNOWN_TENANT", f"there is no tenant {tenant}", remedy, pointer="#/tenant")
    user_id = asked_of(request, request.state.action, body).id
    link = await gateway.people.add(_actor(request), body.name, body.role, tenant, user_id)
    response.headers["Cache-Control"] = "no-store"
    response.status_code = 201
    return {"name": body.name, "role": body.role, "tenant": tenant, "link": link, "expires_in": LINK_S}


def _tenant_of(body: NewUser, who: Who) -> str | None:
    """Return the tenant of a new user; raises `Problem` for what the caller may not give."""
    if who.tenant_id is not None:
        if body.role == "operator":
            raise Problem(
                403,
                "ROLE_ABOVE",
                "an owner creates no operator: operators see all tenants",
                "choose another role, or ask an operator",
                pointer="#/role",
            )
        if body.tenant not in (None, who.tenant_id):
            remedy = "leave `tenant` out"
            raise Problem(404, "UNKNOWN_TENANT", f"there is no tenant {body.tenant}", remedy, pointer="#/tenant")
        return who.tenant_id
    if (body.role == "operator") != (body.tenant is None):
        why = "an operator has no tenant" if body.tenant else f"a user with the role {body.role} belongs to a tenant"
        remedy = "leave `tenant` out" if body.tenant else "give a tenant"
        raise Problem(422, "INVALID", why, remedy, pointer="#/tenant")
    return body.tenant


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
