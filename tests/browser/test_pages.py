"""Each page in Chromium, with none, one or many rows: nothing is cut, axe finds nothing, and the keyboard suffices."""

from __future__ import annotations

import pytest
from browser.driving import LAPTOP, PHONE, Theme, chromium, flaws, opened, violations
from browser.screens import PAGES, ROWS, SIZES, THEMES, entered, turn_to
from browser.stage import linked, staged
from playwright.async_api import Browser, Page, Route, expect

from tradewind.schemas.execution import CancelOrder, SubmitOrder
from tradewind.schemas.notifications import Alert

MANY = 40
LOOKS = [(MANY, LAPTOP, "dark"), (MANY, PHONE, "light")]
"""(rows, size, theme) that every run looks at; `-m long` looks at all of them."""
ALL = [(rows, size, theme) for rows in ROWS for size in SIZES.values() for theme in THEMES]


async def looked_at(browser: Browser, rows: int, size: tuple[int, int], theme: Theme) -> list[str]:
    """Return what is wrong with the pages."""
    found: list[str] = []
    with staged(rows) as gateway:
        async with entered(browser, gateway, size, theme) as page:
            for name in PAGES:
                await turn_to(page, name)
                where = f"{name}, {rows} rows, {size[0]} px, {theme}"
                found += [f"{where}: {flaw}" for flaw in (*await flaws(page), *await violations(page))]
    return found


@pytest.mark.parametrize(("rows", "size", "theme"), LOOKS)
async def test_pages_stand_well_and_are_accessible(rows: int, size: tuple[int, int], theme: Theme) -> None:
    """Wide and narrow, light and dark."""
    async with chromium() as browser:
        assert await looked_at(browser, rows, size, theme) == []


@pytest.mark.long
@pytest.mark.parametrize(("rows", "size", "theme"), ALL)
async def test_pages_stand_well_with_every_number_of_rows(rows: int, size: tuple[int, int], theme: Theme) -> None:
    """Up to hundreds."""
    async with chromium() as browser:
        assert await looked_at(browser, rows, size, theme) == []


async def test_a_person_finds_what_stands_by_the_keyboard_alone() -> None:
    """From the first page to a stopped reader in full, and back; and a hanging transaction names what ends it."""
    with staged(MANY) as gateway:
        async with chromium() as browser, entered(browser, gateway) as page:
            cut = "menu => menu.scrollWidth - menu.clientWidth"
            assert await page.get_by_role("navigation", name="Pages").evaluate(cut) == 0, "a link of the menu is cut"
            await tab_to(page, "Groups")
            await page.keyboard.press("Enter")
            rows = page.get_by_role("region", name="Consumer groups").locator("tbody tr")
            await expect(rows.first).to_contain_text("stopped")
            await tab_to(page, "Need a look", exact=False)
            await page.keyboard.press("Enter")
            await expect(rows.filter(has_text="keeps up")).to_have_count(0)
            name = await rows.first.get_by_role("button").inner_text()
            await tab_to(page, name)
            await page.keyboard.press("Enter")
            full = page.get_by_role("complementary", name=f"{name} in full")
            await expect(full).to_contain_text("nobody reads them")
            await expect(full).to_contain_text("./dev doctor")
            assert await violations(page) == []
            await page.keyboard.press("Escape")
            await expect(full).to_have_count(0)
            await page.goto("/transactions")
            first = page.locator("article").first
            await expect(first).to_contain_text("hangs")
            await expect(first).to_contain_text("./dev transactions abort market.ticks 3 --producer 4012")


