"""Joining a queue on a phone: with and without JavaScript, once however often the answer is lost."""

import asyncio
import re
from uuid import UUID

import httpx2
import pytest
from playwright.async_api import Route, expect

from dawr.accounts.rules import SYSTEM
from dawr.facilities.commands import close_clinic, pause_clinic
from dawr.facilities.rules import Entry
from dawr.notifications import store_channels
from dawr.tickets import commands_proof
from tests.pages.conftest import Command, Site, enter, sign_in
from tests.pages.test_languages import check

WATCH_TIMERS = """(dice) => {
  const set = window.setTimeout;
  window.paused = [];
  window.setTimeout = (what, wait) => (window.paused.push(wait), set(what, wait));
  Math.random = () => dice;
}"""
TICKET = re.compile(r"/t/[\w-]+$")


async def waiting(client: httpx2.AsyncClient) -> list[str]:
    answer = await client.get("/api/v1/queue/status", params={"clinic": "lab"})
    codes: list[str] = answer.json()["waiting"]
    return codes


async def test_joining_leads_to_the_ticket(site: Site, reception: httpx2.AsyncClient) -> None:
    await enter(reception, "earlier")
    page = await site.visit("/c/lab")
    await expect(page.locator("dd.big")).to_have_text("1")
    await page.fill("[name=name]", "Amina 🌙 أمينة")
    await page.fill("[name=phone]", "+974 5555 1234")
    await page.click("#join button")
    await page.wait_for_url(TICKET)
    await expect(page.locator("h1")).to_contain_text("LAB-002")
    listed = (await reception.get("/api/v1/queue/tickets", params={"clinic": "lab"})).json()["items"]
    assert [one["name"] for one in listed] == [None, "Amina 🌙 أمينة"]


async def test_it_works_without_javascript(site: Site, reception: httpx2.AsyncClient) -> None:
    page = await site.visit("/c/lab", java_script_enabled=False)
    await page.fill("[name=name]", "Amina")
    await page.click("#join button")
    await page.wait_for_url(TICKET)
    await expect(page.locator("#headline")).to_have_text("You are next")
    assert await waiting(reception) == ["LAB-001"]


async def test_without_javascript_the_reason_for_no_ticket_is_shown(site: Site) -> None:
    page = await site.visit("/c/lab", java_script_enabled=False)
    await site.change(pause_clinic)
    await page.fill("[name=name]", "Amina")
    await page.click("#join button")
    await expect(page.locator("#notice")).to_have_text("This queue takes no new people at the moment")
    site.forgive("409")


async def test_the_same_device_comes_back_to_its_ticket(site: Site, reception: httpx2.AsyncClient) -> None:
    page = await site.visit("/c/lab")
    for _ in range(2):
        await page.goto(site.url + "/c/lab")
        await page.click("#join button")
        await page.wait_for_url(TICKET)
    assert await waiting(reception) == ["LAB-001"]


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(site: Site, reception: httpx2.AsyncClient) -> None:
    page = await site.visit("/c/lab")
    keys: list[str] = []

    async def lose_the_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        answer = await route.fetch()
        await (route.abort() if len(keys) == 1 else route.fulfill(response=answer))

    await page.route("**/queue/enter", lose_the_first)
    await page.click("#join button")
    await page.wait_for_url(TICKET)
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert await waiting(reception) == ["LAB-001"]
    site.forgive("ERR_FAILED")


async def test_all_who_were_refused_do_not_come_back_together(site: Site) -> None:
    """Never before the time the server names, and up to half as long after it."""
    waits = []
    for dice in (0, 0.5):
        page = await site.visit("/c/lab")
        await page.route("**/queue/enter", lambda route: route.fulfill(status=503, headers={"Retry-After": "600"}))
        await page.evaluate(WATCH_TIMERS, dice)
        await page.click("#join button")
        await page.wait_for_function("paused.some((wait) => wait >= 600_000)")
        waits += [wait for wait in await page.evaluate("paused") if wait >= 600_000]
        site.forgive("503")
    assert waits == [600_000, 750_000]


async def test_a_page_closed_before_the_answer_asks_again_when_it_is_opened(
    site: Site, reception: httpx2.AsyncClient
) -> None:
    page = await site.visit("/c/lab")
    asked = asyncio.Event()

    async def never_answer(route: Route) -> None:
        await route.fetch()
        asked.set()

    await page.route("**/queue/enter", never_answer)
    await page.click("#join button")
    await asyncio.wait_for(asked.wait(), 10)
    await page.close()
    await site.change(pause_clinic)
    later = await page.context.new_page()
    await later.goto(site.url + "/c/lab", wait_until="commit")
    await later.wait_for_url(TICKET)
    assert await waiting(reception) == ["LAB-001"]


