"""A person opens a one-time link, sees what flows, and signs out. A real gateway, Kafka and Chromium."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from browser.driving import chromium, flaws, opened, violations
from browser.screens import turn_to
from gateway.serving import answering
from playwright.async_api import expect

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.gateway.auth.audits import TERMINAL
from tradewind.connectors.gateway.auth.people import People
from tradewind.connectors.gateway.auth.store import Store
from tradewind.connectors.gateway.gateway import Gateway, make_gateway
from tradewind.connectors.kafka import consume, publish
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import PostgresSettings, Settings
from tradewind.infra.cli.processes.gateway import declared_of, link_to
from tradewind.schemas.market import Tick
from tradewind.schemas.tenancy import AuditEvent
from tradewind.topics import AUDIT, TICKS

TICKS_A_TIME = 200
PAUSE_S = 0.5
FLOWS = re.compile(r"^[1-9]")
"""A rate that is not 0."""


@pytest.fixture
def url(settings: Settings, database: PostgresSettings) -> Iterator[str]:
    """Serve the gateway of a namespace that has the topic of ticks and the tables of users; give its address."""
    migrate(settings)
    ensure(settings, (TICKS, AUDIT))
    codec, declared = open_codec(settings), declared_of(settings)

    def make() -> Gateway:
        return make_gateway(settings, codec, declared)

    with answering(make) as (port, _, _):
        yield f"http://127.0.0.1:{port}"


async def quotes(settings: Settings) -> None:
    """Publish ticks until cancelled."""
    for first in itertools.count(step=TICKS_A_TIME):
        now = clock_us()
        ticks = [
            Tick(symbol="EURUSD", venue="SIM", seq=first + at, ts_event=now + at, bid=1.1, ask=1.2)
            for at in range(TICKS_A_TIME)
        ]
        await asyncio.to_thread(publish, TICKS, ticks, settings)
        await asyncio.sleep(PAUSE_S)


async def test_a_person_signs_in_by_a_link_and_sees_ticks_move(url: str, settings: Settings) -> None:
    """The link is good once; the rate follows the records; a reload keeps the session, and signing out ends it."""
    store = Store(settings)
    link = link_to(url, await store.new_link(await store.ensure_operator()))
    async with chromium() as browser, opened(browser, url) as page:
        await page.goto("/")
        await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        assert await violations(page) == []
        await page.goto(link)
        rate = page.locator(".tile", has_text="Ticks").locator("dd")
        await expect(rate).to_have_text("0/s")
        publishing = asyncio.create_task(quotes(settings))
        try:
            await expect(rate).to_have_text(FLOWS)
            await page.reload()
            await expect(rate).to_have_text(FLOWS)
        finally:
            publishing.cancel()
        assert await violations(page) == []
        assert await flaws(page) == []
        await turn_to(page, "Topics")
        ticks = page.get_by_role("row").filter(has_text="market.ticks")
        await expect(ticks.get_by_role("cell").nth(3)).to_have_text(re.compile("[KM]iB"))
        await expect(ticks.get_by_role("cell").nth(5)).to_have_text(re.compile("now|ago"))
        await turn_to(page, "Groups")
        market = page.get_by_role("row").filter(has_text="questdb")
        await expect(market).to_contain_text("unknown")  # no agent has ever read here, which is not a lag of 0
        assert "#" not in page.url, "the code does not stay in the history"
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Sign in by a link").click()
        await page.get_by_label("Link").fill(link)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("used before")
        people = People(store)
        await page.goto(link_to(url, await people.link(TERMINAL, "operator")))
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        await people.reset(TERMINAL, "operator", None)  # as from another process
        await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    await store.close()
    login, user = "POST auth/login", "POST users/{name}"
    assert await audited(settings, 5) == {
        (login, "CHANGED", ""): 2,
        (login, "REFUSED", "LINK_INVALID"): 1,
        (f"{user}/link", "CHANGED", ""): 1,
        (f"{user}/reset", "CHANGED", ""): 1,
    }


async def audited(settings: Settings, count: int) -> Counter[tuple[str, str, str]]:
    """Return the audit events that are on Kafka, once there are so many: the gateway sends them after a second."""
    for _ in range(20):
        found = [record.event for record in await asyncio.to_thread(lambda: list(consume(AUDIT, settings=settings)))]
        if len(found) >= count:
            break
        await asyncio.sleep(PAUSE_S)
    return Counter((one.action, one.outcome, one.code) for one in found if isinstance(one, AuditEvent))
