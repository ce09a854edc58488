"""The desk: sign in, work the queue with clicks and keys, take steps back."""

import asyncio
import itertools
import time

import httpx2
import pytest
from playwright.async_api import Page, Route, expect

from dawr.accounts.rules import Role
from tests.conftest import PASSWORD
from tests.pages.conftest import Site, enter, sign_in


@pytest.fixture
async def desk(site: Site, reception: httpx2.AsyncClient) -> Page:
    """Rui at desk 1 of the lab, where three people wait."""
    for user in ("first", "second", "third"):
        await enter(reception, user, name=user.title())
    page = await site.desk()
    await expect(page.locator("#list-waiting .row")).to_have_count(3)
    return page


def row(page: Page, code: str) -> str:
    return f"[data-code='{code}']"


async def test_a_wrong_password_is_said_and_the_address_kept(site: Site) -> None:
    email = await site.hire()
    page = await site.visit("/desk")
    await sign_in(page, email, "not the password")
    await expect(page.locator("[role=alert]")).to_have_text("E-mail or password is wrong")
    assert await page.input_value("[name=email]") == email
    await sign_in(page, email)
    await expect(page.locator("#call-next")).to_be_visible()
    site.forgive("401")


async def test_two_windows_one_joins_the_other_calls(site: Site) -> None:
    desk = await site.desk()
    phone = await site.visit("/c/lab")
    await phone.click("#join button")
    await expect(phone.locator("#headline")).to_have_text("You are next")
    await expect(desk.locator("#list-waiting .row")).to_have_count(1)
    await desk.click("#call-next")
    await expect(desk.locator("#now-code")).to_have_text("LAB-001")
    await expect(phone.locator("#headline")).to_have_text("It is your turn")
    await expect(phone.locator("#desk")).to_have_text("1")


async def test_a_visit_from_call_to_done(desk: Page) -> None:
    await desk.click("#call-next")
    await expect(desk.locator("#now-code")).to_have_text("LAB-001")
    await expect(desk.locator("#now-about")).to_contain_text("First")
    await desk.click("#now-verbs [data-verb=serve]")
    await expect(desk.locator("#list-serving .row")).to_have_count(1)
    await desk.click("#now-verbs [data-verb=done]")
    await expect(desk.locator("#now-code")).to_have_text("Nobody")
    await expect(desk.locator("#list-ended " + row(desk, "LAB-001"))).to_contain_text("done")


async def test_whose_patient_somebody_is_is_said_by_name(site: Site, reception: httpx2.AsyncClient) -> None:
    await enter(reception, "hers", doctor="dana")
    desk = await site.desk()
    await expect(desk.locator("#list-waiting .row")).to_contain_text("for Dana")


async def test_the_whole_of_it_by_keys(desk: Page) -> None:
    await desk.keyboard.press("n")
    await expect(desk.locator("#now-code")).to_have_text("LAB-001")
    for key, place in (("s", "serving"), ("h", "held")):
        await desk.keyboard.press(key)
        await expect(desk.locator(f"#list-{place} {row(desk, 'LAB-001')}")).to_be_visible()
    await desk.keyboard.press("u")
    await expect(desk.locator(f"#list-serving {row(desk, 'LAB-001')}")).to_be_visible()
    await desk.uncheck("#keys-wanted")
    await desk.keyboard.press("d")
    await desk.check("#keys-wanted")
    await desk.keyboard.press("d")
    await expect(desk.locator(f"#list-ended {row(desk, 'LAB-001')}")).to_be_visible()


async def test_every_step_can_be_taken_back_from_the_toast(desk: Page) -> None:
    await desk.click("#call-next")
    await expect(desk.locator("#toast-text")).to_have_text("LAB-001 was called.")
    await desk.click("#toast-undo")
    await expect(desk.locator("#toast-text")).to_have_text("Taken back.")
    await expect(desk.locator("#list-waiting .row")).to_have_count(3)


async def test_calling_out_of_order_and_letting_back_in(desk: Page) -> None:
    await desk.click(f"{row(desk, 'LAB-003')} [data-verb=call]")
    await expect(desk.locator("#now-code")).to_have_text("LAB-003")
    await desk.click("#now-verbs [data-verb=no_show]")
    await desk.click(f"#list-ended {row(desk, 'LAB-003')} [data-verb=rejoin]")
    await expect(desk.locator("#list-waiting .row")).to_have_count(3)


async def test_holding_and_letting_back(desk: Page) -> None:
    await desk.click(f"{row(desk, 'LAB-001')} summary")
    await desk.click(f"{row(desk, 'LAB-001')} [data-verb=hold]")
    await desk.click(f"#list-held {row(desk, 'LAB-001')} [data-verb=resume]")
    await expect(desk.locator("#list-waiting .row").first).to_have_attribute("data-code", "LAB-001")


