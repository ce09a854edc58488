"""A patient's record at reception: changing it, one person registered twice, what has happened and who read it."""

import re
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, Route, ViewportSize, expect

from dawr.accounts.rules import Role
from tests.pages.conftest import LAPTOP, PHONE, Site
from tests.pages.test_languages import check
from tests.pages.test_reception import API, choose, open_page, registered, visit


async def now(reception: httpx2.AsyncClient, patient: str) -> dict[str, Any]:
    card: dict[str, Any] = (await reception.get(f"{API}/patients/{patient}")).json()
    return card


async def opened(site: Site, panel: str, **options: Any) -> Page:
    """The first one found of the name, with one of the panels below the card open."""
    page = await open_page(site, **options)
    await choose(page, "amina")
    await page.click(f"#{panel} > summary")
    return page


async def test_a_record_is_changed_field_by_field(site: Site, reception: httpx2.AsyncClient) -> None:
    known: dict[str, Any] = {"names": {"fr": "Amine"}, "phone": "55501234", "birth_year": 1960, "language": "fr"}
    patient = (await registered(reception, **known))["patient"]
    page = await opened(site, "editing")
    await page.fill("#edit-name_ar", "أمينة خان")
    await page.click("#edit-phone-more")
    await page.fill("#edit-phones input >> nth=1", "55509999")
    await page.fill("#edit-birth_date", "1960-05-17")
    await page.uncheck("#edit-form [value=whatsapp]")
    await page.fill("#edit-quiet_from", "21:00")
    await page.fill("#edit-quiet_to", "07:30")
    await page.click("#edit-form .primary")
    await expect(page.locator("#said")).to_contain_text("Saved")
    await expect(page.locator("#person-about")).to_contain_text("May 17, 1960")
    card = await now(reception, patient)
    assert card["names"] == {"fr": "Amine", "ar": "أمينة خان"}
    assert (card["phones"], card["language"]) == (["+97455501234", "+97455509999"], "fr")
    assert card["preferences"]["channels"] == ["sms", "email", "push"]
    assert (card["preferences"]["quiet_from"], card["preferences"]["quiet_to"]) == ("21:00", "07:30")


async def test_what_a_colleague_changed_meanwhile_is_shown_and_nothing_typed_is_lost(
    site: Site, reception: httpx2.AsyncClient
) -> None:
    patient = (await registered(reception, phone="55501234"))["patient"]
    page = await opened(site, "editing")
    await page.fill("#edit-name", "Amina Mine")
    await page.fill("#edit-email", "amina@example.org")
    theirs = {"name": "Amina Theirs", "gender": "female"}
    assert (await reception.patch(f"{API}/patients/{patient}", json=theirs)).status_code == 200
    await page.click("#edit-form .primary")
    await expect(page.locator("#edit-name-mistake")).to_contain_text("Amina Theirs")
    assert await page.input_value("#edit-name") == "Amina Mine"
    assert await page.input_value("#edit-gender") == "female"
    await page.click("#edit-form .primary")
    await expect(page.locator("#person-name")).to_have_text("Amina Mine")
    card = await now(reception, patient)
    assert (card["name"], card["gender"], card["email"]) == ("Amina Mine", "female", "amina@example.org")
    site.forgive("409")


@pytest.mark.parametrize("path", [r"/patients/[^/]+$", r"/patients/[^/]+/open$"], ids=["refused", "compared"])
async def test_what_a_colleague_changed_in_another_record_comes_too_late(
    site: Site, reception: httpx2.AsyncClient, path: str
) -> None:
    patient = (await registered(reception, phone="55501234"))["patient"]
    await registered(reception, "Zubaida", phone="55509999")
    page = await opened(site, "editing")
    late: list[Route] = []
    await page.fill("#edit-name", "Amina Mine")
    await reception.patch(f"{API}/patients/{patient}", json={"name": "Amina Theirs", "email": "amina@example.org"})
    await page.route(re.compile(path), lambda route: late.append(route), times=1)
    async with page.expect_request(re.compile(path)):
        await page.click("#edit-form .primary")
    await choose(page, "Zubaida")
    await page.click("#editing > summary")
    await page.fill("#edit-email", "zubaida@example.org")
    await late[0].continue_()
    await expect(page.locator("#error")).to_contain_text("Amina Khan: what was typed was not saved")
    await expect(page.locator("#edit-name-mistake")).to_be_hidden()
    assert await page.input_value("#edit-name") == "Zubaida"
    await page.click("#edit-form .primary")
    await expect(page.locator("#person-name")).to_have_text("Zubaida")
    await expect(page.locator("#person-about")).to_contain_text("+97455509999")
    assert (await now(reception, patient))["name"] == "Amina Theirs"
    site.forgive("409")


async def test_what_was_saved_late_does_not_come_back_on_the_screen(site: Site, reception: httpx2.AsyncClient) -> None:
    patient = (await registered(reception))["patient"]
    await registered(reception, "Zubaida")
    page = await opened(site, "editing")
    late: list[Route] = []
    await page.fill("#edit-name", "Amina Mine")
    await page.route(re.compile(r"/patients/[^/]+$"), lambda route: late.append(route), times=1)
    async with page.expect_request(re.compile(r"/patients/[^/]+$")):
        await page.click("#edit-form .primary")
    await choose(page, "Zubaida")
    await late[0].continue_()
    await expect(page.locator("#said")).to_contain_text("Amina Mine: saved.")
    await expect(page.locator("#person-name")).to_have_text("Zubaida")
    assert (await now(reception, patient))["name"] == "Amina Mine"


