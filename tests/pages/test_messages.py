"""The page about messages: the log for reception; channels, rules and other systems for the administrator."""

from typing import Any

import pytest
from playwright.async_api import Page, Route, ViewportSize, expect

from dawr.accounts.rules import SYSTEM, Role
from dawr.notifications import store_channels
from dawr.notifications.rules_channels import Outcome, Reason, Result
from tests.conftest import House, Live
from tests.journeys.matrix import BROWSER
from tests.notifications.conftest import PHONE as AMINAS
from tests.notifications.conftest import Carrier, Desk
from tests.pages.conftest import LAPTOP, PHONE, Site
from tests.pages.test_delivery import weigh
from tests.pages.test_languages import check
from tests.pages.test_push import WORKS
from tests.pages.test_reception import API, STAFF_PAGE_BYTES
from tests.tickets.conftest import Floor

SMS = {"url": "https://127.0.0.1:9/send?key=canary", "headers": {"Authorization": "canary"}}


async def open_messages(site: Site, lang: str = "en", role: Role = Role.ADMINISTRATOR, **options: Any) -> Page:
    return await site.staff("/messages", role, lang, **options)


async def set_up(house: House) -> None:
    """Text messages, by a service that nobody reaches."""
    async with house.here().write() as tx:
        await store_channels.save(tx, house.services.keyring, house.ada, "sms", SMS | {"body": {"to": "{to}"}})


async def dead_letter(house: House) -> None:
    """Amina was called, and the message about it was refused."""
    await set_up(house)
    desk = Desk(house, Floor(house), Carrier(house.facility.id))
    await desk.floor.call_ticket(await desk.enter("amina", phone=AMINAS), desk="1")
    await desk.read()
    for one in await desk.claim():
        await desk.settle(one, Result(Outcome.REFUSED, reason=Reason.BAD_ADDRESS, detail="400"))


async def test_reception_reads_what_was_sent_and_sends_it_again(site: Site, house: House) -> None:
    await dead_letter(house)
    page = await open_messages(site, role=Role.RECEPTION)
    for hidden in ("#channels", "#rules", "#hooks"):
        await expect(page.locator(hidden)).to_have_count(0)
    async with page.expect_response("**/deliveries?**status=failed**"):
        await page.select_option("#log-status", "failed")
    row = page.locator("#log li")
    await expect(row).to_contain_text("The phone number or address is wrong")
    await expect(row).to_contain_text("•••• 4321")
    await page.click("#log [data-verb=resend]")
    await expect(page.locator("#log [data-status=pending]")).to_have_count(1)
    await expect(page.locator("#said")).to_contain_text("sent again")


async def test_a_channel_is_set_up_tried_and_used_no_more(site: Site, house: House) -> None:
    page = await open_messages(site)
    await page.click("#channel-email summary")
    await page.fill("#email-host", "127.0.0.1")
    await page.fill("#email-port", "9")
    await page.fill("#email-password", "a canary secret")
    await page.click("#email-form .primary")
    await expect(page.locator("#email-sender-mistake")).to_be_visible()
    await page.fill("#email-sender", "queue@test.example")
    await page.click("#email-form .primary")
    await expect(page.locator("#channel-email .state")).to_have_text("in use")
    assert "canary" not in await page.content()
    assert await page.input_value("#email-password") == ""
    await page.click("#emailtest-form button")
    await expect(page.locator("#emailtest-form .told")).to_contain_text("The message service cannot be reached")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.click("#email-form .stop")
    await expect(page.locator("#channel-email .state")).to_have_text("not in use")
    site.forgive("422")


async def test_the_administrators_own_browser_is_tried(site: Site, house: House) -> None:
    async with house.here().write() as tx:
        await store_channels.save(tx, house.services.keyring, SYSTEM, "push", {"contact": "mailto:it@example.org"})
    page = await open_messages(site)
    await page.add_init_script(WORKS)
    await page.reload()
    sent: list[object] = []

    async def taken(route: Route) -> None:
        sent.append(route.request.post_data_json)
        await route.fulfill(
            json={"channel": "push", "to": "push.example.org", "sent": True, "why": None, "detail": "201"}
        )

    await page.route("**/api/v1/channels/push/test", taken)
    await page.click("#pushtest-form button")
    await expect(page.locator("#pushtest-form .told")).to_contain_text("Sent to push.example.org.")
    assert sent == [{"browser": BROWSER}]


