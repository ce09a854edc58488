"""My ticket on the phone: what it shows follows the queue without a reload."""

import re
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from dawr.web.phrases import Voice
from tests.pages.conftest import Site, act, enter


@pytest.fixture
async def amina(site: Site, reception: httpx2.AsyncClient) -> tuple[dict[str, Any], Page]:
    """Amina's ticket, third in the queue, and her page of it."""
    for user in ("first", "second"):
        await enter(reception, user)
    ticket = await enter(reception, "amina")
    return ticket, await site.visit(ticket["follow"])


Amina = tuple[dict[str, Any], Page]


async def test_the_place_follows_the_queue(amina: Amina, reception: httpx2.AsyncClient) -> None:
    _, page = amina
    await expect(page.locator("#sentence")).to_have_text("2 people are before you")
    await act(reception, "call", clinic="lab", desk="1")
    await expect(page.locator("#sentence")).to_have_text("1 person is before you")
    await expect(page.locator("#position")).to_have_text("2")
    await act(reception, "call", clinic="lab", desk="2")
    await expect(page.locator("#headline")).to_have_text("You are next")


async def test_being_called_names_the_desk_and_calls_in_the_title(amina: Amina, reception: httpx2.AsyncClient) -> None:
    ticket, page = amina
    await act(reception, "call", ticket=ticket["ticket"], desk="2")
    await expect(page.locator("#headline")).to_have_text("It is your turn")
    await expect(page.locator("#desk")).to_have_text("2")
    await expect(page).to_have_title("Your turn: LAB-003")
    await act(reception, "serve", ticket=ticket["ticket"])
    await expect(page.locator("#headline")).to_have_text("You are being served")
    await act(reception, "done", ticket=ticket["ticket"])
    await expect(page.locator("#headline")).to_have_text("You are done here")


async def test_a_recall_calls_again(site: Site, amina: Amina, reception: httpx2.AsyncClient) -> None:
    ticket, page = amina
    await page.click("h1")
    await page.evaluate("() => { window.shaken = 0; navigator.vibrate = () => { window.shaken += 1; }; }")
    await act(reception, "call", ticket=ticket["ticket"], desk="1")
    await page.wait_for_function("() => window.shaken === 1")
    await act(reception, "recall", ticket=ticket["ticket"])
    await page.wait_for_function("() => window.shaken === 2")


async def test_cancelling_asks_first(amina: Amina) -> None:
    _, page = amina
    await page.click("#cancel summary")
    await page.click("#cancel button")
    await expect(page.locator("#headline")).to_have_text("This ticket is cancelled")
    await expect(page.locator("#again")).to_be_visible()
    await expect(page.locator("#cancel")).to_be_hidden()


async def test_who_is_late_goes_back_near_the_front(amina: Amina, reception: httpx2.AsyncClient) -> None:
    ticket, page = amina
    await expect(page.locator("#late")).to_be_hidden()
    await act(reception, "call", ticket=ticket["ticket"], desk="1")
    await page.click("#late summary")
    await page.click("#late button")
    await expect(page.locator("#headline")).to_have_text("Please wait")
    await expect(page.locator("#notice")).to_have_text("The staff know that you are late.")


@pytest.mark.parametrize(("verb", "headline"), [("cancel", "This ticket is cancelled"), ("late", "Please wait")])
async def test_both_work_without_javascript(
    site: Site, amina: Amina, reception: httpx2.AsyncClient, verb: str, headline: str
) -> None:
    ticket, _ = amina
    await act(reception, "call", ticket=ticket["ticket"], desk="1")
    page = await site.visit(ticket["follow"], java_script_enabled=False)
    await page.click(f"#{verb} summary")
    await page.click(f"#{verb} button")
    await expect(page.locator("#headline")).to_have_text(headline)


