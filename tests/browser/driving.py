"""A browser for tests: the Chromium of the system, driven by playwright, and what is asked of every page in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal, TypeAlias

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, async_playwright, expect

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
Theme: TypeAlias = Literal["light", "dark"]
LAPTOP, PHONE = (1366, 768), (390, 844)
ANSWER_MS: Final = 20_000
"""How long a page may take to show something on a machine that is busy with other tests."""
expect.set_options(timeout=ANSWER_MS)
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FLAWS: Final = (Path(__file__).parent / "flaws.js").read_text("utf-8")
"""What is wrong with how a page stands in its window: wider than it, text that is cut without saying the whole."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Give a browser; fails the test where the system has none."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("there is no Chromium: install the system's, such as by `apt-get install chromium`")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(
    browser: Browser, url: str, size: tuple[int, int] = LAPTOP, theme: Theme = "light"
) -> AsyncIterator[Page]:
    """Give a page that a person has just opened, in a session of its own; fails if the page logs an error."""
    context = await browser.new_context(
        base_url=url, viewport={"width": size[0], "height": size[1]}, color_scheme=theme, reduced_motion="reduce"
    )
    context.set_default_timeout(ANSWER_MS)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    assert not errors


async def violations(page: Page) -> list[str]:
    """Return what axe finds: the rule, and the elements that break it."""
    await page.evaluate(AXE_SCRIPT)
    options = json.dumps({"runOnly": RULES, "resultTypes": ["violations"]})
    found = await page.evaluate(f"() => axe.run({options})")
    return [
        f"{rule['id']}: {'; '.join(node['html'][:160] for node in rule['nodes'][:5])}" for rule in found["violations"]
    ]


async def flaws(page: Page) -> list[str]:
    """Return what stands badly: beyond the window, or cut."""
    return list(await page.evaluate(FLAWS))
