"""Opening a record leaves a trace, and not everybody may."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from dawr.accounts.rules import Actor, Role
from dawr.patients import commands, queries
from dawr.patients.rules import PATIENT_KNOWN_TO, PatientNotFound, RecordNeedsReason
from dawr.platform.db import ReadTx
from dawr.platform.errors import Forbidden, Unauthenticated
from tests.conftest import House, Live, found_house
from tests.patients.conftest import made, run, value

PATIENTS = "/api/v1/patients"


@pytest.fixture
def visits(house: House, monkeypatch: pytest.MonkeyPatch) -> set[tuple[UUID, str]]:
    """Who has or had a visit in which clinic, as a higher floor knows it."""
    known: set[tuple[UUID, str]] = set()

    async def ask(_: ReadTx, patient: UUID, clinics: frozenset[str]) -> bool:
        return any((patient, clinic) in known for clinic in clinics)

    monkeypatch.setitem(house.services.additions, PATIENT_KNOWN_TO, ask)
    return known


async def trail(house: House, patient: UUID) -> list[dict[str, Any]]:
    here = house.here(house.ada)
    async with here.read() as tx:
        return [one.answer() for one in await queries.accesses(tx, here, patient)]


async def test_reception_reads_and_it_is_kept(house: House, live: Live) -> None:
    card = await made(house)
    async with live.staff(house, Role.RECEPTION) as rui:
        answer = await rui.get(f"{PATIENTS}/{card.patient}")
    assert (answer.status_code, answer.json()) == (200, card.answer())
    (access,) = await trail(house, card.patient)
    assert (access["purpose"], access["break_glass"], access["reason"]) == ("reception", False, None)
    assert access["actor"].startswith("account:")


async def test_a_doctor_reads_whom_they_saw(house: House, visits: set[tuple[UUID, str]]) -> None:
    card = await made(house)
    visits.add((card.patient, "lab"))
    assert await run(house, house.dana, commands.open_record, card.patient, purpose="care") == card
    assert [one["break_glass"] for one in await trail(house, card.patient)] == [False]


async def test_a_doctor_reads_whom_they_saw_under_a_merged_record(house: House, visits: set[tuple[UUID, str]]) -> None:
    one, other = await made(house), await made(house)
    visits.add((one.patient, "lab"))
    await run(house, house.rui, commands.merge, one.patient, into=other.patient)
    assert await run(house, house.dana, commands.open_record, other.patient, purpose="care")


async def test_a_doctor_who_is_a_stranger_needs_a_reason(house: House, visits: set[tuple[UUID, str]]) -> None:
    card = await made(house)
    visits.add((card.patient, "xray"))
    with pytest.raises(RecordNeedsReason):
        await run(house, house.dana, commands.open_record, card.patient, purpose="care")
    assert await trail(house, card.patient) == []


async def test_with_a_reason_it_opens_and_is_marked(house: House, live: Live) -> None:
    card, reason = await made(house), "Unconscious, Canary allergy?"
    async with live.staff(house, Role.DOCTOR, clinics=["lab"]) as dana:
        assert (await dana.get(f"{PATIENTS}/{card.patient}")).json()["code"] == "record_needs_reason"
        answer = await dana.post(f"{PATIENTS}/{card.patient}/open", json={"reason": reason})
    assert answer.json()["name"] == card.name
    (access,) = await trail(house, card.patient)
    assert (access["purpose"], access["break_glass"], access["reason"]) == ("care", True, reason)
    assert b"Canary" not in bytes(await value(house, "SELECT reason_sealed FROM patient_access"))


async def test_administrators_see_who_read(house: House, live: Live) -> None:
    card = await made(house)
    for purpose in ("reception", "administration", "export"):
        await run(house, house.rui, commands.open_record, card.patient, purpose=purpose)
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        first = (await ada.get(f"{PATIENTS}/{card.patient}/accesses?limit=2")).json()
        rest = (await ada.get(f"{PATIENTS}/{card.patient}/accesses?limit=2&cursor={first['next']}")).json()
    assert [one["purpose"] for one in first["items"] + rest["items"]] == ["export", "administration", "reception"]
    assert rest["next"] is None


@pytest.mark.parametrize("role", [Role.RECEPTION, Role.DOCTOR, Role.DISPLAY])
async def test_nobody_else_sees_who_read(house: House, live: Live, role: Role) -> None:
    card = await made(house)
    async with live.staff(house, role) as somebody:
        assert (await somebody.get(f"{PATIENTS}/{card.patient}/accesses")).status_code == 403


async def test_the_trail_is_never_rewritten(house: House) -> None:
    card = await made(house)
    await run(house, house.rui, commands.open_record, card.patient, purpose="reception")
    for statement in ("UPDATE patient_access SET purpose = 'care'", "DELETE FROM patient_access"):
        with pytest.raises(Exception, match="permission denied"):
            async with house.here().write() as tx:
                await tx.execute(statement)
    assert len(await trail(house, card.patient)) == 1


async def test_displays_and_strangers_read_nothing(house: House) -> None:
    card = await made(house)
    with pytest.raises(Unauthenticated):
        await run(house, house.here().actor, commands.open_record, card.patient, purpose="care", reason="curious")
    display = Actor(kind="staff", account_id=uuid4(), role=Role.DISPLAY)
    with pytest.raises(Forbidden):
        await run(house, display, commands.open_record, card.patient, purpose="care", reason="curious")
    assert await trail(house, card.patient) == []


async def test_another_facility_opens_nothing_even_with_a_reason(house: House) -> None:
    card, other = await made(house), await found_house(house.services)
    with pytest.raises(PatientNotFound):
        await run(other, other.ada, commands.open_record, card.patient, purpose="care", reason="curious")
    assert await trail(house, card.patient) == []


@pytest.mark.parametrize(
    ("unknown", "code"), [("018f0000-0000-7000-8000-00000000dead", "patient_not_found"), ("not-an-id", "not_found")]
)
async def test_an_unknown_id_is_nobody(house: House, live: Live, unknown: str, code: str) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        answer = await rui.get(f"{PATIENTS}/{unknown}")
    assert (answer.status_code, answer.json()["code"]) == (404, code)
