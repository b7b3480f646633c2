"""What the routes under `auth` answer."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tradewind.connectors.gateway.answers.basics import gateway_of, who_of
from tradewind.connectors.gateway.auth.origin import origin_of
from tradewind.connectors.gateway.auth.passwords import LONGEST, SHORTEST
from tradewind.connectors.gateway.auth.roles import ENROLLING
from tradewind.connectors.gateway.auth.store import SESSION_S, Session
from tradewind.connectors.gateway.auth.tokens import ACCESS_S
from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.guard import is_foreign
from tradewind.connectors.gateway.problems import Problem
from tradewind.schemas.ranges import NAME_CHARACTERS

COOKIE: Final = "tradewind_session"
COOKIE_PATH: Final = "/api/v1/auth"
NAME: Final = r"^[^\x00-\x1f\x7f]+$"
"""What a user's name may be made of; PostgreSQL takes no NUL."""
SecondFactorCode: TypeAlias = Annotated[SecretStr, Field(min_length=1, max_length=64)]
GivenPassword: TypeAlias = Annotated[SecretStr, Field(min_length=1, max_length=LONGEST)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Login(_Body):
    """A one-time link's code, or a name and a password."""

    link: Annotated[str | None, Field(min_length=20, max_length=200)] = None
    name: Annotated[str | None, Field(min_length=1, max_length=NAME_CHARACTERS, pattern=NAME)] = None
    password: GivenPassword | None = None
    code: Annotated[SecondFactorCode | None, Field(description="Of whoever has a second factor.")] = None


class NewPassword(_Body):
    """The password that a user will have, and the one that the user has."""

    new: Annotated[SecretStr, Field(min_length=SHORTEST, max_length=LONGEST)]
    old: Annotated[GivenPassword | None, Field(description="The password until now; none where there is none.")] = None


class SecondFactor(_Body):
    """Without a code, begins a second factor. With a code of the app, turns it on, or off with `remove`."""

    code: SecondFactorCode | None = None
    remove: bool = False


class Access(BaseModel):
    """An access token, for the header `Authorization: Bearer`. Keep it in memory."""

    access_token: str
    expires_in: int
    """Seconds."""
    user: str
    role: str
    tenant: str | None
    has_password: bool
    has_second_factor: bool
    must_enrol: bool
    """Whether nothing but `auth/totp` is open before a second factor is added."""


async def post_auth_login(body: Login, request: Request, response: Response) -> Access:
    """Begin a session: a link is used up, and the session's cookie is set."""
    refuse_foreign(request)
    gateway = gateway_of(request)
    if body.link is not None:
        if body.name is not None or body.password is not None:
            raise _incomplete("name", "a link goes without a name and a password")
        session = await gateway.signing_in.by_link(body.link, _plain(body.code), origin_of(request))
    elif body.name is None and body.password is None:
        raise _incomplete("link", "a link, or a name and a password, is missing")
    elif body.name is None or body.password is None:
        missing = "name" if body.name is None else "password"
        raise _incomplete(missing, f"the {missing} is missing")
    else:
        password = body.password.get_secret_value()
        session = await gateway.signing_in.by_password(body.name, password, _plain(body.code), origin_of(request))
    return _access(gateway, session, request, response)


async def post_auth_password(body: NewPassword, request: Request) -> dict[str, bool]:
    """Set or change the password of the session's user; the user's other sessions end within a second."""
    new = body.new.get_secret_value()
    await gateway_of(request).signing_in.set_password(who_of(request), _plain(body.old), new, origin_of(request))
    return {"changed": True}


async def post_auth_totp(body: SecondFactor, request: Request, response: Response) -> dict[str, Any]:
    """Begin a second factor (secret, address, picture), turn it on (recovery codes), or remove it."""
    response.headers["Cache-Control"] = "no-store"
    signing_in, who, code = gateway_of(request).signing_in, who_of(request), _plain(body.code)
    if code is None:
        if body.remove:
            raise _incomplete("code", "a second factor is removed by one of its codes")
        return asdict(await signing_in.begin_factor(who))
    if body.remove:
        await signing_in.remove_factor(who, code, origin_of(request))
        return {"removed": True}
    return {"recovery_codes": await signing_in.confirm_factor(who, code, origin_of(request))}


async def post_auth_refresh(request: Request, response: Response) -> Access:
    """Return an access token for the session of the cookie, whose secret changes with it."""
    refuse_foreign(request)
    gateway = gateway_of(request)
    session = await gateway.store.refresh(_cookie(request), gateway.tokens.successor, remote=origin_of(request).remote)
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
        access_token=gateway.tokens.issue(
            user.user_id, ENROLLING if session.must_enrol else user.role, user.tenant_id, session.session_id
        ),
        expires_in=ACCESS_S,
        user=user.name,
        role=user.role,
        tenant=user.tenant_id,
        has_password=user.has_password,
        has_second_factor=user.has_second_factor,
        must_enrol=session.must_enrol,
    )


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _incomplete(field: str, detail: str) -> Problem:
    return Problem(422, "INVALID", detail, "the schema is at /api/v1/openapi.json", pointer=f"#/{field}")


def _cookie(request: Request) -> bytes:
    try:
        return base64.b64decode(request.cookies.get(COOKIE, ""), altchars=b"-_", validate=True) or _no_cookie()
    except (binascii.Error, ValueError):
        return _no_cookie()


def _no_cookie() -> bytes:
    raise Problem(
        401, "SIGNED_OUT", "there is no session", "sign in by your name and password, or by a link of ./dev users link"
    )