async def test_a_person_searches_a_topic_and_sends_letters_back() -> None:
    """From a group of letters to the record; the button waits for the agent's name, and sends once."""
    with staged(MANY) as gateway:
        async with chromium() as browser, entered(browser, gateway) as page:
            await turn_to(page, "Messages")
            lines = page.locator(".hits .line")
            await expect(lines).to_have_count(MANY)
            await lines.first.click()
            await expect(page.locator(".hits pre")).to_contain_text(f'"seq": "{2**60}"')
            await page.get_by_label("Filter").fill("prise > 1")
            await page.get_by_role("button", name="Search", exact=True).click()
            await expect(page.get_by_role("alert")).to_contain_text("No field is called 'prise'")
            assert await violations(page) == []
            await turn_to(page, "Letters")
            await page.get_by_role("button", name="execution").first.click()
            send = page.get_by_role("button", name="Send 12")
            await expect(send).to_be_disabled()
            assert await violations(page) == []
            await page.get_by_label("Type execution to send").fill("executio")
            await expect(send).to_be_disabled()
            await page.get_by_label("Type execution to send").fill("execution")
            await send.click()
            await expect(page.get_by_role("status").filter(has_text="12 letters were sent")).to_be_visible()
            await expect(send).to_have_count(0)
            assert gateway.gateway.letters.sent == 12  # type: ignore[attr-defined] # of the stage


async def test_a_person_reads_alerts_and_the_log_of_what_stands() -> None:
    """From the alert that holds to the process, why it is not ready, and the lines of its log."""
    with staged(MANY) as gateway:
        async with chromium() as browser, entered(browser, gateway) as page:
            await turn_to(page, "Alerts")
            first = page.locator("article").first
            await expect(first).to_contain_text("WATCHDOG_POSITION")
            await expect(first).to_contain_text("holds")
            await first.get_by_role("button", name="I look into WATCHDOG_POSITION").click()
            await first.get_by_label("Note").fill("it restores")
            await first.get_by_role("button", name="Say so").click()
            await expect(first.get_by_label("Note")).to_have_count(0)
            assert [alert.message.endswith(": it restores") for alert in gateway.stores.of(Alert)] == [True]
            await page.get_by_role("button", name="Over", exact=True).click()
            await expect(page.locator("article").first).to_contain_text("over")
            await page.get_by_label("Find an alert").fill("no such thing")
            await expect(page.get_by_text("No such alert.")).to_be_visible()
            await turn_to(page, "System")
            rows = page.get_by_role("region", name="Services and processes").locator("tbody tr")
            await expect(rows.first).to_contain_text("questdb")
            await page.get_by_role("button", name="decisions").click()
            full = page.get_by_role("complementary", name="decisions in full")
            await expect(full).to_contain_text("risk restores partition 3")
            await full.get_by_label("Find in the log").fill("09:00:01")
            await expect(full.locator("pre")).to_have_text("2026-11-30 09:00:01 INFO decisions: took 311 records")
            assert await violations(page) == []


async def test_a_page_says_why_it_has_no_numbers_and_who_may_not_see_it() -> None:
    """What the gateway answers stands on the page; a tenant's user has no link to a page of the platform."""
    with staged(MANY) as gateway:
        async with chromium() as browser, entered(browser, gateway, role="viewer") as page:
            await expect(page.get_by_role("link", name="Topics")).to_be_visible()
            await expect(page.get_by_role("link", name="Transactions")).to_have_count(0)
            await turn_to(page, "Orders")
            await expect(page.get_by_text("You are signed in as viewer")).to_be_visible()
            await expect(page.get_by_role("region", name="Open orders").locator("tbody tr")).to_have_count(
                2 * MANY // 5
            )
            await expect(page.locator("form")).to_have_count(0)
            await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
            gateway.gateway.inventory.last = None
            await turn_to_trouble(page, "Topics")
            await expect(page.get_by_role("status").filter(has_text="not been asked yet")).to_be_visible()
            await page.route("**/api/v1/streams/groups", lambda route: route.abort())
            await turn_to_trouble(page, "Groups")
            await expect(page.get_by_role("alert")).to_contain_text("./dev status")
            assert await violations(page) == []


