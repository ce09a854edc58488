"""Reception: find or register, make a visit, hand out the ticket; the day's lists, the inbox."""

import re
from typing import Any

import httpx2
import pytest
import segno
from playwright.async_api import Page, Route, ViewportSize, expect

from dawr.accounts.rules import Role
from dawr.notifications import jobs
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.visits import commands as visits
from tests.appointments.conftest import Practice
from tests.conftest import House
from tests.pages.conftest import LAPTOP, PHONE, Site, sign_in
from tests.pages.test_delivery import weigh
from tests.pages.test_languages import check

API = "/api/v1"
STAFF_PAGE_BYTES = 150_000


async def open_page(site: Site, lang: str = "en", role: Role = Role.RECEPTION, **options: Any) -> Page:
    """Rui, signed in at reception's page."""
    page = await site.staff("/reception", role, lang, **options)
    await expect(page.locator("#visits h2 span")).not_to_be_empty()
    return page


async def registered(reception: httpx2.AsyncClient, name: str = "Amina Khan", **known: Any) -> dict[str, Any]:
    answer = await reception.post(f"{API}/patients", json={"name": name} | known)
    assert answer.status_code == 201, answer.text
    card: dict[str, Any] = answer.json()
    return card


async def visit(reception: httpx2.AsyncClient, **known: Any) -> dict[str, Any]:
    wish = {"patient": (await registered(reception, **known))["patient"], "clinic": "lab"}
    answer = await reception.post(f"{API}/visits", json=wish)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def choose(page: Page, text: str) -> None:
    await page.fill("#find-query", text)
    await page.press("#find-query", "Enter")
    await page.click(f"#found button:has-text('{text}') >> nth=0")
    await expect(page.locator("#person-name")).to_be_focused()


async def test_a_day_by_keyboard_alone(site: Site) -> None:
    page = await open_page(site)
    keys = page.keyboard
    await keys.press("Tab")  # a letter is a letter where one types
    await keys.press("n")
    for text in ("Amina Khan", "أمينة خان", "5550 1234"):
        await keys.type(text)
        await keys.press("Tab")
    await keys.press("Enter")
    await expect(page.locator("#person-name")).to_be_focused()
    for _ in range(10):
        await keys.press("Tab")
        if await page.locator("#visit-clinic").evaluate("one => one === document.activeElement"):
            break
    await keys.type("Lab")
    await keys.press("Tab")
    await keys.press("Tab")
    await keys.type("fever")
    await keys.press("Enter")
    await expect(page.locator("#slip-title")).to_be_focused()
    await expect(page.locator("#slip .code")).to_have_text("LAB-001")
    await expect(page.locator("#slip-number")).to_have_text(re.compile(r"^V-\d{8}-0001$"))
    await keys.press("Escape")
    await expect(page.locator("#find-query")).to_be_focused()
    await expect(page.locator("#visits li")).to_contain_text("Amina Khan")
    await page.locator("#visits [data-verb=cancel]").focus()
    await keys.press("Enter")
    await expect(page.locator("#visits [data-status=cancelled]")).to_have_count(1)
    await expect(page.locator("#visits [data-verb=reopen]")).to_be_focused()
    await keys.press("Enter")
    await expect(page.locator("#visits [data-status=waiting]")).to_have_count(1)


async def test_people_of_one_name_are_told_apart_and_found_by_arrows(site: Site, reception: httpx2.AsyncClient) -> None:
    await registered(reception, birth_year=1960, phone="55501234")
    await registered(reception, birth_date="1990-05-17", phone="55509876")
    page = await open_page(site)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.keyboard.type("amina")
    await page.keyboard.press("Enter")
    await expect(page.locator("#found li")).to_have_count(2)
    await expect(page.locator("#found")).to_contain_text("May 17, 1990")
    assert "5550" not in await page.inner_text("#found")
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("#person-about")).to_contain_text("+97455501234")
    assert asked
    assert not [url for url in asked if "amina" in url.lower() or "5550" in url]


