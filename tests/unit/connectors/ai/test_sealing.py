"""A key under its seal is what was stored, for whom it was stored, or it is refused."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from calls.calling import call
from pydantic import SecretStr

from tradewind.connectors.ai.answer import Answer
from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.keys.keys import HIDDEN, Keys
from tradewind.connectors.ai.keys.master import BadMasterKey
from tradewind.connectors.ai.keys.sealing import BrokenSeal, Master
from tradewind.connectors.ai.keys.store import KeyRefused, StoreSilent
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.settings import AiSettings, Settings, SettingsRefused
from tradewind.schemas.ai import AiAttempt, AiCall

KEY = "sk-stored-0123456789"
MASTER = SecretStr(base64.b64encode(bytes(range(32))).decode())
OTHER = SecretStr(base64.b64encode(bytes(32)).decode())


def test_a_key_opens_for_its_tenant_and_id_alone() -> None:
    """A row that was moved does not open, and ids differ in more than case."""
    master = Master(MASTER)
    sealed = master.seal(KEY, "alpha", "MAIN")
    assert Master(MASTER).opened(sealed, "alpha", "main") == KEY
    for tenant_id, key_id in (("beta", "MAIN"), ("", "MAIN"), ("alpha", "OTHER"), ("alpha\x00MAIN", "")):
        with pytest.raises(BrokenSeal, match="changed or moved"):
            master.opened(sealed, tenant_id, key_id)


def test_a_bit_that_was_changed_breaks_the_seal() -> None:
    """Wherever it is."""
    master = Master(MASTER)
    sealed = master.seal(KEY, "alpha", "MAIN")
    for name in ("nonce", "box"):
        value: bytes = getattr(sealed, name)
        changed = [bytes([*value[:at], value[at] ^ 1, *value[at + 1 :]]) for at in range(len(value))]
        for other in [*changed, value[:-1], b""]:
            with pytest.raises(BrokenSeal):
                master.opened(replace(sealed, **{name: other}), "alpha", "MAIN")


def test_equal_keys_have_different_seals_and_another_master_key_is_named() -> None:
    """Nobody sees in the table that two tenants have one key."""
    master = Master(MASTER)
    first, second = master.seal(KEY, "alpha", "MAIN"), master.seal(KEY, "alpha", "MAIN")
    assert first.nonce != second.nonce
    assert first.box != second.box
    with pytest.raises(BrokenSeal, match="another master key"):
        Master(OTHER).opened(first, "alpha", "MAIN")
    assert KEY not in repr(first)
    assert MASTER.get_secret_value() not in repr(master)


@pytest.mark.parametrize("text", ["", "secret", "c2hvcnQ=", "ä" * 44, base64.b64encode(bytes(33)).decode()])
def test_a_master_key_has_32_bytes(text: str) -> None:
    """The refusal tells how to make one, and nothing of what was given."""
    with pytest.raises(BadMasterKey, match="openssl rand -base64 32") as caught:
        Master(SecretStr(text))
    assert not text or text not in str(caught.value)
    with pytest.raises(SettingsRefused) as refused:
        Settings(_env_file=None, ai={"master_key": text})  # type: ignore[arg-type,call-arg]
    assert "TRADEWIND_AI__MASTER_KEY" in str(refused.value)
    assert not text or text not in str(refused.value)
    assert AiSettings(master_key=MASTER).master_key == MASTER


class Stored:
    """A store that gives a key, or fails."""

    def __init__(self, found: str | Exception | None) -> None:
        self.found = found

    async def key(self, tenant_id: str, key_id: str) -> str | None:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found if tenant_id == "alpha" else None

    async def close(self) -> None:
        """Have nothing to close."""


class Parrot:
    """A provider that repeats the key wherever it can."""

    async def open(self) -> None:
        """Have nothing to prepare."""

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:
        """Repeat the key."""
        sending.sent = True
        said = f"so {key} it is"
        return Answer("OK", said, said, ({"id": said, "name": said, "arguments": said},), model=said, request_id=said)

    async def close(self) -> None:
        """Have nothing to close."""


async def ask(keys: Keys, **changes: Any) -> AiAttempt:
    """Call the provider that repeats the key."""
    kind = AiCalls(keys, {"parrot": Parrot})
    attempt = await kind.perform(call(adapter="parrot", key_id="MAIN", **changes), Sending())
    await kind.close()
    assert isinstance(attempt, AiAttempt)
    return attempt


async def test_a_tenant_s_own_key_goes_before_that_of_the_settings() -> None:
    """For this tenant alone; and no answer repeats either."""
    shared = "sk-shared-0123456789"
    keys = Keys({"main": SecretStr(shared)}, Stored(KEY))
    assert await keys.key("alpha", "MAIN") == KEY
    assert await keys.key("beta", "MAIN") == shared
    for tenant_id in ("alpha", "beta"):
        attempt = await ask(keys, tenant_id=tenant_id)
        assert attempt.text == f"so {HIDDEN} it is"
        assert KEY not in str(attempt)
        assert shared not in str(attempt)


async def test_a_stored_key_that_is_refused_is_not_replaced_by_another() -> None:
    """The call ends as BAD_KEY, unsent, and says why."""
    keys = Keys({"main": SecretStr(KEY)}, Stored(KeyRefused("the stored key MAIN of tenant alpha is refused: changed")))
    attempt = await ask(keys)
    assert (attempt.outcome, attempt.total_us, attempt.text) == ("BAD_KEY", 0, "")
    assert "the stored key MAIN of tenant alpha is refused" in str(attempt.error)


async def test_without_an_answer_of_the_store_no_call_is_sent() -> None:
    """The tenant's own key may be there: the shared one must not pay for it. The agent calls again."""
    attempt = await ask(Keys({"main": SecretStr(KEY)}, Stored(StoreSilent("PostgreSQL does not tell the keys"))))
    assert (attempt.outcome, attempt.total_us) == ("ERROR", 0)
    assert "PostgreSQL" in str(attempt.error)
