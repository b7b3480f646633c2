"""The token of a request."""

from __future__ import annotations

from tradewind.connectors.gateway.problems import Problem


def bearer(authorization: str) -> str:
    """Return the token of the header `Authorization`; raises `Problem` (401) where there is none."""
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Problem(
            401,
            "NO_TOKEN",
            "this route wants an access token",
            "get one by POST /api/v1/auth/refresh, and send it as Authorization: Bearer ...",
            pointer="header: Authorization",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return token