async def test_more_than_a_page_is_found_page_by_page(site: Site, house: House) -> None:
    here = house.here(house.rui)
    async with here.write() as tx:
        for number in range(21):
            await patients.create(tx, here, Identity(name=f"Amina {number}"))
    page = await open_page(site)
    await page.fill("#find-query", "amina")
    await page.press("#find-query", "Enter")
    await expect(page.locator("#found li")).to_have_count(20)
    await page.fill("#find-query", "something else")
    await page.click("#found-more")
    await expect(page.locator("#found-count")).to_have_text("21 patients found")
    await expect(page.locator("#found li button >> nth=20")).to_be_focused()


async def test_who_is_likely_registered_already_is_shown_before_saving(
    site: Site, reception: httpx2.AsyncClient
) -> None:
    await registered(reception, phone="55501234")
    page = await open_page(site)
    await page.click("#register")
    await page.fill("#new-name", "Amina Kahn")
    await page.fill("#new-phone", "55501234")
    await page.click("#new-save")
    await expect(page.locator("#likely")).to_contain_text("same phone")
    assert len((await reception.post(f"{API}/patients/search", json={"query": "amina"})).json()["items"]) == 1
    assert not await page.locator("#new-save").is_visible()
    await page.click("#new-anyway")
    await expect(page.locator("#person-name")).to_have_text("Amina Kahn")