async def test_a_slip_that_comes_late_is_not_the_next_persons(site: Site, reception: httpx2.AsyncClient) -> None:
    await registered(reception)
    await registered(reception, "Zubaida")
    page = await open_page(site)
    await choose(page, "Amina Khan")
    late: list[Route] = []
    await page.route(re.compile(r"/visits$"), lambda route: late.append(route), times=1)
    async with page.expect_request(re.compile(r"/visits$")):
        await page.select_option("#visit-clinic", "lab")
        await page.click("#visit-form .primary")
    await choose(page, "Zubaida")
    await late[0].continue_()
    await expect(page.locator("#said")).to_contain_text("Amina Khan: Visit")
    await expect(page.locator("#slip")).to_be_hidden()
    await expect(page.locator("#person-name")).to_have_text("Zubaida")


async def test_one_person_registered_twice_is_merged_and_taken_apart(site: Site, reception: httpx2.AsyncClient) -> None:
    first = (await registered(reception, "Amina Khan", phone="55501234"))["patient"]
    await registered(reception, "Amina Kahn", phone="55501234", email="amina@example.org")
    page = await opened(site, "same")
    await page.click("#same-likely button")
    await expect(page.locator(".compare .differs")).to_contain_text(["Amina Khan", "amina@example.org"])
    await page.check("[name=stays][value=other]")
    await page.click("#merge-form .primary")
    await expect(page.locator("#merge-sure-mistake")).to_be_visible()
    await page.check("[name=sure]")
    await page.click("#merge-form .primary")
    await expect(page.locator("#person-name")).to_have_text("Amina Khan")
    assert len((await reception.post(f"{API}/patients/search", json={"query": "amina"})).json()["items"]) == 1
    await page.click("#said-undo")
    await expect(page.locator("#said")).to_contain_text("two records again")
    assert len((await reception.post(f"{API}/patients/search", json={"query": "amina"})).json()["items"]) == 2
    assert (await now(reception, first))["patient"] == first


async def test_a_merged_record_is_taken_apart_later_too(site: Site, reception: httpx2.AsyncClient) -> None:
    stays = (await registered(reception))["patient"]
    goes = (await registered(reception, "Zubaida"))["patient"]
    await reception.post(f"{API}/patients/{goes}/merge", json={"into": stays})
    page = await opened(site, "same")
    await expect(page.locator("#parts li")).to_contain_text("Zubaida")
    await page.click("#parts button")
    await expect(page.locator("#said")).to_contain_text("two records again")
    assert (await now(reception, goes))["name"] == "Zubaida"


async def test_the_trail_says_what_happened_and_to_administrators_who_read_it(
    site: Site, reception: httpx2.AsyncClient
) -> None:
    await visit(reception)
    page = await opened(site, "trail")
    await expect(page.locator("#entries li")).to_contain_text("Lab")
    await expect(page.locator("#accesses, #changes")).to_have_count(0)
    page = await opened(site, "trail", role=Role.ADMINISTRATOR)
    await expect(page.locator("#accesses li").first).to_contain_text(re.compile(r"Rui.*read the history"))


async def test_administrators_see_who_changed_the_record(site: Site, reception: httpx2.AsyncClient) -> None:
    patient = (await registered(reception))["patient"]
    await reception.patch(f"{API}/patients/{patient}", json={"phone": "55501234", "birth_year": 1980})
    other = (await registered(reception, "Zubaida"))["patient"]
    await reception.post(f"{API}/patients/{other}/merge", json={"into": patient})
    page = await opened(site, "trail", role=Role.ADMINISTRATOR)
    changes = page.locator("#changes li")
    await expect(changes).to_have_count(5)
    await expect(changes.nth(3)).to_contain_text(re.compile(r"Staff.*changed: Date of birth, Phones"))
    await expect(changes.first).to_contain_text("another record was merged into it")


@pytest.mark.parametrize(
    ("panel", "path", "rows"), [("trail", "history", "#entries li"), ("same", "duplicates", "#same-likely > *")]
)
async def test_an_answer_about_somebody_else_comes_too_late(
    site: Site, reception: httpx2.AsyncClient, panel: str, path: str, rows: str
) -> None:
    await visit(reception, name="Amina Khan", phone="55501234")
    await registered(reception, "Amina Kahn", phone="55501234")
    await registered(reception, "Zubaida")
    late: list[Route] = []

    async def hold_the_first(route: Route) -> None:
        late.append(route)
        if len(late) > 1:
            await route.continue_()

    page = await open_page(site)
    await page.route(re.compile(rf"/patients/.*{path}"), hold_the_first)
    await choose(page, "Amina Khan")
    await page.click(f"#{panel} > summary")
    await choose(page, "Zubaida")
    async with page.expect_response(re.compile(path)):
        await page.click(f"#{panel} > summary")
    async with page.expect_response(re.compile(path)) as answered:
        await late[0].continue_()
    await (await answered.value).finished()
    await page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    await expect(page.locator(rows)).to_have_count(0)


@pytest.mark.parametrize(("lang", "scheme", "size"), [("ar", "light", PHONE), ("en", "dark", LAPTOP)])
async def test_the_record_in_other_languages_on_other_screens(
    site: Site, reception: httpx2.AsyncClient, lang: str, scheme: str, size: ViewportSize
) -> None:
    for name in ("Amina Khan", "Amina Kahn"):
        await registered(reception, name, phone="55501234", names={"ar": "أمينة"})
    options: dict[str, Any] = {"lang": lang, "size": size, "color_scheme": scheme, "reduced_motion": "reduce"}
    page = await opened(site, "editing", role=Role.ADMINISTRATOR, **options)
    await page.click("#same > summary")
    await page.click("#same-likely button")
    await expect(page.locator("#merge-title")).to_be_focused()
    await page.click("#trail > summary")
    await expect(page.locator("#accesses li").first).to_be_visible()
    await check(page, lang)
