"""Messages to a phone whose page is closed: offered on the ticket, and taken back."""

import json
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from dawr.accounts.rules import SYSTEM
from dawr.notifications import store_channels
from tests.journeys.matrix import POINT
from tests.pages.conftest import Site, act, enter

# A browser without a screen may refuse every notification, whatever it is told to allow.
ALLOWED = """
  Object.defineProperty(Notification, 'permission', {get: () => 'granted'});
  Notification.requestPermission = async () => 'granted';
"""
# The browser's maker runs the service behind a subscription; nothing here may ask it.
SUBSCRIBED = """
  const kept = {endpoint: 'https://push.example.org/4711', toJSON: () => (
    {endpoint: kept.endpoint, keys: {p256dh: '%s', auth: 'AAAAAAAAAAAAAAAAAAAAAA'}})};
  PushManager.prototype.subscribe = async () => (sessionStorage.subscribed = 1, kept);
  PushManager.prototype.getSubscription = async () => sessionStorage.subscribed ? kept : null;
"""
WORKS = ALLOWED + SUBSCRIBED % POINT
SHOWING = "registration.showNotification = (title, how) => { self.shown = [title, how.body, how.data.url]; }; true"
AWAY = ALLOWED + "PushManager.prototype.subscribe = async () => { throw new Error('away'); };"


@pytest.fixture
async def ticket(site: Site, reception: httpx2.AsyncClient) -> dict[str, Any]:
    async with site.house.here().write() as tx:
        settings = {"contact": "mailto:it@example.org"}
        await store_channels.save(tx, site.house.services.keyring, SYSTEM, "push", settings)
    return await enter(reception, "amina")


async def opened(site: Site, ticket: dict[str, Any], script: str = WORKS) -> Page:
    context = await site.phone()
    await context.add_init_script(script)
    page = await context.new_page()
    await page.goto(site.url + ticket["follow"])
    return page


async def subscribed(site: Site) -> int:
    async with site.house.here().read() as tx:
        found: int = await tx.value("SELECT count(*) FROM push_subscription")
    return found


async def test_it_is_switched_on_remembered_and_switched_off(site: Site, ticket: dict[str, Any]) -> None:
    page = await opened(site, ticket)
    button, state = page.locator("#push button"), page.locator("#push p")
    await button.click()
    await expect(state).to_contain_text("We tell you on this device")
    assert await subscribed(site) == 1
    await page.reload()
    await expect(button).to_have_text("Tell me no more")
    await button.click()
    await expect(button).to_have_text("Tell me when it is my turn")
    assert await subscribed(site) == 0


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("delete window.PushManager;", "only while this page is open"),
        ("Object.defineProperty(Notification, 'permission', {get: () => 'denied'});", "does not allow messages"),
    ],
)
async def test_what_cannot_be_is_said(site: Site, ticket: dict[str, Any], script: str, sentence: str) -> None:
    page = await opened(site, ticket, script)
    await expect(page.locator("#push p")).to_contain_text(sentence)
    await expect(page.locator("#push button")).to_be_hidden()


async def test_a_browser_whose_service_is_away_says_so(site: Site, ticket: dict[str, Any]) -> None:
    page = await opened(site, ticket, AWAY)
    await page.click("#push button")
    await expect(page.locator("#push p")).to_have_text("This did not work. Please try again.")
    assert await subscribed(site) == 0


async def test_nothing_is_offered_where_nothing_is_sent_or_all_is_over(
    site: Site, reception: httpx2.AsyncClient, ticket: dict[str, Any]
) -> None:
    page = await opened(site, ticket)
    await expect(page.locator("#push")).to_be_visible()
    await act(reception, "cancel", ticket=ticket["ticket"])
    await expect(page.locator("#push")).to_be_hidden()
    async with site.house.here().write() as tx:
        await store_channels.save(tx, site.house.services.keyring, SYSTEM, "push", None)
    plain = await site.visit((await enter(reception, "zeina"))["follow"])
    assert await plain.locator("#push").count() == 0


async def test_a_message_is_shown_by_the_service_worker(site: Site, ticket: dict[str, Any]) -> None:
    page = await opened(site, ticket)
    await page.click("#push button")
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")
    said = {"title": "It is your turn", "body": "LAB-001", "url": site.url + ticket["follow"], "lang": "en", "tag": "x"}
    (worker,) = page.context.service_workers
    await worker.evaluate(SHOWING)
    await deliver(page, said)
    shown = await worker.evaluate("new Promise((done) => setInterval(() => self.shown && done(self.shown), 20))")
    assert shown == [said["title"], said["body"], said["url"]]


async def deliver(page: Page, message: dict[str, str]) -> None:
    """As the browser's maker's service does."""
    session = await page.context.new_cdp_session(page)
    registrations: list[dict[str, Any]] = []
    session.on("ServiceWorker.workerRegistrationUpdated", lambda told: registrations.extend(told["registrations"]))
    await session.send("ServiceWorker.enable")
    await page.wait_for_function("navigator.serviceWorker.ready.then(() => true)")
    told = {"origin": page.url.split("/f/")[0], "registrationId": registrations[0]["registrationId"]}
    await session.send("ServiceWorker.deliverPushMessage", told | {"data": json.dumps(message)})
