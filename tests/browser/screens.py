"""Every page at both sizes, in both themes; `python -m browser.screens FOLDER [ROWS...]` in `tests` makes pictures.

Tests look at the same pages for what a program can see. People look at the pictures.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, get_args

from browser.driving import LAPTOP, PHONE, Theme, chromium, opened
from browser.stage import linked, staged
from gateway.serving import Served
from playwright.async_api import Browser, Page, expect

PAGES: Final = (
    "Flow",
    "Topics",
    "Groups",
    "Alerts",
    "Orders",
    "AI",
    "Messages",
    "Letters",
    "Transactions",
    "Balance",
    "System",
    "Trace",
    "Usage",
    "Audit",
    "Users",
    "Account",
)
THEMES: Final[tuple[Theme, ...]] = get_args(Theme)
SIZES: Final = {"laptop": LAPTOP, "phone": PHONE}
ROWS: Final = (0, 1, 500)


@asynccontextmanager
async def entered(
    browser: Browser, gateway: Served, size: tuple[int, int] = LAPTOP, theme: Theme = "light", role: str = "operator"
) -> AsyncIterator[Page]:
    """Give a page on which somebody has signed in, at the first of the pages."""
    async with opened(browser, gateway.url, size, theme) as page:
        await page.goto(linked(gateway, role))
        if role != "operator":
            await page.get_by_role("button", name="Not now").click()  # to choose a password, after a link
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        yield page


async def turn_to(page: Page, name: str) -> None:
    """Open a page by its link, and wait for what it shows."""
    if name == "Account":
        await page.locator("a.user").click()
    else:
        await page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
    await expect(page.locator("main h1")).to_be_attached()
    await expect(page.locator(".skeleton")).to_have_count(0)
    if name == "Messages":
        await page.get_by_label("Topic").fill("market.ticks")
        await page.get_by_role("button", name="Search", exact=True).click()
        await expect(page.get_by_text("./dev consume market.ticks")).to_be_visible()
    if name == "Trace":
        await page.get_by_label("Id of an order").fill("o1")
        await page.get_by_role("button", name="Trace", exact=True).click()
        await expect(page.get_by_role("heading", name="Order o1")).to_be_visible()
        await page.locator(".step").first.click()


async def shoot(folder: Path, rows: int) -> None:
    """Make the pictures of all pages with so many rows."""
    with staged(rows) as gateway:
        async with chromium() as browser:
            for kind, size in SIZES.items():
                for theme in THEMES:
                    async with entered(browser, gateway, size, theme) as page:
                        for name in PAGES:
                            await turn_to(page, name)
                            await page.screenshot(path=folder / f"{name.lower()}-{kind}-{theme}-{rows}.png")


async def main(folder: Path, rows: Sequence[int]) -> None:
    """Make all pictures."""
    for count in rows:
        await shoot(folder, count)


if __name__ == "__main__":
    given = Path(sys.argv[1])
    given.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(given, [int(text) for text in sys.argv[2:]] or ROWS))