async def test_a_browser_that_takes_no_messages_says_so(site: Site, house: House) -> None:
    async with house.here().write() as tx:
        await store_channels.save(tx, house.services.keyring, SYSTEM, "push", {"contact": "mailto:it@example.org"})
    page = await open_messages(site)
    await page.add_init_script("delete window.PushManager;")
    await page.reload()
    await page.click("#pushtest-form button")
    await expect(page.locator("#pushtest-form .told")).to_have_text("This browser takes no messages.")


async def test_what_is_not_shown_of_a_channel_stays(site: Site, house: House) -> None:
    await set_up(house)
    page = await open_messages(site)
    await page.click("#channel-sms summary")
    await expect(page.locator("#sms-url")).to_have_value("https://127.0.0.1:9/send")
    await page.check("#sms-form [name=form]")
    await page.click("#sms-form .primary")
    await expect(page.locator("#said")).to_contain_text("Saved")
    async with house.here().read() as tx:
        kept = await store_channels.settings(tx, house.services.keyring, "sms")
    assert kept == SMS | {"body": {"to": "{to}"}, "form": True}


async def test_rules_are_switched_in_a_table(site: Site, live: Live, house: House) -> None:
    page = await open_messages(site)
    await page.uncheck("[name='your_turn/patient/sms']")
    await page.check("[name='appointment_reminder/patient/whatsapp']")
    await page.fill("#rules-ahead", "5")
    await page.fill("#rules-begins", "22:30")
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        before = (await ada.get(f"{API}/notification-rules")).json()
        await ada.put(f"{API}/notification-rules", json={"items": before["items"], "version": 0})
        await page.click("#rules-form .primary")
        await expect(page.locator("#rules-form .form-mistake")).to_contain_text("A colleague changed the rules")
        await page.click("#rules-form .primary")
        await expect(page.locator("#said")).to_contain_text("Saved")
        after = (await ada.get(f"{API}/notification-rules")).json()
    rules = {(one["moment"], one["channel"]): one for one in after["items"] if one["audience"] == "patient"}
    assert not rules["your_turn", "sms"]["enabled"]
    assert rules["appointment_reminder", "whatsapp"]["quiet"]
    assert (rules["near", "sms"]["ahead"], after["quiet_hours"]["begins"]) == (5, "22:30")
    assert len(after["items"]) == len(before["items"]) + 1
    site.forgive("409")


async def test_another_system_is_added_and_its_secret_shown_once(site: Site) -> None:
    page = await open_messages(site)
    await page.click("#hooks summary")
    await page.fill("#hook-url", "https://127.0.0.1:9/dawr")
    await page.fill("#hook-types", "ticket_called, visit_created")
    await page.click("#hook-form .primary")
    await expect(page.locator("#hook-secret")).to_contain_text("whsec_")
    await expect(page.locator("#hooks li")).to_contain_text("ticket_called, visit_created")
    await page.click("#hooks [data-verb=try]")
    await expect(page.locator("#hooks .told")).to_contain_text("private network")
    await page.click("#hooks [data-verb=switch_off]")
    await expect(page.locator("#hooks li .badge")).to_have_text("not in use")
    await page.reload()
    await expect(page.locator("#hooks li")).to_have_count(1)
    assert "whsec_" not in await page.locator("#hooks").inner_html()


async def test_doctors_do_not_see_it(site: Site) -> None:
    page = await open_messages(site, role=Role.DOCTOR)
    assert "Messages to patients" not in await page.inner_text("main")
    site.forgive("403")


@pytest.mark.parametrize(
    ("lang", "scheme", "size"), [("ar", "light", PHONE), ("en", "dark", LAPTOP), ("hi", "light", PHONE)]
)
async def test_every_language_on_any_screen(
    site: Site, house: House, lang: str, scheme: str, size: ViewportSize
) -> None:
    await dead_letter(house)
    page = await open_messages(site, lang, size=size, color_scheme=scheme, reduced_motion="reduce")
    await expect(page.locator("#log li")).to_have_count(1)
    for summary in await page.locator("main summary").all():
        await summary.click()
    await check(page, lang)
    assert await weigh(page, site.url + "/messages") < STAFF_PAGE_BYTES