async def test_a_person_over_a_network_chooses_a_password_and_adds_a_second_factor() -> None:
    """After the first link, before any page; from then on both are asked for, and what is wrong is told."""
    with staged(1) as gateway:
        async with chromium() as browser, opened(browser, gateway.url, PHONE, "dark") as page:
            await page.set_extra_http_headers({"X-Forwarded-For": "203.0.113.7"})  # as a proxy says it
            await page.goto(linked(gateway, "viewer"))
            await expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
            assert [*await violations(page), *await flaws(page)] == []
            await page.get_by_label("Password").fill("a horse and 3 sails")
            await page.get_by_role("button", name="Set the password").click()
            await expect(page.get_by_role("img", name="QR code")).to_be_visible()
            assert [*await violations(page), *await flaws(page)] == []
            await page.get_by_label("Code").fill("000000")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("alert")).to_contain_text("This code is another")
            await page.get_by_label("Code").fill("123456")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("list", name="Recovery codes").get_by_role("listitem")).to_have_count(10)
            assert [*await violations(page), *await flaws(page)] == []
            await page.get_by_role("button", name="I have kept them").click()
            await page.get_by_role("button", name="Sign out").click()
            assert gateway.logins.set == ["a horse and 3 sails"]
            gateway.logins.passwords["viewer"] = gateway.logins.set[0]
            assert [*await violations(page), *await flaws(page)] == []
            await page.get_by_label("Name").fill("viewer")
            await page.get_by_label("Password").fill("another")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("alert")).to_contain_text("another password")
            await page.get_by_label("Password").fill("a horse and 3 sails")
            await page.keyboard.press("Enter")
            await expect(page.get_by_label("Code")).to_be_focused()
            assert [*await violations(page), *await flaws(page)] == []
            await page.keyboard.type("123456")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
            assert "sails" not in page.url


async def turn_to_trouble(page: Page, name: str) -> None:
    """Open a page that will have no rows."""
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()


async def tab_to(page: Page, name: str, *, exact: bool = True) -> None:
    """Press Tab until something of a name has the focus."""
    for _ in range(200):
        await page.keyboard.press("Tab")
        found = await page.evaluate("document.activeElement.innerText ?? ''")
        if found == name if exact else name in found:
            return
    pytest.fail(f"Tab never comes to {name}")


async def test_an_owner_resets_a_user_and_ends_a_session() -> None:
    """A reset is asked once more, and shows the link; a session of another browser ends from the list."""
    with staged(MANY) as gateway:
        async with chromium() as browser, entered(browser, gateway) as page:
            await turn_to(page, "Users")
            await page.get_by_role("button", name="New user").press("Enter")
            new = page.get_by_role("complementary", name="New user in full")
            await new.get_by_role("textbox", name="Name").fill("ada")
            await new.get_by_role("textbox", name="Tenant").fill("alpha")
            await page.keyboard.press("Enter")
            await expect(new.get_by_role("alert")).to_contain_text("There is a user ada")
            await expect(new.get_by_role("textbox", name="Name")).to_be_focused()
            assert await violations(page) == []
            await new.get_by_role("textbox", name="Name").fill("ben")
            await page.keyboard.press("Enter")
            await expect(new.get_by_role("status")).to_contain_text("ben signs in by this link, once")
            assert gateway.people.done.pop()[:4] == ("add", "ben", "trader", "alpha")
            await page.get_by_role("button", name="ada", exact=True).click()
            full = page.get_by_role("complementary", name="ada in full")
            await full.get_by_role("button", name="Reset", exact=True).click()
            await full.get_by_role("button", name="Yes, reset").click()
            await expect(full.get_by_role("status")).to_contain_text("once, within an hour")
            await expect(full.get_by_text(f"{gateway.url}/login#{'l' * 43}")).to_be_visible()
            await full.get_by_role("button", name="Disable", exact=True).click()
            await full.get_by_role("button", name="Yes, disable").click()
            await expect(full).to_contain_text("disabled")
            assert await violations(page) == []
            await turn_to(page, "Account")
            rows = page.get_by_role("region", name="Sessions").locator("tbody tr")
            await expect(rows).to_have_count(MANY)
            await page.get_by_role("button", name="End the session of ada, Safari on iPhone").first.click()
            await expect(rows).to_have_count(MANY - 1)
            assert [one[0] for one in gateway.people.done] == ["reset", "disable", "end"]