async def test_a_mistake_is_said_beside_its_field_and_nothing_typed_is_lost(site: Site) -> None:
    page = await open_page(site, "ar")
    await page.click("#register")
    await page.fill("#new-name", "Amina")
    await page.fill("#new-phone", "what?")
    await page.click("#new-save")
    mistake = page.locator("#new-phone-mistake")
    await expect(mistake).to_have_text(re.compile(r"[\u0600-\u06ff]"))
    await expect(page.locator("#new-phone")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#new-phone")).to_be_focused()
    assert await page.input_value("#new-name") == "Amina"
    await page.fill("#new-phone", "")
    await expect(mistake).to_be_hidden()
    site.forgive("422")


async def test_a_lost_answer_registers_one_person_however_often_the_button_is_pressed(
    site: Site, reception: httpx2.AsyncClient
) -> None:
    page = await open_page(site)
    lost: list[str] = []

    async def lose(route: Route) -> None:
        lost.append(route.request.headers["idempotency-key"])
        answer = await route.fetch()
        await (route.abort() if len(lost) <= 3 else route.fulfill(response=answer))

    await page.route("**/api/v1/patients", lose)
    await page.click("#register")
    await page.fill("#new-name", "Amina")
    await page.click("#new-save")
    await expect(page.locator("#new-form .form-mistake")).to_be_visible()
    await page.click("#new-save")
    await expect(page.locator("#person-name")).to_have_text("Amina")
    assert len(set(lost)) == 1
    assert len((await reception.post(f"{API}/patients/search", json={"query": "amina"})).json()["items"]) == 1
    site.forgive("ERR_FAILED")


async def test_who_waits_there_already_gets_that_ticket_again(site: Site, reception: httpx2.AsyncClient) -> None:
    await visit(reception)
    page = await open_page(site)
    await choose(page, "amina")
    await page.select_option("#visit-clinic", "lab")
    await page.fill("#visit-reason", "fever")
    await page.click("#visit-form .primary")
    await expect(page.locator("#visit-clinic-mistake")).to_have_text("This person is already in that queue")
    assert await page.input_value("#visit-reason") == "fever"
    await page.click("#visit-form .form-mistake button")
    await expect(page.locator("#slip .code")).to_have_text("LAB-001")
    site.forgive("409")


async def test_what_was_written_about_one_person_is_not_sent_for_the_next(
    site: Site, reception: httpx2.AsyncClient
) -> None:
    await registered(reception)
    await registered(reception, "Omar Said")
    page = await open_page(site)
    await choose(page, "amina")
    await page.fill("#visit-reason", "fever")
    await page.select_option("#visit-doctor", "dana")
    assert await page.input_value("#visit-clinic") == "lab"
    await choose(page, "omar")
    assert [await page.input_value(f"#visit-{name}") for name in ("reason", "clinic", "doctor")] == ["", "", ""]


async def test_the_slip_leads_to_the_ticket_and_is_printed_alone(site: Site, reception: httpx2.AsyncClient) -> None:
    made = await visit(reception)
    page = await open_page(site)
    await page.click("#visits [data-verb=slip]")
    image = page.locator("#slip img")
    await expect(image).to_have_attribute("src", re.compile(re.escape(made["tickets"][0]["follow"]) + "/code.svg$"))
    await image.evaluate("one => one.decode()")
    await page.evaluate("window.print = () => { document.title = 'printed' }")
    await page.keyboard.press("p")
    await expect(page).to_have_title("printed")
    await page.emulate_media(media="print")
    seen = await page.inner_text("body")
    assert "LAB-001" in seen
    assert "Amina" not in seen
    assert await image.is_visible()
    for hidden in (".bar", ".days", "#find", "#print"):
        await expect(page.locator(hidden)).to_be_hidden()


async def test_the_code_is_the_tickets_own_address(
    site: Site, live_form: httpx2.AsyncClient, reception: httpx2.AsyncClient, house: House
) -> None:
    follow = (await visit(reception))["tickets"][0]["follow"]
    drawn = await live_form.get(f"{follow}/code.svg")
    address = f"{house.services.settings.url}/f/{house.facility.slug}{follow}"
    modules = segno.make(address, error="m", micro=False).svg_inline(scale=6, border=4, light="#fff")
    assert modules.split("stroke=")[1] in drawn.text
    assert drawn.headers["cache-control"] == "no-store"
    assert (await live_form.get("/t/nothing/code.svg")).status_code == 404


async def test_what_happens_at_a_desk_shows_by_itself(site: Site, reception: httpx2.AsyncClient) -> None:
    page = await open_page(site)
    made = await visit(reception)
    await expect(page.locator("#visits [data-status=waiting]")).to_have_count(1)
    ticket = made["tickets"][0]["ticket"]
    for verb in ("call", "serve"):
        answer = await reception.post(f"{API}/queue/{verb}", json={"ticket": ticket})
        assert answer.status_code == 200, answer.text
    await expect(page.locator("#visits [data-status=in_progress]")).to_have_count(1)


async def test_an_appointment_is_booked_and_checked_in(site: Site, reception: httpx2.AsyncClient, house: House) -> None:
    practice = Practice(house)
    practice.set_clock("09:00")
    await practice.hours()
    page = await open_page(site)
    await practice.patient("Amina Khan")
    await choose(page, "amina")
    await page.click("#booking summary")
    await page.select_option("#book-doctor", "dana")
    await page.check("#book-slots input >> nth=1")
    await page.click("#book-form .primary")
    await expect(page.locator("#said")).to_contain_text("Booked:")
    await page.select_option("#appointments-doctor", "dana")
    await page.click("#appointments [data-verb=check_in]")
    await expect(page.locator("#slip .code")).to_have_text("LAB-001")
    await expect(page.locator("#appointments [data-status=checked_in]")).to_have_count(1)


async def test_a_slot_that_was_just_taken_is_said_where_it_is_chosen(site: Site, house: House) -> None:
    practice = Practice(house)
    practice.set_clock("09:00")
    await practice.hours()
    await practice.patient("Amina Khan")
    page = await open_page(site)
    await choose(page, "amina")
    await page.click("#booking summary")
    await page.select_option("#book-doctor", "dana")
    await page.check("#book-slots input >> nth=3")
    start = await page.locator("#book-slots input:checked").get_attribute("value")
    await practice.book((start or "")[11:16])
    await page.click("#book-form .primary")
    await expect(page.locator("#book-start-mistake")).to_have_text("This slot is taken")
    await expect(page.locator(f"#book-slots input[value='{start}']")).to_have_count(0)
    site.forgive("409")


async def test_the_bell_tells_of_a_new_visit_until_it_was_read(
    site: Site, reception: httpx2.AsyncClient, house: House
) -> None:
    made = await visit(reception)
    told = {"visit": made["visit"], "type": "visit_created"}
    await jobs.visit_events(house.services, house.facility.id, [told])
    page = await open_page(site)
    await expect(page.locator("#unread")).to_contain_text("1")
    await page.locator("#bell").press("Enter")
    await expect(page.locator("#inbox li")).to_contain_text(made["visit_number"])
    await page.keyboard.press("Enter")
    await expect(page.locator("#unread")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(page.locator("#inbox")).to_be_hidden()


async def signed_out(page: Page) -> Page:
    """The session ends while a visit is typed; the window in which somebody may sign in."""
    await choose(page, "amina")
    await page.select_option("#visit-clinic", "lab")
    await page.fill("#visit-reason", "fever")
    await page.context.clear_cookies()
    await page.click("#visit-form .primary")
    async with page.context.expect_page() as opened:
        await page.click("#visit-form .form-mistake a")
    return await opened.value


async def test_whoever_was_signed_out_signs_in_in_another_window_and_goes_on(
    site: Site, reception: httpx2.AsyncClient
) -> None:
    await registered(reception)
    page = await open_page(site)
    me = await (await page.request.get(f"{site.url}{API}/auth/me")).json()
    other = await signed_out(page)
    await sign_in(other, me["email"])
    await expect(other.locator("#find-query")).to_be_visible()
    await page.click("#visit-form .primary")
    await expect(page.locator("#slip .code")).to_have_text("LAB-001")
    site.forgive("401")
    site.forgive("403")


async def test_somebody_else_who_signs_in_there_does_not_go_on(site: Site, reception: httpx2.AsyncClient) -> None:
    await registered(reception)
    page = await open_page(site)
    other = await signed_out(page)
    await sign_in(other, await site.hire())
    await expect(other.locator("#find-query")).to_be_visible()
    async with page.expect_response("**/api/v1/visits") as refused:
        await page.click("#visit-form .primary")
    assert (await refused.value).status == 403
    await expect(page.locator("#visit-form .form-mistake")).to_be_visible()
    await expect(page.locator("#visits .row")).to_have_count(0)
    site.forgive("401")
    site.forgive("403")


async def test_the_desk_leads_there_but_not_the_doctors(site: Site) -> None:
    desk = await site.desk(Role.ADMINISTRATOR)
    await desk.click(".who a")
    await expect(desk.locator("#find-query")).to_be_visible()
    desk = await site.desk(Role.DOCTOR)
    await expect(desk.locator(".who a")).to_have_count(0)
    answer = await desk.goto(site.url + "/reception")
    assert answer
    assert answer.status == 403
    site.forgive("403")


@pytest.mark.parametrize(
    ("lang", "scheme", "size"), [("ar", "light", PHONE), ("en", "dark", LAPTOP), ("hi", "light", PHONE)]
)
async def test_every_language_on_any_screen(
    site: Site, house: House, lang: str, scheme: str, size: ViewportSize
) -> None:
    practice = Practice(house)
    practice.set_clock("09:00")
    await practice.hours()
    amina = Identity(name="Amina Khan", names={"ar": "أمينة خان"}, phones=("+97455501234",), birth_year=1960)
    here = house.here(house.rui)
    async with here.write() as tx:
        known = (await patients.create(tx, here, amina)).patient
        await visits.create(tx, here, patient_id=known, clinic="lab")
    await practice.book("10:00", patient=known)
    page = await open_page(site, lang, size=size, color_scheme=scheme, reduced_motion="reduce")
    await choose(page, "amina")
    await page.click("#booking summary")
    await page.select_option("#book-doctor", "dana")
    await expect(page.locator("#book-slots input").first).to_be_attached()
    await page.click("#visit-form .primary")
    await expect(page.locator("#visit-clinic-mistake")).to_be_visible()
    await page.click("#register")
    await page.fill("#new-name", "Amina")
    await page.fill("#new-phone", "55501234")
    await page.click("#new-save")
    await expect(page.locator("#likely")).to_be_visible()
    await check(page, lang)
    await page.click("#visits [data-verb=slip]")
    await page.click("#bell")
    await check(page, lang)
    site.forgive("422")


async def test_the_page_is_light(site: Site) -> None:
    page = await open_page(site)
    assert await weigh(page, site.url + "/reception") < STAFF_PAGE_BYTES
