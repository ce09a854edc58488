"""Registering a patient."""

import secrets

import pytest

from dawr.accounts.rules import Role
from dawr.platform import events
from tests.conftest import House, Live, found_house
from tests.patients.conftest import AMINA, card_of, made

PATIENTS = "/api/v1/patients"


async def test_what_is_given_is_kept_and_answered(house: House, live: Live) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        answer = await rui.post(PATIENTS, json=AMINA)
    assert answer.status_code == 201
    content = answer.json()
    assert {name: content[name] for name in AMINA} == AMINA | {"phone": "+97455501234"}
    assert (content["version"], content["birth_year"], content["duplicates"]) == (1, 1980, [])
    assert answer.headers["cache-control"] == "no-store"


async def test_a_name_alone_is_enough(house: House, live: Live) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        content = (await rui.post(PATIENTS, json={"name": "Amina"})).json()
    assert (content["name"], content["phone"], content["phones"], content["erased"]) == ("Amina", None, [], False)
    assert content["preferences"] == {"channels": None, "quiet_from": None, "quiet_to": None, "opted_out": False}


async def test_a_year_of_birth_is_enough(house: House, live: Live) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        content = (await rui.post(PATIENTS, json={"name": "Amina", "birth_year": 1950})).json()
    assert (content["birth_date"], content["birth_year"]) == (None, 1950)


async def test_wishes_are_kept(house: House, live: Live) -> None:
    wishes = {"channels": ["sms"], "quiet_from": "21:00", "quiet_to": "07:30", "opted_out": True}
    async with live.staff(house, Role.RECEPTION) as rui:
        content = (await rui.post(PATIENTS, json={"name": "Amina", "preferences": wishes})).json()
        assert (await rui.get(f"{PATIENTS}/{content['patient']}")).json()["preferences"] == wishes


MISTAKES: list[dict[str, object]] = [
    {"name": ""},
    {"name": "A", "birth_date": "2999-01-01"},
    {"name": "A", "birth_date": "1980-13-01"},
    {"name": "A", "birth_date": 19800101},
    {"name": "A", "birth_year": 1700},
    {"name": "A", "birth_date": "1980-05-01", "birth_year": 1981},
    {"name": "A", "gender": "f"},
    {"name": "A", "phone": "call me"},
    {"name": "A", "email": "nobody"},
    {"name": "A", "preferences": {"quiet_from": "21:00"}},
    {"name": "A", "preferences": {"opted_out": 1}},
    {"name": "A", "patient": "mine"},
    {"name": "A", "version": 1},
    {},
]


async def test_a_mistake_is_refused(house: House, live: Live) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        accepted = [one for one in MISTAKES if (await rui.post(PATIENTS, json=one)).status_code != 422]
    assert accepted == []


@pytest.mark.parametrize(("role", "status"), [(Role.DOCTOR, 403), (Role.DISPLAY, 403), (Role.ADMINISTRATOR, 201)])
async def test_who_may(house: House, live: Live, role: Role, status: int) -> None:
    async with live.staff(house, role) as somebody:
        assert (await somebody.post(PATIENTS, json={"name": "Amina"})).status_code == status


async def test_a_stranger_may_not(house: House, live: Live) -> None:
    async with live.client(house) as stranger:
        assert (await stranger.post(PATIENTS, json={"name": "Amina"})).status_code == 401


async def test_the_same_request_again_makes_nobody_twice(house: House, live: Live) -> None:
    key = {"Idempotency-Key": secrets.token_hex(16)}
    async with live.staff(house, Role.RECEPTION) as rui:
        first = await rui.post(PATIENTS, json=AMINA, headers=key)
        again = await rui.post(PATIENTS, json=AMINA, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"


async def test_the_event_names_nobody(house: House) -> None:
    card = await made(house, "Amina Canary", phones=("55501234",))
    async with house.here().read() as tx:
        (event,) = await events.history(tx, card.patient)
    assert (event.stream, event.type, event.version, dict(event.data)) == (
        f"patient:{card.patient}",
        "patient_created",
        1,
        {},
    )


async def test_the_tables_hold_nothing_readable(house: House, live: Live) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        await rui.post(PATIENTS, json=AMINA)
    async with house.here().read() as tx:
        for table in ("patient", "patient_key", "patient_index", "event", "idempotency_claim", "outbox"):
            dump = str([*(await tx.rows(f"SELECT row_to_json(t)::text AS row FROM {table} t"))])
            for canary in ("Amina", "Thani", "ثاني", "55501234", "28063400123", "amina.canary", "1980-05-01"):
                assert canary not in dump, (table, canary)
                assert canary.encode().hex() not in dump, (table, canary)


async def test_another_facility_does_not_have_the_patient(house: House, live: Live) -> None:
    card, other = await made(house), await found_house(house.services)
    async with live.staff(other, Role.RECEPTION) as sam:
        assert (await sam.get(f"{PATIENTS}/{card.patient}")).json()["code"] == "patient_not_found"
    assert (await card_of(house, card.patient)).name == "Amina Al-Thani"
