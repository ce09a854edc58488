"""After the visit: one tap on a star, and a word for who has one."""

from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.pages.conftest import Site, act, enter

Done = tuple[dict[str, Any], Page]
THANKS = "Thank you for telling us."


async def served(reception: httpx2.AsyncClient, user: str = "amina") -> dict[str, Any]:
    ticket = await enter(reception, user)
    await act(reception, "call", ticket=ticket["ticket"], desk="1")
    return await act(reception, "done", ticket=ticket["ticket"])


@pytest.fixture
async def done(site: Site, reception: httpx2.AsyncClient) -> Done:
    """Amina's visit is over, and her page of it."""
    ticket = await served(reception)
    return ticket, await site.visit(ticket["follow"])


async def rating(site: Site, ticket: dict[str, Any]) -> tuple[int, str | None]:
    async with site.house.here().read() as tx:
        row = await tx.row("SELECT stars, word_sealed FROM rating WHERE ticket = %(id)s::uuid", id=ticket["ticket"])
    assert row is not None
    where = f"rating.word:{ticket['ticket']}"
    keyring, facility = site.house.services.keyring, str(site.house.facility.id)
    return row["stars"], row["word_sealed"] and keyring.open(row["word_sealed"], facility=facility, where=where)


async def test_it_is_asked_for_when_the_visit_is_over(site: Site, reception: httpx2.AsyncClient) -> None:
    ticket = await enter(reception, "amina")
    page = await site.visit(ticket["follow"])
    await expect(page.locator("#rating")).to_be_hidden()
    await act(reception, "call", ticket=ticket["ticket"], desk="1")
    await act(reception, "done", ticket=ticket["ticket"])
    await expect(page.locator("#rating")).to_be_visible()


async def test_one_tap_is_enough_and_a_word_may_follow(site: Site, done: Done) -> None:
    ticket, page = done
    await page.locator(".stars label").nth(3).click()
    await expect(page.locator("#notice")).to_have_text(THANKS)
    assert await rating(site, ticket) == (4, None)
    await page.fill("#rating [name=word]", "Quick")
    async with page.expect_response("**/queue/rating"):
        await page.click("#rating button")
    assert await rating(site, ticket) == (4, "Quick")


async def test_the_keyboard_walks_over_the_stars(site: Site, done: Done) -> None:
    """What it walks over on the way is not sent."""
    ticket, page = done
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.post_data or "") if "queue/rating" in one.url else None)
    await page.focus(".stars input[value='1']")
    async with page.expect_response("**/queue/rating"):
        for key in ("ArrowRight", "ArrowRight"):
            await page.keyboard.press(key)
    assert (len(sent), await rating(site, ticket)) == (1, (3, None))
    await expect(page.get_by_role("radio", name="3 stars")).to_be_checked()
    await expect(page.get_by_role("group", name="How was your visit?")).to_be_visible()


@pytest.mark.parametrize(("lang", "thanks"), [("en", THANKS), ("ar", None), ("hi", None)])
async def test_it_works_without_javascript(
    site: Site, reception: httpx2.AsyncClient, lang: str, thanks: str | None
) -> None:
    ticket = await served(reception)
    page = await site.visit(ticket["follow"], lang, java_script_enabled=False)
    assert "refresh" not in await page.content()
    await page.check(".stars input[value='5']", force=True)
    await page.fill("#rating [name=word]", "شكرا")
    await page.click("#rating button")
    await expect(page.locator("#notice")).to_have_text(thanks or await page.inner_text("#notice"))
    await expect(page.locator("#notice")).to_be_visible()
    await expect(page.locator(".stars input[value='5']")).to_be_checked()
    await expect(page.locator("#rating [name=word]")).to_have_value("شكرا")
    assert await rating(site, ticket) == (5, "شكرا")


async def test_a_form_that_names_no_stars_says_so(live_form: httpx2.AsyncClient, reception: httpx2.AsyncClient) -> None:
    ticket = await served(reception)
    for body in ({}, {"stars": "9"}, {"stars": "12"}, {"word": "x"}):
        answer = await live_form.post(f"{ticket['follow']}/rating", data=body)
        assert answer.status_code == 422
        assert 'id="rating"' in answer.text
