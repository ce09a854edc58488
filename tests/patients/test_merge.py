"""Two records of one person become one, and two again."""

import asyncio

import pytest

from dawr.accounts.rules import Role
from dawr.patients import commands, queries
from dawr.patients.rules import CannotMerge, NotMerged, PatientNotFound
from dawr.platform import events
from dawr.platform.errors import Forbidden
from tests.conftest import House, Live, found_house
from tests.patients.conftest import card_of, found, made, run

PATIENTS = "/api/v1/patients"


async def test_a_merged_id_answers_as_the_surviving_one(house: House, live: Live) -> None:
    one, other = await made(house, "Amina One"), await made(house, "Amina Two")
    async with live.staff(house, Role.RECEPTION) as rui:
        answer = await rui.post(f"{PATIENTS}/{one.patient}/merge", json={"into": str(other.patient)})
        again = await rui.get(f"{PATIENTS}/{one.patient}")
    assert (answer.status_code, answer.json()["patient"]) == (200, str(other.patient))
    assert (again.json()["patient"], again.json()["name"]) == (str(other.patient), "Amina Two")


async def test_what_was_known_of_either_finds_the_one(house: House) -> None:
    one = await made(house, "Zubaida", phones=("55501111",))
    other = await made(house, "Amina", phones=("55502222",))
    await run(house, house.rui, commands.merge, one.patient, into=other.patient)
    for query in ("zubaida", "amina", "55501111", "55502222"):
        assert await found(house, query) == [other.patient]


async def test_undone_both_are_as_before(house: House) -> None:
    one, other = await made(house, "Zubaida", phones=("55501111",)), await made(house, "Amina")
    await run(house, house.rui, commands.merge, one.patient, into=other.patient)
    again = await run(house, house.rui, commands.unmerge, one.patient)
    assert (again.patient, again.identity) == (one.patient, one.identity)
    assert (await card_of(house, other.patient)).identity == other.identity
    assert await found(house, "55501111") == [one.patient]


async def test_a_chain_ends_at_the_last_and_is_taken_apart_anywhere(house: House) -> None:
    a, b, c = [(await made(house, name)).patient for name in ("Amina", "Badria", "Celine")]
    await run(house, house.rui, commands.merge, a, into=b)
    await run(house, house.rui, commands.merge, b, into=c)
    here = house.here(house.rui)
    async with here.read() as tx:
        assert await queries.family(tx, a) == sorted([a, b, c])
    assert (await card_of(house, a)).patient == c
    await run(house, house.rui, commands.unmerge, b)
    assert [(await card_of(house, one)).patient for one in (a, b, c)] == [b, b, c]


async def test_merging_a_merged_id_merges_its_survivor(house: House) -> None:
    a, b, c = [(await made(house, name)).patient for name in ("Amina", "Badria", "Celine")]
    await run(house, house.rui, commands.merge, a, into=b)
    await run(house, house.rui, commands.merge, c, into=a)
    assert (await card_of(house, c)).patient == b


async def test_nobody_is_merged_into_themselves(house: House) -> None:
    one, other = await made(house), await made(house)
    with pytest.raises(CannotMerge):
        await run(house, house.rui, commands.merge, one.patient, into=one.patient)
    await run(house, house.rui, commands.merge, one.patient, into=other.patient)
    with pytest.raises(CannotMerge):
        await run(house, house.rui, commands.merge, other.patient, into=one.patient)


async def test_only_a_merged_record_is_taken_apart(house: House) -> None:
    card = await made(house)
    with pytest.raises(NotMerged):
        await run(house, house.rui, commands.unmerge, card.patient)


async def test_both_streams_tell_it_without_a_gap(house: House) -> None:
    one, other = await made(house), await made(house)
    await run(house, house.rui, commands.merge, one.patient, into=other.patient)
    await run(house, house.rui, commands.unmerge, one.patient)
    async with house.here().read() as tx:
        logs = [await events.history(tx, card.patient) for card in (one, other)]
    assert [[(one.version, one.type) for one in log] for log in logs] == [
        [(1, "patient_created"), (2, "patient_merged"), (3, "patient_unmerged")],
        [(1, "patient_created"), (2, "patient_joined"), (3, "patient_parted")],
    ]


async def test_two_who_merge_each_into_the_other_do_not_wait_for_ever(house: House) -> None:
    one, other = await made(house), await made(house)
    outcomes = await asyncio.gather(
        run(house, house.rui, commands.merge, one.patient, into=other.patient),
        run(house, house.ada, commands.merge, other.patient, into=one.patient),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["CannotMerge", "PatientCard"]


async def test_whoever_holds_a_record_links_to_the_one_that_stays(house: House) -> None:
    one, other = await made(house), await made(house)
    await run(house, house.rui, commands.merge, one.patient, into=other.patient)
    async with house.here().write() as tx:
        assert await commands.hold(tx, one.patient) == other.patient


async def test_a_held_record_is_not_merged_away_meanwhile(house: House) -> None:
    one, other = await made(house), await made(house)
    async with house.here().write() as holding:
        await commands.hold(holding, one.patient)
        merging = asyncio.create_task(run(house, house.rui, commands.merge, one.patient, into=other.patient))
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await holding.value(waits):
            await asyncio.sleep(0.01)
        assert not merging.done()
    assert (await merging).patient == other.patient


async def test_a_doctor_may_not(house: House) -> None:
    one, other = await made(house), await made(house)
    with pytest.raises(Forbidden):
        await run(house, house.dana, commands.merge, one.patient, into=other.patient)
    with pytest.raises(Forbidden):
        await run(house, house.dana, commands.unmerge, one.patient)


async def test_nobody_is_merged_across_facilities(house: House) -> None:
    elsewhere = await found_house(house.services)
    one, other = await made(house), await made(elsewhere)
    with pytest.raises(PatientNotFound):
        await run(house, house.rui, commands.merge, one.patient, into=other.patient)


async def test_what_was_merged_into_a_record_is_listed(house: House, live: Live) -> None:
    one, other = await made(house, "Zubaida", phones=("55501111",)), await made(house, "Amina")
    await run(house, house.rui, commands.merge, one.patient, into=other.patient)
    async with live.staff(house, Role.RECEPTION) as rui:
        (listed,) = (await rui.get(f"{PATIENTS}/{other.patient}/merged")).json()["items"]
        alone = (await rui.get(f"{PATIENTS}/{(await made(house)).patient}/merged")).json()
        unknown = await rui.get(f"{PATIENTS}/018f0000-0000-7000-8000-000000000000/merged")
    assert (listed["patient"], listed["name"]) == (str(one.patient), "Zubaida")
    assert "5550" not in listed["phone"]
    assert (alone, unknown.status_code) == ({"items": []}, 404)
