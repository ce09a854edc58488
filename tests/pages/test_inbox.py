"""The bell on the staff's pages: at once by the stream, by asking where there is none, on the keyboard and to the ear."""

from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from dawr.notifications import jobs
from dawr.visits import commands as visits
from tests.conftest import House
from tests.pages.conftest import Site
from tests.pages.test_consultation import AMINA, arrive

AT_ONCE = 4_000
"""Before anybody would have asked by themselves."""


async def tell_of_a_visit(house: House, patient: str, clinic: str = "lab") -> None:
    here = house.here(house.rui)
    async with here.write() as tx:
        made = await visits.create(tx, here, patient_id=UUID(patient), clinic=clinic)
    told = {"visit": str(made.visit), "type": "visit_created"}
    await jobs.visit_events(house.services, house.facility.id, [told])


@pytest.fixture
async def patient(house: House) -> str:
    return await arrive(house, AMINA)


@pytest.fixture
async def desk(site: Site) -> Page:
    """Dana at the desk of her two clinics, with an empty inbox."""
    page = await site.doctor("/desk?clinic=lab", clinics=["lab", "xray"])
    await expect(page.locator("#list-waiting h2 span")).to_have_text("1")
    await expect(page.locator("#unread")).to_be_hidden()
    return page


async def test_what_is_new_shows_at_once_and_is_said(house: House, patient: str, desk: Page) -> None:
    await tell_of_a_visit(house, patient, "xray")
    await expect(desk.locator("#unread")).to_contain_text("1", timeout=AT_ONCE)
    await expect(desk.locator("#inbox-said")).to_have_text("1 new message")
    await desk.keyboard.press("m")
    await expect(desk.locator("#inbox li")).to_contain_text("V-")
    await desk.keyboard.press("Escape")
    await expect(desk.locator("#bell")).to_be_focused()
    await expect(desk.locator("#inbox")).to_be_hidden()


async def test_without_a_stream_it_is_asked_for(site: Site, house: House, patient: str) -> None:
    page = await site.doctor("/nowhere", clinics=["lab", "xray"])
    await page.clock.install()
    await page.route("**/events/stream*", lambda route: route.abort())
    await page.goto(site.url + "/desk?clinic=lab")
    await expect(page.locator("#list-waiting h2 span")).to_have_text("1")
    await page.clock.run_for(4_000)
    await expect(page.locator("#offline")).to_be_visible()
    await tell_of_a_visit(house, patient, "xray")
    await page.clock.run_for(5_000)
    await expect(page.locator("#unread")).to_contain_text("1")
    site.forgive("404")
    site.forgive("ERR_FAILED")


async def test_every_tab_of_a_browser_hears_it_over_one_connection(house: House, patient: str, desk: Page) -> None:
    other = await desk.context.new_page()
    await other.goto(desk.url)
    await expect(other.locator("#list-waiting h2 span")).to_have_text("1")
    await tell_of_a_visit(house, patient, "xray")
    for tab in (desk, other):
        await tab.bring_to_front()
        await expect(tab.locator("#unread")).to_contain_text("1", timeout=AT_ONCE)