async def test_sending_on_and_taking_that_back(desk: Page, reception: httpx2.AsyncClient) -> None:
    await desk.click(f"{row(desk, 'LAB-002')} summary")
    await desk.click(f"{row(desk, 'LAB-002')} [data-verb=transfer]")
    await desk.select_option("#transfer-to", "xray")
    await desk.click("#transfer [value=send]")
    await expect(desk.locator("#list-ended " + row(desk, "LAB-002"))).to_be_visible()
    status = await reception.get("/api/v1/queue/status", params={"clinic": "xray"})
    assert status.json()["waiting"] == ["XR-001"]
    await desk.click("#toast-undo")
    await expect(desk.locator("#list-waiting .row")).to_have_count(3)


async def test_calling_when_nobody_waits_says_so(site: Site) -> None:
    desk = await site.desk()
    await desk.click("#call-next")
    await expect(desk.locator("#error")).to_have_text("Nobody is waiting.")
    site.forgive("409")


async def test_a_lost_answer_calls_one_person_only(site: Site, desk: Page) -> None:
    keys: list[str] = []

    async def lose_the_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        answer = await route.fetch()
        await (route.abort() if len(keys) == 1 else route.fulfill(response=answer))

    await desk.route("**/queue/call", lose_the_first)
    await desk.click("#call-next")
    await expect(desk.locator("#toast-text")).to_have_text("LAB-001 was called.")
    await expect(desk.locator("#list-called .row")).to_have_count(1)
    assert len(set(keys)) == 1
    site.forgive("ERR_FAILED")


async def test_another_desks_call_shows_at_once(site: Site, desk: Page) -> None:
    other = await site.desk(Role.ADMINISTRATOR)
    await other.select_option("#desk-choice", "2")
    await other.click("#call-next")
    await expect(desk.locator("#list-called " + row(desk, "LAB-001"))).to_contain_text("Desk 2")
    await expect(desk.locator("#now-code")).to_have_text("Nobody")


async def test_however_much_happens_the_lists_are_fetched_once_a_second(
    desk: Page, reception: httpx2.AsyncClient
) -> None:
    fetched: list[float] = []
    desk.on(
        "request", lambda asked: fetched.append(time.monotonic()) if asked.url.endswith("tickets?clinic=lab") else None
    )
    for n in range(30):
        await enter(reception, f"more-{n}")
        await asyncio.sleep(0.1)
    await expect(desk.locator("#list-waiting h2 span")).to_have_text("33")
    assert len(fetched) >= 2
    # The least time between two is what the page waits; a busy machine only makes it more, but for how the test hears of it.
    assert min(after - before for before, after in itertools.pairwise(fetched)) > 0.7


async def test_a_step_of_this_desk_shows_before_the_lists_are_fetched_again(desk: Page) -> None:
    hidden = asyncio.Event()

    async def later(route: Route) -> None:
        await hidden.wait()
        await route.continue_()

    await desk.route("**/queue/tickets?*", later)
    await desk.click("#call-next")
    await expect(desk.locator("#now-code")).to_have_text("LAB-001")
    await expect(desk.locator("#now-about")).to_contain_text("First")
    await desk.click("#now-verbs [data-verb=serve]")
    await expect(desk.locator("#list-serving .row")).to_have_count(1)
    hidden.set()
    await expect(desk.locator("#list-serving .row")).to_have_count(1)


async def test_a_session_that_ended_is_said(site: Site, desk: Page) -> None:
    await desk.context.clear_cookies()
    await desk.click("#call-next")
    await expect(desk.locator("#error a")).to_have_text("Sign in")
    site.forgive("401")


async def test_signing_out_ends_the_session(site: Site, desk: Page) -> None:
    cookies = await desk.context.cookies()
    await desk.click("[data-sign-out] button")
    await expect(desk.locator("[name=password]")).to_be_visible()
    await desk.context.add_cookies(cookies)  # type: ignore[arg-type]
    await desk.goto(site.url + "/desk")
    await expect(desk.locator("[name=password]")).to_be_visible()


async def test_a_screen_of_the_wall_has_no_desk(site: Site) -> None:
    page = await site.desk(Role.DISPLAY)
    await expect(page.locator("main .notice")).to_contain_text("no clinic whose queue you may work")


async def test_a_form_without_the_sessions_token_signs_nobody_out(site: Site, desk: Page) -> None:
    headers = {"Origin": site.live.url}
    await desk.request.post(site.url + "/desk/sign-out", form={"csrf": "x"}, headers=headers)
    await desk.reload()
    await expect(desk.locator("#call-next")).to_be_visible()


@pytest.mark.parametrize("path", ["/desk/sign-in", "/desk/sign-out"])
async def test_another_sites_form_is_refused(live_form: httpx2.AsyncClient, site: Site, path: str) -> None:
    form = {"email": await site.hire(), "password": PASSWORD}
    answer = await live_form.post(path, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert "set-cookie" not in answer.headers or "dawr=" not in answer.headers["set-cookie"]