async def test_without_a_connection_the_last_state_stays(
    site: Site, amina: Amina, reception: httpx2.AsyncClient
) -> None:
    _, page = amina
    await page.context.set_offline(True)
    await expect(page.locator("#offline")).to_be_visible()
    await expect(page.locator("#sentence")).to_have_text("2 people are before you")
    await act(reception, "call", clinic="lab", desk="1")
    await page.context.set_offline(False)
    await expect(page.locator("#sentence")).to_have_text("1 person is before you")
    await expect(page.locator("#offline")).to_be_hidden()
    site.faults.clear()


async def test_who_is_sent_on_gets_the_way_to_the_next_ticket(amina: Amina, reception: httpx2.AsyncClient) -> None:
    ticket, page = amina
    await act(reception, "transfer", ticket=ticket["ticket"], to="xray")
    await expect(page.locator("#headline")).to_have_text("You were sent on")
    await page.click("#next")
    await expect(page.locator("h1")).to_contain_text("XR-001")


@pytest.mark.parametrize("lang", ["ar", "en", "hi"])
async def test_the_script_says_what_the_server_said(site: Site, reception: httpx2.AsyncClient, lang: str) -> None:
    ticket = {}
    for number in range(4):
        ticket = await enter(reception, f"user {number}")
    read = "['headline', 'sentence', 'position', 'wait'].map((id) => document.getElementById(id).textContent)"
    served = await site.visit(ticket["follow"], lang, java_script_enabled=False)
    painted = await site.visit(ticket["follow"], lang)
    await painted.wait_for_function("() => document.getElementById('late').hidden")
    assert await painted.evaluate(read) == [
        await served.inner_text(f"#{name}") for name in ("headline", "sentence", "position", "wait")
    ]


WORDS = """async ([words, waits]) => {
  const { waitWords } = await import(words);
  return waits.map(([low, high]) => waitWords({ low_minutes: low, high_minutes: high }));
}"""


@pytest.mark.parametrize("lang", ["ar", "en", "hi"])
async def test_every_wait_reads_as_the_server_writes_it(site: Site, reception: httpx2.AsyncClient, lang: str) -> None:
    page = await site.visit((await enter(reception, "amina"))["follow"], lang)
    static = (await page.get_attribute("link[rel=stylesheet]", "href") or "").removesuffix("dawr.css")
    waits = [(low, high) for low in (0, 1, 2, 7, 11, 58, 61, 125) for high in (0, 1, 3, 12, 21, 90, 91, 119, 300)]
    waits = [(low, high) for low, high in waits if low <= high]
    shown = await page.evaluate(WORDS, [f"{static}words.js", waits])
    assert shown == [Voice(lang).wait({"low_minutes": low, "high_minutes": high}) for low, high in waits]


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        ((0, 0), "less than a minute"),
        ((0, 4), "0 to 4 minutes"),
        ((6, 6), "about 6 minutes"),
        ((24, 43), "20 to 45 minutes"),
        ((80, 130), "1 to 3 hours"),
        ((30, 100), "up to 2 hours"),
    ],
)
def test_a_wait_is_rounded_outwards(minutes: tuple[int, int], words: str) -> None:
    assert Voice("en").wait({"low_minutes": minutes[0], "high_minutes": minutes[1]}) == words


async def test_the_address_is_a_secret(site: Site, amina: Amina) -> None:
    ticket, page = amina
    answer = await page.request.get(site.url + ticket["follow"])
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    [cookie] = [one for one in await page.context.cookies() if one["name"].startswith("dawr_ticket_")]
    assert cookie["httpOnly"]


async def test_an_address_without_its_facility_finds_it(site: Site, amina: Amina) -> None:
    ticket, page = amina
    await page.goto(site.live.url + ticket["follow"])
    assert page.url == site.url + ticket["follow"]
    await expect(page.locator("h1")).to_contain_text("LAB-003")


async def test_a_secret_of_nobody_is_not_found(site: Site) -> None:
    page = await site.visit("/t/" + "A" * 43)
    await expect(page.locator("h1")).to_have_text(re.compile("ticket"))
    await expect(page.locator(".eyebrow")).to_have_text("404")
    site.forgive("404")
