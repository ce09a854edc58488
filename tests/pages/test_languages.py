"""Every page in every language: readable by reading aids, in the right direction, on the narrowest phone."""

import re

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page, ViewportSize, expect

from dawr.accounts.rules import Role
from tests.pages.conftest import LAPTOP, PHONE, WALL, Site, act, enter

LANGUAGES = ("ar", "en", "hi")
SCRIPTS = {"ar": r"[\u0600-\u06ff]", "en": r"[A-Za-z]", "hi": r"[\u0900-\u097f]"}
PAGES = ("/", "/c/lab", "/desk", "/board", "/board?clinic=lab", "/nowhere")
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


async def check(page: Page, lang: str) -> None:
    """Direction, language, accessibility, nothing wider than the screen, and a heading in the reader's own script."""
    html = page.locator("html")
    await expect(html).to_have_attribute("lang", lang)
    await expect(html).to_have_attribute("dir", "rtl" if lang == "ar" else "ltr")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    text = await page.inner_text("main")
    assert re.search(SCRIPTS[lang], text), text
    results = await Axe().run(page, options=AXE)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_pages_for_everybody(site: Site, lang: str) -> None:
    page = await site.visit("/", lang)
    for path in PAGES:
        await page.set_viewport_size(WALL if "board" in path else PHONE)
        await page.goto(site.url + path)
        await check(page, lang)
    site.forgive("404")


@pytest.mark.parametrize(("lang", "scheme"), [("ar", "light"), ("en", "dark"), ("hi", "light")])
async def test_a_ticket_in_its_states(site: Site, reception: httpx2.AsyncClient, lang: str, scheme: str) -> None:
    ticket = await enter(reception, "amina")
    page = await site.visit(ticket["follow"], lang, color_scheme=scheme, reduced_motion="reduce")
    await check(page, lang)
    await act(reception, "call", ticket=ticket["ticket"], desk="1")
    await expect(page.locator("#goto")).to_be_visible()
    await page.click("#cancel summary")
    await check(page, lang)


@pytest.mark.parametrize(
    ("lang", "scheme", "size"), [("ar", "light", PHONE), ("en", "dark", LAPTOP), ("hi", "light", PHONE)]
)
async def test_the_desk(site: Site, reception: httpx2.AsyncClient, lang: str, scheme: str, size: ViewportSize) -> None:
    for user in ("first", "second"):
        await enter(reception, user, name="أمينة")
    await act(reception, "call", clinic="lab", desk="1")
    page = await site.desk(Role.RECEPTION, lang, size=size, color_scheme=scheme)
    await page.click("#list-waiting .row summary")
    await check(page, lang)
    await page.click("#list-waiting [data-verb=transfer]")
    await check(page, lang)


async def test_a_chosen_language_is_remembered(site: Site) -> None:
    page = await site.visit("/c/lab", "en")
    await page.click(".languages a[lang=hi]")
    await expect(page.locator("html")).to_have_attribute("lang", "hi")
    await page.goto(site.url + "/board?clinic=lab")
    await expect(page.locator("html")).to_have_attribute("lang", "hi")
    await page.click(".languages a[lang=ar]")
    assert page.url.endswith("/board?clinic=lab&lang=ar")


async def test_who_wishes_no_language_of_ours_gets_the_facilitys_first(site: Site) -> None:
    page = await site.visit("/", "fr")
    await expect(page.locator("html")).to_have_attribute("lang", "ar")


async def test_the_first_stop_of_the_keyboard_leads_to_the_content(site: Site) -> None:
    page = await site.visit("/c/lab")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
