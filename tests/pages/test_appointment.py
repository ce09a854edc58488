"""The patient's page of an appointment: all of it but the messages to a browser works without a script."""

from datetime import timedelta

import httpx2
import pytest
from playwright.async_api import Page, expect

from dawr.accounts.rules import SYSTEM
from dawr.appointments import commands, queries
from dawr.appointments.rules import Appointment, Status
from dawr.notifications import store_channels
from dawr.platform.i18n import LANGUAGES
from dawr.web.assets import FOLDER
from tests.appointments.conftest import MONDAY, Practice, daily
from tests.conftest import Live, found_house
from tests.pages.conftest import Site
from tests.pages.test_delivery import FIRST_PAGE_BYTES
from tests.pages.test_languages import check
from tests.pages.test_push import opened as push_page
from tests.pages.test_push import subscribed


@pytest.fixture
async def practice(site: Site) -> Practice:
    made = Practice(site.house)
    made.set_clock("08:00")
    await made.hours(daily("09:00", "11:00"))
    return made


def follow(practice: Practice, one: Appointment) -> str:
    return queries.follow_of(practice.house.here(), one.appointment)


async def opened(site: Site, practice: Practice, one: Appointment, lang: str = "en") -> Page:
    return await site.visit(follow(practice, one), lang)


async def test_it_shows_who_where_and_when(site: Site, practice: Practice) -> None:
    page = await opened(site, practice, await practice.book("10:00"))
    shown = page.locator(".figures")
    for text in ("Monday, March 3, 2031", "10:00", "Dana", "Lab"):
        await expect(shown).to_contain_text(text)
    assert await page.locator("script").count() == 0


async def test_a_browser_is_told_about_it_on_request(site: Site, practice: Practice) -> None:
    async with site.house.here().write() as tx:
        settings = {"contact": "mailto:it@example.org"}
        await store_channels.save(tx, site.house.services.keyring, SYSTEM, "push", settings)
    one = await practice.book("10:00")
    page = await push_page(site, {"follow": follow(practice, one)})
    button = page.locator("#push button")
    await expect(button).to_have_text("Remind me on this device")
    await button.click()
    await expect(page.locator("#push p")).to_contain_text("We tell you on this device")
    assert await subscribed(site) == 1
    await page.reload()
    await expect(button).to_have_text("Tell me no more")
    await button.click()
    await expect(button).to_have_text("Remind me on this device")
    assert await subscribed(site) == 0
    await practice.step(commands.cancel, one)
    await page.reload()
    assert await page.locator("#push").count() == 0


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_it_is_for_everybody(site: Site, practice: Practice, lang: str) -> None:
    await practice.book("09:15")
    page = await opened(site, practice, await practice.book("10:00"), lang)
    await check(page, lang)
    await page.click("main .actions a")
    await check(page, lang)
    style = (FOLDER / "dawr.css").stat().st_size
    assert len((await page.content()).encode()) + style < FIRST_PAGE_BYTES


async def test_another_time_is_chosen_by_keyboard(site: Site, practice: Practice) -> None:
    one = await practice.book("10:00")
    page = await opened(site, practice, one)
    await page.get_by_role("link", name="Choose another time").click()
    await page.locator(".days a").nth(1).click()
    await page.focus(".times input >> nth=0")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(page.locator(".figures")).to_contain_text("Tuesday, March 4, 2031")
    assert (await practice.now(one)).starts == one.starts + timedelta(hours=23, minutes=15)


async def test_a_time_that_somebody_else_took_is_said_and_the_rest_shown(site: Site, practice: Practice) -> None:
    page = await opened(site, practice, await practice.book("10:00"))
    await page.get_by_role("link", name="Choose another time").click()
    await practice.book("09:00")
    await page.locator(".times label").first.click()
    await page.click("main form button")
    await expect(page.get_by_role("alert")).to_have_text("This slot is taken")
    await expect(page.locator(".times label").first).to_have_text("9:15\u202fAM")
    site.forgive("409")


async def test_it_is_cancelled_after_a_question(site: Site, practice: Practice) -> None:
    one = await practice.book("10:00")
    page = await opened(site, practice, one)
    await page.click(".question summary")
    await page.click(".question button")
    await expect(page.locator("h1")).to_have_text("Your appointment is cancelled")
    assert (await practice.now(one)).status is Status.CANCELLED
    await expect(page.locator("main form")).to_have_count(0)


async def test_an_earlier_time_is_waited_for_offered_and_taken(site: Site, practice: Practice) -> None:
    one = await practice.book("10:30")
    page = await opened(site, practice, one)
    await page.get_by_role("button", name="Put me on the list").click()
    await page.get_by_role("link", name="Look at it").click()
    await expect(page.locator("h1")).to_have_text("An earlier appointment is free")
    await page.get_by_role("button", name="Yes, take this time").click()
    await expect(page.locator("h1")).to_have_text("Your appointment is booked")
    assert (await practice.now(one)).status is Status.CANCELLED


async def test_check_in_opens_two_hours_before_and_leads_to_the_ticket(site: Site, practice: Practice) -> None:
    one = await practice.book("10:30")
    page = await opened(site, practice, one)
    await expect(page.locator(".notice")).to_contain_text("from Mon, Mar 3, 8:30")
    practice.set_clock("08:31")
    await page.reload()
    await page.get_by_role("button", name="I am here: check in").click()
    await expect(page.locator("#ticket .code")).to_have_text("LAB-001")
    await page.goto(site.url + follow(practice, one))
    await page.get_by_role("link", name="To my ticket").click()
    await expect(page.locator("#ticket")).to_be_visible()


async def test_the_address_is_kept_secret_and_dies(live: Live, practice: Practice) -> None:
    one = await practice.book("10:00")
    elsewhere = await found_house(live.services)
    async with live.client() as client:
        # The address names another facility: it leads to where it belongs.
        wrong = f"/f/{elsewhere.facility.slug}{follow(practice, one)}/times"
        answer = await client.get(wrong, follow_redirects=True)
        assert answer.url.path == f"/f/{practice.house.facility.slug}{follow(practice, one)}/times"
        for header, value in (("cache-control", "no-store"), ("referrer-policy", "no-referrer")):
            assert answer.headers[header] == value
        practice.set_clock("11:00", MONDAY + timedelta(days=1))
        assert (await client.get(str(answer.url))).status_code == 404


async def test_the_calendar_file_names_the_house_alone(live: Live, practice: Practice) -> None:
    one = await practice.book("10:00")
    async with live.client(practice.house, headers={"Accept-Language": "en"}) as client:
        answer = await client.get(follow(practice, one) + "/appointment.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert "SUMMARY:Appointment: Test house\r\n" in answer.text
    assert not any(word in answer.text for word in ("Amina", "Dana", "Lab", "/a/"))


@pytest.mark.parametrize("path", ["/a/nothing", "/a/nothing/times", "/a/nothing/appointment.ics"])
async def test_what_is_no_secret_of_ours_opens_nothing(live_form: httpx2.AsyncClient, path: str) -> None:
    assert (await live_form.get(path)).status_code == 404
    assert (await live_form.post("/a/nothing/cancel")).status_code == 404
