"""The second factor: codes of an app (TOTP) by a secret that is sealed in PostgreSQL, and ten recovery codes.

Each code is good once. The seal's key comes of the gateway's own, so a copy of the tables makes no code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import asyncpg
import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import Connection

ISSUER: Final = "Tradewind"
STEP_S: Final = 30
AROUND: Final = 1
"""Steps before and after the present one whose codes are good: clocks of phones are late, and people type slowly."""
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
"""80 bits, so that a hash without salt tells nothing."""
ENROL: Final = timedelta(minutes=10)
"""From the picture to the first code."""
NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app needs to make codes."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    qr: str = field(repr=False)
    """The address as a picture: SVG, as a data URI."""


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """Makes and verifies second factors."""

    key: bytes = field(repr=False)
    """32 secret bytes."""
    now_s: Callable[[], float]

    @classmethod
    def of(cls, secret: bytes, now_s: Callable[[], float]) -> SecondFactors:
        """Return those of a gateway's secret."""
        return cls(hashlib.sha256(b"tradewind second factors 1" + secret).digest(), now_s)

    async def begin(self, connection: Connection, user: asyncpg.Record) -> Enrolment:
        """Give a user a secret, which is good once a code has shown that an app has it."""
        secret = pyotp.random_base32()
        await connection.execute(
            "UPDATE users SET totp_next = $2, totp_next_at = now() WHERE user_id = $1",
            *(user["user_id"], self._sealed(secret, user["user_id"])),
        )
        return enrolment(secret, user["name"])

    async def confirm(self, connection: Connection, user: asyncpg.Record, code: str) -> list[str] | None:
        """Take the new secret for good if an app made a code of it, and return recovery codes, told once."""
        row = await connection.fetchrow(
            "SELECT totp_next FROM users WHERE user_id = $1 AND totp_next_at > now() - $2::interval",
            *(user["user_id"], ENROL),
        )
        if row is None:
            raise Problem(409, "NOT_BEGUN", "no second factor was begun in the last 10 minutes", "begin: send no code")
        step = matching_step(self._opened(row["totp_next"], user["user_id"]), code, self.now_s())
        if step is None:
            return None
        await connection.execute(
            "UPDATE users SET totp = totp_next, totp_step = $2, totp_next = NULL, totp_next_at = NULL "
            "WHERE user_id = $1",
            *(user["user_id"], step),
        )
        codes = [recovery_code() for _ in range(RECOVERY_CODES)]
        await connection.execute("DELETE FROM recovery_codes WHERE user_id = $1", user["user_id"])
        await connection.executemany(
            "INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)",
            [(user["user_id"], _recovery_hash(one)) for one in codes],
        )
        return codes

    async def use(self, connection: Connection, user: asyncpg.Record, code: str) -> bool:
        """Use up a code of the app, or a recovery code; `user` is locked. Returns whether it was good."""
        if "".join(code.split()).isdigit():
            step = matching_step(self._opened(user["totp"], user["user_id"]), code, self.now_s())
            statement = "UPDATE users SET totp_step = $2 WHERE user_id = $1 AND totp_step < $2 RETURNING user_id"
            return step is not None and await connection.fetchval(statement, user["user_id"], step) is not None
        statement = "DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2 RETURNING user_id"
        return await connection.fetchval(statement, user["user_id"], _recovery_hash(code)) is not None

    def _sealed(self, secret: str, user_id: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, secret.encode(), user_id.encode())

    def _opened(self, box: bytes, user_id: str) -> str:
        try:
            return AESGCM(self.key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], user_id.encode()).decode()
        except InvalidTag:
            raise Problem(
                409,
                "SECOND_FACTOR_LOST",
                "the second factor was sealed by another gateway.key, or its row was changed",
                "sign in by a recovery code and add another, or have it reset: ./dev users reset NAME",
            ) from None


def enrolment(secret: str, name: str) -> Enrolment:
    """Return what an app needs to make a user's codes."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)
    return Enrolment(secret, uri, segno.make(uri, error="m").svg_data_uri(scale=4, dark="#000", light="#fff"))


async def remove(connection: Connection, user_id: str) -> None:
    """Take a user's second factor, and what was begun of another."""
    await connection.execute(
        "UPDATE users SET totp = NULL, totp_step = NULL, totp_next = NULL, totp_next_at = NULL WHERE user_id = $1",
        user_id,
    )
    await connection.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)


def matching_step(secret: str, code: str, now_s: float) -> int | None:
    """Return the step of 30 s whose code this is: the present one or a neighbour; None for none."""
    given = "".join(code.split()).encode(errors="replace")
    totp, present = pyotp.TOTP(secret, interval=STEP_S), int(now_s) // STEP_S
    steps = range(max(0, present - AROUND), present + AROUND + 1)
    return next((step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), given)), None)


def recovery_code() -> str:
    """Return a recovery code, in four parts of four."""
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _recovery_hash(code: str) -> bytes:
    return hashlib.sha256("".join(code.split()).replace("-", "").lower().encode(errors="replace")).digest()
