"""An access token is believed only if this gateway's own key has signed it, it is fresh, and its session lives."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tradewind.connectors.gateway.auth.tokens import (
    ACCESS_S,
    KEY_FILE,
    LEEWAY_S,
    KeyFileDamaged,
    Tokens,
    secret_of,
)
from tradewind.connectors.gateway.problems import Problem

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))
PRIVATE, FOREIGN = Ed25519PrivateKey.from_private_bytes(SECRET), Ed25519PrivateKey.from_private_bytes(OTHER)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def tokens() -> Tokens:
    """Return tokens by a clock of their own."""
    return Tokens(SECRET, "tradewind", Clock())


def header_of(token: str) -> dict[str, Any]:
    """Return a token's header."""
    return dict(jwt.get_unverified_header(token))


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def signed(
    change: Callable[[dict[str, Any], dict[str, Any]], None], key: Any = PRIVATE, algorithm: str = "EdDSA"
) -> str:
    """Return a good token with changes to its header and claims, signed again."""
    good = tokens().issue("u", "viewer", "alpha", "s")
    header, claims = header_of(good), claims_of(good)
    change(header, claims)
    return jwt.encode(
        claims, key, algorithm, {name: value for name, value in header.items() if name not in {"alg", "typ"}}
    )


def without(name: str) -> str:
    """Return a token that lacks a claim."""
    return signed(lambda _, claims: claims.pop(name))


def unsigned() -> str:
    """Return a token of the algorithm `none`."""
    good = tokens().issue("u", "operator", None, "s")
    parts = [{**header_of(good), "alg": "none"}, claims_of(good)]
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return f"{head}.{body}."


def test_a_good_token_says_who_asks() -> None:
    """With tenant and session."""
    made = tokens()
    who = made.verify(made.issue("u", "viewer", "alpha", "s"))
    assert (who.user_id, who.role, who.tenant_id, who.session_id) == ("u", "viewer", "alpha", "s")
    assert made.verify(made.issue("u", "operator", None, "s")).tenant_id is None


ATTACKS: dict[str, Callable[[], str]] = {
    "no algorithm": unsigned,
    "HMAC by the public key": lambda: signed(lambda *_: None, PRIVATE.public_key().public_bytes_raw(), "HS256"),
    "another key": lambda: signed(lambda *_: None, FOREIGN),
    "another key's name": lambda: signed(lambda header, _: header.update(kid="other")),
    "a key that it brings": lambda: signed(lambda header, _: header.update(jwk={"kty": "OKP"}), FOREIGN),
    "a critical extension": lambda: signed(lambda header, _: header.update(crit=["b64"])),
    "another issuer": lambda: signed(lambda _, claims: claims.update(iss="other")),
    "another audience": lambda: signed(lambda _, claims: claims.update(aud="other")),
    "an unknown role": lambda: signed(lambda _, claims: claims.update(rol="root")),
    "a tenant that is no text": lambda: signed(lambda _, claims: claims.update(tid=["alpha"])),
    "no token": lambda: "x",
    "half a character": lambda: "\ud800",
    "a long one": lambda: "x" * 10_000,
    **{f"no {name}": (lambda name=name: without(name)) for name in ("exp", "iat", "sub", "sid", "tid", "rol")},  # type: ignore[misc]
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_token_of_another_make_is_refused(attack: Callable[[], str]) -> None:
    """Whatever its header says of how to verify it."""
    with pytest.raises(Problem) as refused:
        tokens().verify(attack())
    assert (refused.value.status, refused.value.code) == (401, "TOKEN_INVALID")


def test_a_token_ends_by_itself_also_where_it_is_kept() -> None:
    """Verified once, it is not verified again, but looked at."""
    clock = Clock()
    made = Tokens(SECRET, "tradewind", clock)
    token = made.issue("u", "viewer", "alpha", "s")
    made.verify(token)
    clock.now += ACCESS_S + LEEWAY_S
    with pytest.raises(Problem) as refused:
        made.verify(token)
    assert refused.value.code == "TOKEN_EXPIRED"


def test_an_ended_session_ends_its_tokens_and_no_others() -> None:
    """At once, here."""
    made = tokens()
    one, other = made.issue("u", "viewer", "alpha", "one"), made.issue("u", "viewer", "alpha", "other")
    made.end("one")
    made.verify(other)
    with pytest.raises(Problem) as refused:
        made.verify(one)
    assert refused.value.code == "SESSION_ENDED"


def test_a_refresh_token_s_successor_depends_on_the_gateway_s_secret() -> None:
    """Whoever has the one cannot make the next."""
    assert tokens().successor(b"a") == tokens().successor(b"a")
    assert tokens().successor(b"a") != Tokens(OTHER, "tradewind", Clock()).successor(b"a")


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """A damaged file is told, and not replaced: that would end all sessions without a word."""
    secret = secret_of(tmp_path)
    assert secret_of(tmp_path) == secret
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(KeyFileDamaged, match="5 bytes"):
        secret_of(tmp_path)
