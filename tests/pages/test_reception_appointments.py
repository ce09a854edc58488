"""Appointments at reception: moving, cancelling and taking that back, other days, the waiting list."""

import pytest
from playwright.async_api import Page, ViewportSize, expect

from tests.appointments.conftest import Practice, at, daily
from tests.conftest import House
from tests.pages.conftest import LAPTOP, PHONE, Site
from tests.pages.test_languages import check
from tests.pages.test_reception import choose, open_page


@pytest.fixture
async def practice(house: House) -> Practice:
    """Dana's, open on every day, at nine."""
    found = Practice(house)
    found.set_clock("09:00")
    await found.hours()
    return found


async def step(page: Page, verb: str, within: str = "#appointments") -> None:
    await page.click(f"{within} [data-verb={verb}]")


async def test_an_appointment_is_moved_to_another_slot(site: Site, practice: Practice) -> None:
    booked = await practice.book("10:00")
    page = await open_page(site)
    await step(page, "reschedule")
    await page.check("#move-slots input >> nth=8")
    start = await page.locator("#move-slots input:checked").get_attribute("value")
    await page.click("#move-form .primary")
    await expect(page.locator("#said")).to_contain_text("Booked:")
    await expect(page.locator("#move")).to_be_hidden()
    assert (await practice.now(booked)).starts == at((start or "")[11:16])


async def test_a_cancelled_appointment_is_booked_again_while_its_slot_is_free(site: Site, practice: Practice) -> None:
    booked = await practice.book("10:00")
    page = await open_page(site)
    await step(page, "cancel")
    await expect(page.locator("#appointments [data-status=cancelled]")).to_have_count(1)
    await page.click("#said-undo")
    await expect(page.locator("#appointments [data-status=booked]")).to_contain_text("Amina")
    assert (await practice.now(booked)).status == "cancelled"


async def test_a_day_without_free_slots_leads_to_the_next_that_has_some(site: Site, practice: Practice) -> None:
    await practice.hours(daily("10:00", "10:15"))
    await practice.book("10:00")
    await practice.patient("Zubaida")
    page = await open_page(site)
    await choose(page, "zubaida")
    await page.click("#booking summary")
    await page.select_option("#book-doctor", "dana")
    await expect(page.locator("#book-none")).to_be_visible()
    await page.click("#book-next")
    await expect(page.locator("#book-date")).to_have_value("2031-03-04")
    await page.check("#book-slots input")
    await page.click("#book-form .primary")
    await expect(page.locator("#said")).to_contain_text("Mar 4, 2031")
    await page.fill("#appointments-day", "2031-03-04")
    await expect(page.locator("#appointments li")).to_contain_text("Zubaida")
    await expect(page.locator("#appointments [data-verb=check_in]")).to_have_count(0)


async def test_what_needs_rebooking_is_found_and_the_patients_own_are_at_hand(site: Site, practice: Practice) -> None:
    await practice.book("10:00")
    await practice.leave("09:30", "11:00")
    await practice.book("12:00", patient=await practice.patient("Zubaida"))
    page = await open_page(site)
    await expect(page.locator("#appointments li")).to_have_count(2)
    await page.select_option("#appointments-status", "needs_rebooking")
    await expect(page.locator("#appointments li")).to_have_count(1)
    await choose(page, "zubaida")
    await page.click("#trail > summary")
    await step(page, "cancel", "#entries")
    await expect(page.locator("#said")).to_contain_text("is cancelled")


async def test_who_waits_is_offered_what_is_free(site: Site, practice: Practice) -> None:
    await practice.patient("Zubaida")
    page = await open_page(site)
    await choose(page, "zubaida")
    await page.click("#booking summary")
    await page.select_option("#book-doctor", "dana")
    await page.click("#book-form [value=wait]")
    await expect(page.locator("#waiting li")).to_contain_text("offered: Mar 3, 2031")
    await step(page, "accept", "#waiting")
    await expect(page.locator("#waiting li")).to_have_count(0)
    await expect(page.locator("#appointments [data-status=booked]")).to_contain_text("Zubaida")


async def test_who_waits_for_some_days_is_offered_none_of_the_others(site: Site, practice: Practice) -> None:
    await practice.patient("Zubaida")
    page = await open_page(site)
    await choose(page, "zubaida")
    await page.click("#booking summary")
    await page.select_option("#book-doctor", "dana")
    await page.fill("#book-from", "2031-03-06")
    await page.fill("#book-until", "2031-03-05")
    await page.click("#book-form [value=wait]")
    await expect(page.locator("#book-until-mistake")).to_have_text("The end lies before the start")
    await page.fill("#book-until", "2031-03-07")
    await page.click("#book-form [value=wait]")
    await expect(page.locator("#waiting li")).to_contain_text("offered: Mar 6, 2031")
    await expect(page.locator("#waiting li")).to_contain_text("only from Mar 6, 2031 until Mar 7, 2031")
    site.forgive("422")


@pytest.mark.parametrize("lang", ["ar", "en", "hi"])
async def test_the_days_of_a_waiting_list_on_a_phone(site: Site, practice: Practice, lang: str) -> None:
    await practice.wait(await practice.patient("Zubaida"), latest=at("20:00"))
    page = await open_page(site, lang, size=PHONE, reduced_motion="reduce")
    await expect(page.locator("#waiting li")).to_contain_text("2031")
    await choose(page, "Zubaida")
    await page.click("#booking summary")
    await expect(page.locator("#book-from")).to_be_visible()
    await check(page, lang)


@pytest.mark.parametrize(("lang", "size"), [("ar", PHONE), ("en", LAPTOP)])
async def test_moving_in_other_languages_on_other_screens(
    site: Site, practice: Practice, lang: str, size: ViewportSize
) -> None:
    await practice.book("10:00")
    await practice.wait(await practice.patient("أمينة"))
    page = await open_page(site, lang, size=size, reduced_motion="reduce")
    await expect(page.locator("#waiting li")).to_have_count(1)
    await check(page, lang)
    await step(page, "reschedule")
    await expect(page.locator("#move-slots input").first).to_be_attached()
    await check(page, lang)
