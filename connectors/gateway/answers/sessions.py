"""What the routes under `auth` answer."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tradewind.connectors.gateway.answers.basics import gateway_of, who_of
from tradewind.connectors.gateway.auth.store import SESSION_S, Session
from tradewind.connectors.gateway.auth.tokens import ACCESS_S
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.guard import is_foreign
from tradewind.connectors.gateway.problems import Problem

COOKIE: Final = "tradewind_session"
COOKIE_PATH: Final = "/api/v1/auth"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Login(_Body):
    """A one-time link's code."""

    link: Annotated[str, Field(min_length=20, max_length=200)]


class Access(BaseModel):
    """An access token, for the header `Authorization: Bearer`. Keep it in memory."""

    access_token: str
    expires_in: int
    """Seconds."""
    user: str
    role: str
    tenant: str | None


async def post_auth_login(body: Login, request: Request, response: Response) -> Access:
    """Begin a session: the link is used up, and the session's cookie is set."""
    refuse_foreign(request)
    gateway = gateway_of(request)
    session = await gateway.store.begin(body.link, request.client.host if request.client else "")
    return _access(gateway, session, request, response)


async def post_auth_refresh(request: Request, response: Response) -> Access:
    """Return an access token for the session of the cookie, whose secret changes with it."""
    refuse_foreign(request)
    gateway = gateway_of(request)
    session = await gateway.store.refresh(_cookie(request), gateway.tokens.successor)
    return _access(gateway, session, request, response)


async def post_auth_logout(request: Request, response: Response) -> dict[str, bool]:
    """End the session of the cookie, on every process within a second."""
    refuse_foreign(request)
    gateway = gateway_of(request)
    session = await gateway.store.refresh(_cookie(request), gateway.tokens.successor)
    await gateway.store.end(session.session_id, "signed out")
    gateway.tokens.end(session.session_id)
    response.delete_cookie(COOKIE, path=COOKIE_PATH)
    return {"signed_out": True}


async def get_auth_keys(request: Request) -> dict[str, Any]:
    """Return the keys of the tenant's machines, or of all; a key itself is told once, when it is made."""
    return {"keys": await gateway_of(request).store.keys(who_of(request).tenant_id)}


def refuse_foreign(request: Request) -> None:
    """Raise `Problem` for a request that a page of another origin has made."""
    if is_foreign(request.headers.get("origin"), request.headers.get("host", "")):
        raise Problem(
            403,
            "FOREIGN_ORIGIN",
            "a page of another origin may not do this",
            "use the pages that this gateway serves",
            pointer="header: Origin",
        )


def _access(gateway: Gateway, session: Session, request: Request, response: Response) -> Access:
    user = session.user
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(session.refresh).decode(),
        max_age=SESSION_S,
        path=COOKIE_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"
    return Access(
        access_token=gateway.tokens.issue(user.user_id, user.role, user.tenant_id, session.session_id),
        expires_in=ACCESS_S,
        user=user.name,
        role=user.role,
        tenant=user.tenant_id,
    )


def _cookie(request: Request) -> bytes:
    try:
        return base64.b64decode(request.cookies.get(COOKIE, ""), altchars=b"-_", validate=True) or _no_cookie()
    except (binascii.Error, ValueError):
        return _no_cookie()


def _no_cookie() -> bytes:
    raise Problem(401, "SIGNED_OUT", "there is no session", "sign in: open a link of ./dev users link")
