"""The wall screen: called numbers, live, with and without somebody signed in."""

import httpx2
import pytest
from playwright.async_api import expect

from dawr.accounts.rules import Role
from tests.pages.conftest import PHONE, WALL, Site, act, enter, sign_in


@pytest.fixture
async def three(reception: httpx2.AsyncClient) -> None:
    """Three people wait in the lab, one in front of the X-ray."""
    for user in ("first", "second", "third"):
        await enter(reception, user)
    await enter(reception, "first", "xray")


@pytest.mark.usefixtures("three")
async def test_a_clinics_screen_shows_who_is_called(site: Site, reception: httpx2.AsyncClient) -> None:
    page = await site.visit("/board?clinic=lab", size=WALL)
    await expect(page.locator("#latest-number")).to_have_text("Nobody has been called yet")
    await act(reception, "call", clinic="lab", desk="2")
    await expect(page.locator("#latest-number")).to_have_text("LAB-001")
    await expect(page.locator("#latest-to")).to_have_text("Desk 2")
    await expect(page.locator("#latest")).to_have_class("latest only fresh")
    await act(reception, "call", clinic="lab", desk="1")
    await expect(page.locator("#latest-number")).to_have_text("LAB-002")
    await expect(page.locator("#calls li")).to_have_text(["LAB-001Desk 2"])
    await expect(page.locator("#next")).to_have_text("LAB-003")
    await expect(page.locator("#count")).to_have_text("1 waiting")


@pytest.mark.usefixtures("three")
async def test_who_goes_in_leaves_the_screen(site: Site, reception: httpx2.AsyncClient) -> None:
    first = await act(reception, "call", clinic="lab", desk="1")
    page = await site.visit("/board?clinic=lab")
    await expect(page.locator("#latest-number")).to_have_text("LAB-001")
    await act(reception, "serve", ticket=first["ticket"])
    await expect(page.locator("#latest-number")).to_have_text("Nobody has been called yet")


@pytest.mark.usefixtures("three")
async def test_a_recall_comes_to_the_front_again(site: Site, reception: httpx2.AsyncClient) -> None:
    first = await act(reception, "call", clinic="lab", desk="1")
    page = await site.visit("/board?clinic=lab")
    await expect(page.locator("#latest-number")).to_have_text("LAB-001")
    await act(reception, "call", clinic="lab", desk="2")
    await expect(page.locator("#latest-number")).to_have_text("LAB-002")
    await act(reception, "recall", ticket=first["ticket"])
    await expect(page.locator("#latest-number")).to_have_text("LAB-001")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("signed_in", [True, False])
async def test_the_screen_of_all_clinics(site: Site, reception: httpx2.AsyncClient, signed_in: bool) -> None:
    page = await site.visit("/desk", size=WALL)
    if signed_in:
        await sign_in(page, await site.hire(Role.DISPLAY))
        await expect(page.locator(".who")).to_be_visible()
    await page.goto(site.url + "/board")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for clinic, code in (("lab", "LAB-001"), ("xray", "XR-001")):
        await act(reception, "call", clinic=clinic, desk="1")
        await expect(page.locator(f"[data-clinic={clinic}] li")).to_have_text([f"{code}Desk 1"])
        await expect(page.locator("#latest-number")).to_have_text(code)
    assert any("/board/queues" in url for url in asked) is not signed_in


@pytest.mark.usefixtures("three")
async def test_a_screen_switched_on_late_shows_the_latest_call(site: Site, reception: httpx2.AsyncClient) -> None:
    for clinic in ("xray", "lab"):
        await act(reception, "call", clinic=clinic, desk="1")
    page = await site.visit("/board")
    await expect(page.locator("#latest-number")).to_have_text("LAB-001")
    await expect(page.locator("#latest-of")).to_have_text("Lab")


@pytest.mark.parametrize("path", ["/board", "/board?clinic=lab"])
async def test_a_phone_shows_the_screen_too(site: Site, path: str) -> None:
    page = await site.visit(path, size=PHONE)
    await expect(page.locator("#latest-number")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_an_unknown_clinic_has_no_screen(site: Site) -> None:
    page = await site.visit("/board?clinic=nowhere")
    await expect(page.locator("h1")).to_have_text("There is no such clinic")
    site.forgive("404")


async def test_a_lost_connection_is_said_across_the_screen(site: Site) -> None:
    page = await site.visit("/board?clinic=lab", size=WALL)
    await page.context.set_offline(True)
    await expect(page.locator("#offline")).to_be_visible()
    await page.context.set_offline(False)
    await expect(page.locator("#offline")).to_be_hidden()
    site.faults.clear()


async def test_the_sound_is_offered_until_it_is_on(site: Site) -> None:
    page = await site.visit("/board?clinic=lab", size=WALL)
    await page.click("#sound")
    await expect(page.locator("#sound")).to_be_hidden()
