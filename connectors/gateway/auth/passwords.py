"""Passwords: argon2id with 64 MiB, one at a time, and the same work for a name that nobody has."""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from tradewind.connectors.gateway.problems import Problem

MEMORY_KIB: Final = 64 * 1024
LANES: Final = 2
ROUNDS: Final = 3
"""With 64 MiB, some 0.1 s of two cores."""
SHORTEST, LONGEST = 12, 256
"""Characters of a password."""
DIFFERENT: Final = 5
"""Characters of a password that differ, at least."""
WAITING: Final = 16
"""Passwords that wait for their turn, the one in work among them: some 2 s. A flood takes 64 MiB, and no more."""
Found = TypeVar("Found")


class Passwords:
    """Hashes and verifies. For one event loop; the work is done in a thread."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._nobody = _hash_of_nothing(self._hasher)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="password")
        self._waiting = 0

    def close(self) -> None:
        """End the thread once it has done what it does."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def hashed(self, password: str) -> str:
        """Return the hash that is kept, with its salt and parameters. Raises `Problem` (503) in a flood."""
        return await self._done(lambda: self._hasher.hash(_plain(password)))

    async def verify(self, kept: str | None, password: str) -> bool:
        """Return whether a password is the one of a hash; without a hash, never, after the same work.

        Raises `Problem` (503) in a flood.
        """
        right = await self._done(lambda: self._verified(self._nobody if kept is None else kept, password))
        return right and kept is not None

    def _verified(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, _plain(password))
        except VerifyMismatchError:
            return False

    async def _done(self, work: Callable[[], Found]) -> Found:
        if self._waiting >= WAITING:
            raise Problem(
                503,
                "BUSY",
                f"{WAITING} passwords are being checked",
                "try again in some seconds, or sign in by a link of ./dev users link",
                headers={"Retry-After": "3"},
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


def refuse_weak(password: str, name: str) -> None:
    """Raise `Problem` (422) for a long password that is guessed at once: the same letters, or the user's name."""
    plain = _plain(password).casefold()
    if len(set(plain)) < DIFFERENT or plain.replace(name.casefold(), "") == "":
        raise Problem(
            422,
            "WEAK_PASSWORD",
            f"a password has at least {DIFFERENT} different characters, and is not the user's name",
            "choose another: some words in a row are long and easy to keep",
            pointer="#/new",
        )


def _plain(password: str) -> str:
    """Return a password as every keyboard gives it: an accent is one character or two."""
    return unicodedata.normalize("NFKC", password)


def _hash_of_nothing(hasher: PasswordHasher) -> str:
    """Return a hash that no password has, and that takes the same work to verify."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${salt}${digest}"