async def test_a_refusal_is_said_in_the_readers_language(site: Site) -> None:
    page = await site.visit("/c/lab", "ar")
    await site.change(pause_clinic)
    await page.click("#join button")
    await expect(page.locator("#notice")).to_be_visible()
    assert re.search(r"[\u0600-\u06ff]", await page.inner_text("#notice"))
    await expect(page.locator("#join button")).to_be_enabled()
    site.forgive("409")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"entry": Entry.STAFF}, "given at the reception"),
        ({"entry": Entry.QR}, "scan the code"),
    ],
)
async def test_a_clinic_that_takes_nobody_shows_no_form(site: Site, settings: dict[str, object], sentence: str) -> None:
    await site.house.change_clinic("lab", **settings)
    page = await site.visit("/c/lab")
    await expect(page.locator("main .notice:not([hidden])")).to_contain_text(sentence)
    assert await page.locator("form").count() == 0


@pytest.mark.parametrize(("command", "sentence"), [(pause_clinic, "takes no new people"), (close_clinic, "closed now")])
async def test_a_paused_or_closed_clinic_says_so(site: Site, command: Command, sentence: str) -> None:
    await site.change(command)
    page = await site.visit("/c/lab")
    await expect(page.locator("main .notice:not([hidden])")).to_contain_text(sentence)


async def test_a_full_clinic_says_so(site: Site, reception: httpx2.AsyncClient) -> None:
    await site.house.change_clinic("lab", capacity=1)
    await enter(reception, "first")
    page = await site.visit("/c/lab")
    await expect(page.locator(".badge")).to_have_text("full")
    await expect(page.locator("main .notice:not([hidden])")).to_contain_text("full at the moment")


async def test_the_poster_of_a_clinic_opens_its_form(site: Site, reception: httpx2.AsyncClient) -> None:
    await site.house.change_clinic("lab", entry=Entry.QR)
    path = await site.poster("lab")
    page = await site.visit(path)
    await page.click("#join button")
    await page.wait_for_url(TICKET)
    assert await waiting(reception) == ["LAB-001"]


async def test_a_ticket_can_name_a_doctor(site: Site, reception: httpx2.AsyncClient) -> None:
    page = await site.visit("/c/lab")
    await page.select_option("[name=doctor]", "dana")
    await page.click("#join button")
    await page.wait_for_url(TICKET)
    listed = (await reception.get("/api/v1/queue/tickets", params={"clinic": "lab"})).json()["items"]
    assert listed[0]["doctor"] == "dana"


@pytest.mark.parametrize("script", [True, False])
async def test_staff_can_join_from_the_browser_they_work_in(
    site: Site, reception: httpx2.AsyncClient, script: bool
) -> None:
    page = await site.visit("/desk", java_script_enabled=script)
    await sign_in(page, await site.hire())
    await expect(page.locator(".who")).to_be_visible()
    # Without the facility in the address, it is the one they work in.
    await page.goto(site.live.url + "/c/lab")
    await page.click("#join button")
    await page.wait_for_url(TICKET)
    await page.click("#cancel summary")
    await page.click("#cancel button")
    await expect(page.locator("#headline")).to_have_text("This ticket is cancelled")
    assert await waiting(reception) == []


async def test_another_sites_form_cannot_join(live_form: httpx2.AsyncClient) -> None:
    answer = await live_form.post("/c/lab", data={"name": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


@pytest.mark.parametrize(("lang", "script"), [("en", True), ("ar", False)])
async def test_a_phone_number_is_proved_in_three_steps(
    site: Site, reception: httpx2.AsyncClient, lang: str, script: bool
) -> None:
    here = site.house.here()
    await site.house.change_clinic("lab", entry=Entry.VERIFIED)
    async with here.write() as tx:
        await store_channels.save(tx, here.services.keyring, SYSTEM, "sms", {"url": "https://example.org", "body": {}})
    page = await site.visit("/c/lab", lang, java_script_enabled=script)
    await page.fill("[name=phone]", "5550 1234")
    await page.click("#proof button")
    verification = await page.get_attribute("[name=verification]", "value")
    right = commands_proof.code_for(here, UUID(verification or ""))
    await page.fill("[name=code]", str((int(right) + 1) % 10**6).zfill(6))
    await page.click("#proof button")
    await expect(page.locator("#notice")).to_be_visible()
    if script:
        await check(page, lang)
    site.forgive("403")
    await page.fill("[name=code]", right)
    await page.click("#proof button")
    await page.click("#join button")
    await page.wait_for_url(TICKET)
    assert await waiting(reception) == ["LAB-001"]
