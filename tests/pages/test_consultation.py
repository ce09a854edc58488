"""The doctor's pages: the consultation from the desk to the next patient, the history, the doctor's own day."""

import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Page, Route, ViewportSize, expect

from dawr.consultations.commands import Finding, amend, complete
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.visits import commands as visits
from tests.appointments.conftest import Practice
from tests.conftest import House
from tests.consultations.conftest import NOTES, Room
from tests.consultations.conftest import floor as floor
from tests.consultations.conftest import room as room
from tests.pages.conftest import LAPTOP, PHONE, Site
from tests.pages.test_languages import check
from tests.tickets.conftest import Floor

AMINA = Identity(name="Amina Khan", names={"ar": "أمينة خان"}, phones=("+97455501234",), birth_year=1960)


async def arrive(house: House, identity: Identity = AMINA, reason: str | None = "cough") -> str:
    """Somebody whom reception knows, waiting in the lab; their record."""
    here = house.here(house.rui)
    async with here.write() as tx:
        known = (await patients.create(tx, here, identity)).patient
        await visits.create(tx, here, patient_id=known, clinic="lab", reason=reason)
    return str(known)


async def consulting(site: Site, lang: str = "en", **options: Any) -> Page:
    """Dana, who has called the first and opened the consultation."""
    page = await site.doctor("/desk?clinic=lab", lang, **options)
    await page.click("#call-next")
    await page.click("#now-consult")
    await page.click("#calling [data-verb=serve]")
    await expect(page.locator("#timer")).to_be_visible()
    return page


async def drafts(page: Page) -> str:
    kept: str = await page.evaluate("JSON.stringify([Object.entries(sessionStorage), Object.entries(localStorage)])")
    return kept


async def test_from_the_desk_to_the_next_patient(site: Site, house: House) -> None:
    await arrive(house)
    await arrive(house, Identity(name="Omar Said"))
    page = await consulting(site)
    await expect(page.locator("#person-name")).to_have_text("Amina Khan")
    await expect(page.locator("#reason")).to_contain_text("cough")
    await expect(page.locator("#timer")).to_have_text(re.compile(r"^\d:\d\d$"))
    await page.fill("#consult-notes", NOTES)
    await page.select_option("#consult-outcome", "treated")
    await page.select_option("#consult-refer_to", "xray")
    await page.click("#saving [value=next]")
    await expect(page.locator("#person-name")).to_have_text("Omar Said")
    assert await page.input_value("#consult-notes") == ""
    assert "Cough for two" not in await drafts(page)
    await page.go_back()
    await expect(page.locator("#over")).to_contain_text("LAB-001 is over (sent on)")
    await page.click("#history-open")
    await expect(page.locator("#history-list [data-kind=consultation]")).to_contain_text(NOTES.split("\n")[1])


async def test_nothing_typed_is_lost_to_a_reload_and_nothing_stays_on_the_computer(site: Site, house: House) -> None:
    await arrive(house)
    page = await consulting(site)
    await page.click("#saving [value=finish]")
    await expect(page.locator("#consult-notes-mistake")).to_be_visible()
    await page.fill("#consult-notes", NOTES)
    await page.select_option("#consult-outcome", "*")
    await page.fill("#consult-code", "2 days")
    await page.reload()
    assert await page.input_value("#consult-notes") == NOTES
    await page.click("#saving [value=finish]")
    await expect(page.locator("#consult-code-mistake")).to_be_visible()
    assert "Cough" not in await page.evaluate("JSON.stringify(Object.entries(localStorage))")
    await page.click(".who form button")
    await expect(page.locator("[name=email]")).to_be_visible()
    assert "Cough" not in await drafts(page)


async def test_a_lost_answer_is_saved_once_even_after_a_reload(site: Site, house: House) -> None:
    await arrive(house)
    page = await consulting(site)
    keys: list[str] = []

    async def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        answer = await route.fetch()
        await (route.abort() if len(keys) <= 3 else route.fulfill(response=answer))

    await page.route("**/api/v1/consultations", lose)
    await page.fill("#consult-notes", NOTES)
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#consult-form .form-mistake")).to_be_visible()
    await page.reload()
    await page.click("#saving [value=finish]")
    await expect(page.locator("#saved-title")).to_contain_text("LAB-001 is saved")
    assert len(set(keys)) == 1
    site.forgive("ERR_FAILED")


