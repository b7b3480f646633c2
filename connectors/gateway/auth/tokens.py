"""Access tokens: JWTs signed with Ed25519, ten minutes long, verified against our own key alone."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import jwt
from cachetools import LRUCache
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tradewind.connectors.gateway.auth.machine_keys import PREFIX, MachineKeys
from tradewind.connectors.gateway.auth.roles import ENROLLING, ROLES, Who
from tradewind.connectors.gateway.problems import Problem

ACCESS_S: Final = 600
"""How long an access token is good: a revoked one reads for as long at the most, if nobody can say that it is."""
LEEWAY_S: Final = 5
"""By how much the clocks of two nodes may differ."""
AUDIENCE: Final = "tradewind"
CLAIMS: Final = ("exp", "iat", "iss", "aud", "sub", "sid", "tid", "rol")
HEADER: Final = frozenset({"alg", "kid", "typ"})
"""What a token's header may hold. Keys and lists of extensions that a token brings along are refused."""
CACHED: Final = 10_000
"""Verified tokens that are kept; verifying takes 0.25 ms."""
LONGEST: Final = 4096
KEY_BYTES: Final = 32
KEY_FILE = "gateway.key"
SIGN_IN = "sign in again"


class Tokens:
    """Issues and verifies tokens; for one thread."""

    def __init__(self, secret: bytes, issuer: str, clock: Callable[[], float]) -> None:
        """Take 32 secret bytes that all processes of a gateway share."""
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self._public = self._private.public_key()
        self._kid = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]
        self._chain = hashlib.sha256(b"tradewind refresh 1" + secret).digest()
        self._issuer, self._clock = issuer, clock
        self._verified: LRUCache[bytes, Who] = LRUCache(CACHED)
        self._ended: dict[str, float] = {}
        self.machines = MachineKeys(clock)

    def issue(self, user_id: str, role: str, tenant_id: str | None, session_id: str) -> str:
        """Return a token."""
        now = int(self._clock())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + ACCESS_S,
            "sub": user_id,
            "sid": session_id,
            "tid": tenant_id or "",
            "rol": role,
        }
        return jwt.encode(claims, self._private, "EdDSA", {"kid": self._kid})

    def verify(self, token: str) -> Who:
        """Return whose a token or a machine's key is; raises `Problem` (401) unless it is ours, good, and not ended."""
        if token.startswith(PREFIX):
            return self.machines.verify(token)
        key = hashlib.sha256(token.encode(errors="replace")).digest()
        who = self._verified.get(key)
        if who is None:
            who = self._verified[key] = self._who(token)
        if who.expires_s + LEEWAY_S <= self._clock():
            raise _refused("TOKEN_EXPIRED", "the access token has expired", "get another by POST /api/v1/auth/refresh")
        if who.session_id in self._ended:
            raise _refused("SESSION_ENDED", "the session of this token has ended", SIGN_IN)
        return who

    def end(self, session_id: str) -> None:
        """Refuse the tokens of a session from now on; forgotten once they have expired by themselves."""
        now = self._clock()
        for old in [old for old, ended in self._ended.items() if ended + ACCESS_S + LEEWAY_S < now]:
            del self._ended[old]
        self._ended[session_id] = now

    def successor(self, refresh: bytes) -> bytes:
        """Return the refresh token that follows one: the same for all who bring that one, such as two tabs at once."""
        return hmac.digest(self._chain, refresh, "sha256")

    def _who(self, token: str) -> Who:
        if len(token) > LONGEST:
            raise _refused("TOKEN_INVALID", f"an access token has at most {LONGEST} characters", SIGN_IN)
        try:
            header = jwt.get_unverified_header(token)
            if header.keys() - HEADER or header.get("kid") != self._kid:
                raise jwt.InvalidTokenError("its header names another key, or more than a key")
            claims = jwt.decode(
                token,
                self._public,
                ["EdDSA"],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": list(CLAIMS)},
            )
        except jwt.ExpiredSignatureError:
            raise _refused(
                "TOKEN_EXPIRED", "the access token has expired", "get another by POST /api/v1/auth/refresh"
            ) from None
        except (jwt.InvalidTokenError, ValueError) as error:
            raise _refused("TOKEN_INVALID", f"the access token is not one of this gateway: {error}", SIGN_IN) from None
        role = claims["rol"]
        if role not in (*ROLES, ENROLLING) or not all(isinstance(claims[name], str) for name in ("sub", "sid", "tid")):
            raise _refused("TOKEN_INVALID", "the access token's claims are not those of this gateway", SIGN_IN)
        return Who(claims["sub"], role, claims["tid"] or None, claims["sid"], int(claims["exp"]))


def _refused(code: str, detail: str, remedy: str) -> Problem:
    return Problem(401, code, detail, remedy, pointer="header: Authorization", headers={"WWW-Authenticate": "Bearer"})


def secret_of(data: Path) -> bytes:
    """Return the secret of a data folder's gateways, made at the first call; only its owner may read the file."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / KEY_FILE
    draft = data / f".{KEY_FILE}.{os.getpid()}"
    if not path.exists():
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            path.hardlink_to(draft)  # whoever is first has made it; nobody sees half of it
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    secret = path.read_bytes()
    if len(secret) != KEY_BYTES:
        raise KeyFileDamaged(
            f"{path} has {len(secret)} bytes, and a key has {KEY_BYTES}: remove the file. All sessions end with it"
        )
    return secret


class KeyFileDamaged(RuntimeError):
    """The file of the gateway's key holds none."""
