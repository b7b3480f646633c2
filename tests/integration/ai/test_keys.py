"""Keys in PostgreSQL: found for their tenants, changed while callers run, refused if somebody changed the row."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import Any

import asyncpg
import pytest
from calls.calling import call
from calls.provider import Conversation, Provider
from click.testing import CliRunner
from processes.pipeline import environment
from pydantic import SecretStr
from sinks.running import TERMINATE, Cable

from tradewind.connectors.ai.calls import AiCalls
from tradewind.connectors.ai.in_force import apply, in_force
from tradewind.connectors.ai.keys.keys import Keys
from tradewind.connectors.ai.keys.sealing import Master
from tradewind.connectors.ai.keys.store import KEPT_S, STALE_S, KeyRefused, KeyStore, StoreSilent, UnfitKey
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.kafka.admin import create_missing
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import AiSettings, PostgresSettings, Settings
from tradewind.infra.cli.ai.keys import keys as group
from tradewind.processors.ai.seed import first_settings
from tradewind.processors.ai.settings_file.file import read
from tradewind.schemas.ai import AiAttempt
from tradewind.topics import AI_SETTINGS

MASTER = SecretStr(base64.b64encode(bytes(range(32))).decode())
OTHER = SecretStr(base64.b64encode(bytes(32)).decode())
OWN, SHARED, LATER = "sk-own-0123456789", "sk-shared-0123456789", "sk-later-0123456789"
LOGGERS = ("tradewind", "openai", "anthropic", "asyncio", "aiohttp", "asyncpg", "httpx2")


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def tables(settings: Settings, database: PostgresSettings) -> Settings:
    """Give settings whose database has the tables."""
    await asyncio.to_thread(migrate, settings)
    return settings


async def run(settings: Settings, statement: str) -> list[asyncpg.Record]:
    """Run a statement in the database, as somebody else."""
    connection = await connect(settings)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("tells_ends", [True, False])
async def test_a_stored_key_is_found_changed_and_refused_while_the_caller_runs(
    tables: Settings, tells_ends: bool
) -> None:
    """An answer holds for seconds; a connection is opened anew, whether its end has been read or only announced."""
    clock = Clock()
    store = KeyStore(Cable.through(tables, tells_ends=tells_ends)[1], Master(MASTER), clock)
    await store.add("alpha", "MAIN", OWN)
    await store.add(None, "Main", SHARED)
    assert [await store.key(tenant, "main") for tenant in ("alpha", "beta")] == [OWN, SHARED]
    assert await store.key("alpha", "OTHER") is None
    await store.add("alpha", "main", LATER)
    assert await store.key("alpha", "MAIN") == OWN
    clock.now += KEPT_S
    assert await store.key("alpha", "MAIN") == LATER
    await run(tables, TERMINATE)
    clock.now += KEPT_S
    assert await store.key("alpha", "MAIN") == LATER
    assert [(one.tenant_id, one.key_id, one.flaw) for one in await store.stored()] == [
        (None, "Main", None),
        ("alpha", "main", None),
    ]
    assert await store.remove("alpha", "MAIN")
    assert not await store.remove("alpha", "MAIN")
    clock.now += KEPT_S
    assert await store.key("alpha", "MAIN") == SHARED
    for text in ("", "short", "with a space", "sk-ünïcode-0123", "x" * 5_000, "sk-01234567\n"):
        with pytest.raises(UnfitKey, match="nothing is stored") as unfit:
            await store.add("alpha", "MAIN", text)
        assert not text or text not in str(unfit.value)
    await store.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("box = set_byte(box, 3, get_byte(box, 3) # 1)", "changed or moved"),
        ("nonce = set_byte(nonce, 3, get_byte(nonce, 3) # 1)", "changed or moved"),
        ("tenant_id = 'beta'", "changed or moved"),
        ("tenant_id = ''", "changed or moved"),
        ("master_id = 'x'", "another master key"),
    ],
)
async def test_a_row_that_somebody_changed_is_refused(change: str, said: str, tables: Settings) -> None:
    """And no other key is used in its place."""
    store = KeyStore(tables, Master(MASTER))
    await store.add("alpha", "MAIN", OWN)
    await run(tables, f"UPDATE ai_keys SET {change}")
    with pytest.raises(KeyRefused, match=said):
        await store.key("beta" if "beta" in change else "alpha", "MAIN")
    (listed,) = await store.stored()
    assert said in str(listed.flaw)
    await store.close()


async def test_without_postgresql_a_known_key_holds_for_a_while_and_an_unknown_one_is_no_key(tables: Settings) -> None:
    """The caller cannot know whether a tenant has a key of its own."""
    clock = Clock()
    store = KeyStore(tables, Master(MASTER), clock)
    await store.add("alpha", "MAIN", OWN)
    assert await store.key("alpha", "MAIN") == OWN
    postgres = tables.postgres.model_copy(update={"url": "postgresql://127.0.0.1:9/none"})
    store._settings = tables.model_copy(update={"postgres": postgres})
    await store.close()
    clock.now += STALE_S
    assert await store.key("alpha", "MAIN") == OWN
    with pytest.raises(StoreSilent, match="PostgreSQL does not tell the keys"):
        await store.key("beta", "MAIN")
    clock.now += 1
    with pytest.raises(StoreSilent):
        await store.key("alpha", "MAIN")


async def says_the_key(one: Conversation) -> None:
    """Repeat the key of the request, in an error or in an answer."""
    key = str(one.asked.headers.get("authorization") or one.asked.headers.get("x-api-key"))
    if "refused" in one.asked.model:
        await one.whole({"error": {"type": "authentication_error", "message": f"{key} is no key"}}, 401)
    else:
        await one.answer(f"your key is {key}")


async def test_no_key_appears_in_what_anybody_sees(
    tables: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a command's words, the table, a record of an attempt or of settings, or a log."""
    settings = tables.model_copy(update={"ai": AiSettings(master_key=MASTER)})
    for name, value in environment(settings).items():
        if name.startswith("TRADEWIND_"):
            monkeypatch.setenv(name, value)
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, name)
    await asyncio.to_thread(create_missing, settings, [AI_SETTINGS])
    codec = await asyncio.to_thread(open_codec, settings)
    keys = [
        {"key_id": "MAIN"},
        {"key_id": "ALPHAS", "tenant_id": "alpha"},
    ]
    model = {"name": "m", "context_tokens": 9_000}
    one = {"name": "one", "adapter": "openai", "keys": keys, "models": [model]}
    changes: Any = [*first_settings(), *read({"providers": [one]})]
    await asyncio.to_thread(apply, changes, 0, settings)
    said = []

    async def command(*arguments: str, key: str = "", code: int = 0) -> str:
        found = await asyncio.to_thread(CliRunner().invoke, group, arguments, f"{key}\n")
        said.append(f"{found.output} {found.exception!r}")
        assert found.exit_code == code, found.output
        return str(found.output)

    assert "applied again as revision 2" in await command("add", "MAIN", key=SHARED)
    assert "stored" in await command("add", "ALPHAS", "--tenant", "alpha", key=OWN)
    assert "all tenants share MAIN at one" in await command("add", "MAIN", "--tenant", "alpha", key=OWN, code=1)
    assert "nothing is stored" in await command("add", "MAIN", key="with a space", code=1)
    await command("add", LATER + "/", code=2)
    assert "ALPHAS  alpha" in await command("list")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TRADEWIND_AI__MASTER_KEY")
        listed = await command("list")
        assert "ALPHAS  alpha" in listed
        assert "sound" not in listed
        assert "there is no master key" in await command("add", "MAIN", key=SHARED, code=1)
    kind = AiCalls(Keys({}, KeyStore(settings, Master(MASTER))))
    attempts = []
    async with Provider(dict.fromkeys(("m", "refused"), says_the_key)) as provider:
        for adapter, path in (("openai", "/v1"), ("anthropic", ""), ("openai-compatible", "/v1"), ("ollama", "")):
            for model_name in ("m", "refused"):
                for key_id, key in (("MAIN", SHARED), ("ALPHAS", OWN)):
                    asked = call(adapter=adapter, model=model_name, base_url=provider.url + path, key_id=key_id)
                    attempts.append(await kind.perform(asked, Sending()))
                    headers = provider.requests[-1].headers
                    assert key in (headers.get("authorization", "") + headers.get("x-api-key", ""))
    await kind.close()
    outcomes = [attempt.outcome for attempt in attempts if isinstance(attempt, AiAttempt)]
    assert outcomes == ["OK", "OK", "BAD_KEY", "BAD_KEY"] * 4
    assert "is removed" in await command("remove", "ALPHAS", "--tenant", "alpha")
    assert "no stored key ALPHAS" in await command("remove", "ALPHAS", "--tenant", "alpha", code=1)
    rows = [tuple(row) for row in await run(settings, "SELECT * FROM ai_keys")]
    known = await asyncio.to_thread(in_force, settings, codec)
    seen = [*said, caplog.text, repr(rows), repr(attempts), repr(known), repr(settings), repr(kind.__dict__)]
    seen += [repr(codec.encode(attempt)) for attempt in attempts]
    for secret in (OWN, SHARED, MASTER.get_secret_value()):
        for at, text in enumerate(seen):
            assert secret not in text, f"a key is in {at}"
    assert LATER not in "".join(said[:4])
