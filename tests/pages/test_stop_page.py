"""The page behind the link in a mail: one tap stops messages, another takes it back, without signing in and without a script."""

import pytest
from playwright.async_api import expect

from dawr.notifications.stops import stop_path
from tests.pages.conftest import Site


def path(site: Site) -> str:
    facility = site.house.facility
    whole = stop_path(site.house.services.keyring, slug=facility.slug, facility=facility.id, recipient=b"r" * 16)
    return whole.removeprefix(f"/f/{facility.slug}")


@pytest.mark.parametrize(
    ("lang", "stop", "again"),
    [
        ("en", "Stop these messages", "Send me messages again"),
        ("ar", "إيقاف هذه الرسائل", "أرسلوا لي الرسائل من جديد"),
    ],
)
async def test_one_tap_stops_and_another_takes_it_back(site: Site, lang: str, stop: str, again: str) -> None:
    page = await site.visit(path(site), lang, java_script_enabled=False)
    for _ in range(2):
        await page.get_by_role("button", name=stop).click()
        await expect(page.get_by_role("status")).to_be_visible()
        await page.get_by_role("button", name=again).click()
    await expect(page.get_by_role("button", name=stop)).to_be_visible()


async def test_the_address_stays_between_the_reader_and_us(site: Site) -> None:
    page = await site.visit(path(site))
    answer = await page.reload()
    assert answer is not None
    headers = answer.headers
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