async def test_a_trader_orders_by_the_keyboard_and_a_lost_answer_makes_no_second_order() -> None:
    """What is wrong is said at its field; after a reload the same key is sent; denials and cancels say what to do."""
    with staged(MANY) as gateway:
        async with chromium() as browser, entered(browser, gateway, role="trader") as page:
            await turn_to(page, "Orders")
            quantity = page.get_by_label("Quantity, units")
            await expect(page.get_by_label("Quote")).to_contain_text("1.17421")
            await quantity.focus()
            await page.keyboard.type("1500")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("alert")).to_contain_text("Order 1000 or 2000")
            await expect(quantity).to_be_focused()
            assert await quantity.get_attribute("aria-invalid") == "true"
            assert await violations(page) == []

            async def lose(route: Route) -> None:
                await route.fetch()
                await route.abort()

            await page.route("**/orders/create", lose, times=1)
            await page.keyboard.press("Control+A")
            await page.keyboard.type("2000")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("alert")).to_contain_text("Nobody knows yet")
            await expect(page.get_by_role("button", name="Ask again")).to_be_focused()
            assert await violations(page) == []
            await page.reload()
            await expect(page.get_by_role("alert")).to_contain_text("Buy 2,000 EURUSD.OANDA at the market, for main")
            await page.get_by_role("button", name="Ask again").press("Enter")
            told = page.get_by_role("region", name="Order ticket")
            await expect(told).to_contain_text("You saw 1.17421 / 1.17433")
            await expect(told).to_contain_text("MAX_POSITION")
            await expect(told).to_contain_text("Order less")
            assert await violations(page) == []
            (command,) = gateway.stores.of(SubmitOrder)
            assert (command.side, command.quantity, command.account_id) == ("BUY", 2_000, "main")
            await page.get_by_role("button", name="Another order").press("Enter")
            await expect(quantity).to_be_focused()

            rows = page.get_by_role("region", name="Open orders").locator("tbody tr")
            await expect(rows).to_have_count(2 * MANY // 5)
            gateway.gateway.reads.states |= {"o38": "FILLED", "o36": "ACCEPTED"}  # type: ignore[attr-defined] # of the stage
            await rows.nth(0).get_by_role("button").press("Enter")
            await expect(page.get_by_role("alert")).to_contain_text("Order o38 is FILLED")
            await page.route(
                "**/executions/cancel", lambda route: route.continue_(headers={**route.request.headers, "prefer": ""})
            )
            await rows.nth(1).get_by_role("button").press("Enter")
            await expect(page.get_by_role("status").filter(has_text="the cancel was taken")).to_be_visible()
            assert [one.order_id for one in gateway.stores.of(CancelOrder)] == ["o36"]
            await rows.nth(1).get_by_role("link").press("Enter")
            await expect(page.get_by_role("heading", name="Order o36")).to_be_visible()


async def test_an_analyst_asks_a_model_and_sees_what_it_took() -> None:
    """Answer, model, tokens, cost and attempts; a refusal with what to do; and the model whose breaker is open."""
    with staged(MANY) as gateway:
        async with chromium() as browser, entered(browser, gateway, role="analyst") as page:
            await turn_to(page, "AI")
            rows = page.get_by_role("region", name="Models").locator("tbody tr")
            await expect(rows.filter(has_text="paper-2")).to_contain_text("open")
            await expect(rows.filter(has_text="paper-1")).to_contain_text("closed")
            await page.get_by_label("Question").fill("calm is EURUSD")
            await tab_to(page, "Ask")
            await page.keyboard.press("Enter")
            asking = page.get_by_role("region", name="Ask a model")
            await expect(asking.get_by_role("status")).to_contain_text("EURUSD is calm")
            for told in ("paper/paper-1", "15 in, 5 out", "0.000021 USD", "1, within"):
                await expect(asking).to_contain_text(told)
            assert [*await violations(page), *await flaws(page)] == []
            await page.get_by_label("Question").fill("BUDGET")
            await page.get_by_role("button", name="Ask", exact=True).press("Enter")
            await expect(asking.get_by_role("alert")).to_contain_text("BUDGET in words")
            assert await violations(page) == []