async def test_what_somebody_else_did_to_the_ticket_leaves_the_words(site: Site, room: Room) -> None:
    await arrive(room.house)
    page = await consulting(site)
    await page.fill("#consult-notes", NOTES)
    [ticket] = (await room.doctor.get("/api/v1/queue/tickets", params={"clinic": "lab"})).json()["items"]
    answer = await room.doctor.post("/api/v1/queue/done", json={"ticket": ticket["ticket"]})
    assert answer.status_code == 200, answer.text
    await expect(page.locator("#over")).to_contain_text("LAB-001 is over (done)")
    await expect(page.locator("#saving")).to_be_hidden()
    assert await page.input_value("#consult-notes") == NOTES


async def test_a_doctor_who_is_a_stranger_reads_the_history_for_a_reason(site: Site, room: Room) -> None:
    patient, ticket = await room.patient()
    await room.consulted(ticket, outcome="own.code")
    page = await site.doctor(f"/history/{patient}", clinics=["xray"])
    await expect(page.locator("#open-reason")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#open-reason-mistake")).to_be_visible()
    await page.keyboard.type("called by the ward")
    await page.keyboard.press("Enter")
    await expect(page.locator("#person-name")).to_have_text("Amina Haddad")
    await expect(page.locator("#history-list li")).to_have_count(2)
    await expect(page.locator("#history-list")).to_contain_text("own.code")
    async with room.house.here().read() as tx:
        broken = await tx.rows("SELECT purpose FROM patient_access WHERE break_glass ORDER BY access")
    assert [row["purpose"] for row in broken] == ["history", "history"]
    site.forgive("403")


async def saved(site: Site, house: House) -> Page:
    """Dana's page after she has saved notes that she now looks at closely."""
    await arrive(house)
    page = await consulting(site)
    await page.fill("#consult-notes", NOTES)
    await page.select_option("#consult-outcome", "treated")
    await page.click("#saving [value=finish]")
    await page.click("#look")
    await expect(page.locator("#notes-versions li")).to_have_count(1)
    return page


async def test_notes_are_amended_and_what_stood_before_stays_readable(site: Site, house: House) -> None:
    page = await saved(site, house)
    assert await page.input_value("#amend-notes") == NOTES
    await page.fill("#amend-notes", "Asthma after all.")
    await page.select_option("#amend-outcome", "follow_up")
    await page.click("#amend-form .primary")
    await expect(page.locator("#saved-title")).to_have_text("Another version for LAB-001 is saved.")
    await page.click("#history-open")
    kept = page.locator("#history-list [data-kind=consultation]")
    await expect(kept).to_contain_text("Asthma after all.")
    await expect(kept.locator(".badge")).to_have_text("amended")
    await kept.get_by_role("button").click()
    await expect(page.locator("#notes-versions li")).to_contain_text(["Asthma after all.", "Cough for two weeks."])


async def test_a_consultation_is_withdrawn_for_a_reason(site: Site, house: House) -> None:
    page = await saved(site, house)
    await page.keyboard.press("Escape")
    await expect(page.locator("#notes-versions li")).to_have_count(0)
    await page.click("#history-open")
    kept = page.locator("#history-list [data-kind=consultation]")
    await kept.get_by_role("button").click()
    await page.click("#withdrawing summary")
    await page.click("#withdraw-form .danger")
    await expect(page.locator("#withdraw-reason-mistake")).to_be_visible()
    await page.fill("#withdraw-reason", "another patient")
    await page.click("#withdraw-form .danger")
    await expect(kept.locator(".badge")).to_have_text("entered in error")
    await expect(kept).to_be_focused()
    await kept.get_by_role("button").click()
    await expect(page.locator("#notes-versions li")).to_contain_text(["another patient", "Cough for two weeks."])
    await expect(page.locator("#amend-form")).to_be_hidden()


async def test_a_version_that_came_between_is_shown_and_nothing_typed_is_lost(site: Site, house: House) -> None:
    page = await saved(site, house)
    await page.fill("#amend-notes", "Mine.")
    async with house.here().write() as tx:
        row = await tx.row("SELECT id, author FROM consultation")
        assert row is not None
        here = house.here(replace(house.dana, account_id=row["author"]))
        await amend(tx, here, row["id"], notes="From the other room.", outcome=None)
    await page.click("#amend-form .primary")
    await expect(page.locator("#notes-versions li")).to_contain_text(["From the other room.", "Cough for two weeks."])
    assert await page.input_value("#amend-notes") == "Mine."
    await page.click("#amend-form .primary")
    await expect(page.locator("#saved-title")).to_contain_text("Another version")
    site.forgive("409")


async def test_only_the_author_changes_notes_and_colleagues_of_the_clinic_read_them(site: Site, room: Room) -> None:
    patient, ticket = await room.patient()
    await room.consulted(ticket)
    page = await site.doctor(f"/history/{patient}")
    await page.locator("#history-list [data-kind=consultation] button").click()
    await expect(page.locator("#notes-versions li")).to_contain_text(["Cough for two weeks."])
    await expect(page.locator("#amend-form")).to_be_hidden()
    await expect(page.locator("#withdrawing")).to_be_hidden()


async def test_a_long_history_is_read_page_by_page(site: Site, room: Room) -> None:
    patient, ticket = await room.patient()
    for _ in range(10):
        await room.consulted(ticket)
        await room.again(patient)
        ticket = await room.serving()
    page = await site.doctor(f"/history/{patient}")
    await expect(page.locator("#history-list li")).to_have_count(20)
    await page.click("#history-more")
    await expect(page.locator("#history-list li >> nth=20")).to_be_focused()
    await expect(page.locator("#history-list li")).to_have_count(21)
    await expect(page.locator("#history-more")).to_be_hidden()


async def test_the_doctors_own_day_is_beside_the_queue(site: Site, floor: Floor) -> None:
    house = floor.house
    practice = Practice(house)
    practice.set_clock("09:00")
    await practice.hours()
    known = await practice.patient("Amina Khan")
    await practice.book("10:00", patient=known)
    async with house.here().write() as tx:
        finding = Finding((await floor.called("walk-in")).id, NOTES, None, None)
        await complete(tx, house.here(house.dana), finding)
    page = await site.doctor("/desk?clinic=lab")
    await expect(page.locator("#day-count")).to_have_text("1")
    await expect(page.locator("#day-mean")).to_have_text(re.compile(r"^\d+:\d\d$"))
    await page.click("#day li a")
    await expect(page).to_have_url(re.compile(f"/history/{known}$"))
    # Who has not been here yet: a reason is asked for.
    await expect(page.locator("#open-form")).to_be_visible()
    site.forgive("403")


async def test_only_doctors_of_the_clinic_consult(site: Site, room: Room) -> None:
    ticket = await room.walk_in()
    page = await site.doctor("/desk", clinics=["xray"])
    answer = await page.goto(f"{site.url}/consultation/{ticket.id}")
    assert answer
    assert answer.status == 403
    desk = await site.desk()
    await expect(desk.locator("#now-code")).to_have_text("LAB-001")
    await expect(desk.locator("#now-consult, #day")).to_have_count(0)
    answer = await desk.goto(f"{site.url}/history/{ticket.id}")
    assert answer
    assert answer.status == 403
    site.forgive("403")


@pytest.mark.parametrize(
    ("lang", "scheme", "size"), [("ar", "light", PHONE), ("en", "dark", LAPTOP), ("hi", "light", PHONE)]
)
async def test_every_language_on_any_screen(
    site: Site, house: House, lang: str, scheme: str, size: ViewportSize
) -> None:
    await arrive(house)
    page = await consulting(site, lang, size=size, color_scheme=scheme, reduced_motion="reduce")
    await page.click("#saving [value=finish]")
    await page.click("#history-open")
    await expect(page.locator("#history-list li")).to_have_count(1)
    await check(page, lang)
    await page.fill("#consult-notes", NOTES)
    await page.click("#saving [value=finish]")
    await expect(page.locator("#saved-title")).to_be_focused()
    await check(page, lang)
    await page.click("#look")
    await page.click("#withdrawing summary")
    await check(page, lang)
    await page.keyboard.press("Escape")
    await page.click("#saved a")
    await expect(page.locator("#day-count")).to_have_text("1")
    await check(page, lang)
