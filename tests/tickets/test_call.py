"""Calling the next person, or one out of order."""

import asyncio
from uuid import uuid4

import pytest

from dawr.accounts.rules import STRANGER, Actor, Role
from dawr.facilities import queries as facilities
from dawr.facilities.rules import Clinic, ClinicNotFound, DeskNotFound
from dawr.platform.db import Answers, WriteTx
from dawr.platform.errors import Forbidden, Unauthenticated
from dawr.tickets.rules import Priority, QueueEmpty, Status, TicketNotFound, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import ONLY_STAFF, Floor, not_from


async def test_the_first_who_came_is_called_to_the_desk(floor: Floor) -> None:
    first, *_ = await floor.several(3)
    called = await floor.call(desk="2")
    assert (called.id, called.status, called.desk, called.calls) == (first.id, Status.CALLED, "2", 1)
    assert (await floor.status()).called == (("LAB-001", "2"),)


async def test_whoever_is_called_has_nobody_ahead_and_position_zero(floor: Floor) -> None:
    view = await floor.view((await floor.called("amina")).id)
    assert (view.answer()["position"], view.answer()["ahead"]) == (0, 0)


async def test_emergencies_are_called_before_priority_and_priority_before_arrival(floor: Floor, house: House) -> None:
    await floor.enter("normal")
    await floor.enter("preferred", actor=house.rui, priority=Priority.PRIORITY)
    await floor.enter("urgent", actor=house.rui, priority=Priority.EMERGENCY)
    assert [(await floor.call()).code for _ in range(3)] == ["LAB-003", "LAB-002", "LAB-001"]


async def test_an_empty_queue_says_so_and_records_nothing(floor: Floor) -> None:
    with pytest.raises(QueueEmpty):
        await floor.call()
    assert (await floor.status()).version == 0


async def test_out_of_order_leaves_the_order_of_the_others(floor: Floor) -> None:
    tickets = await floor.several(3)
    assert (await floor.call_ticket(tickets[1], desk="1")).status is Status.CALLED
    assert await floor.waiting() == ["LAB-001", "LAB-003"]


async def test_a_desk_may_hold_several_called_tickets(floor: Floor) -> None:
    await floor.several(2)
    assert [(await floor.call(desk="1")).desk, (await floor.call(desk="1")).desk] == ["1", "1"]


async def test_where_there_is_one_desk_it_need_not_be_named(floor: Floor) -> None:
    await floor.enter("amina", clinic="xray")
    assert (await floor.call(clinic="xray")).desk == "1"


@pytest.mark.parametrize("desk", ["9", "", "1 ", "\x00", "1" * 5000])
async def test_an_unknown_desk_is_refused_and_calls_nobody(floor: Floor, desk: str) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(DeskNotFound):
        await floor.call(desk=desk)
    with pytest.raises(DeskNotFound):
        await floor.call_ticket(ticket, desk=desk)
    assert await floor.waiting() == ["LAB-001"]


async def test_an_unknown_clinic_is_not_found(floor: Floor) -> None:
    with pytest.raises(ClinicNotFound):
        await floor.call(clinic="nowhere")


@pytest.mark.parametrize("status", not_from(Verb.CALL))
async def test_only_who_waits_can_be_called(floor: Floor, status: Status) -> None:
    ticket = await floor.in_state("amina", status)
    with pytest.raises(WrongState) as refused:
        await floor.call_ticket(ticket)
    assert refused.value.extra == {"state": status}


@pytest.mark.parametrize(("who", "refusal"), ONLY_STAFF)
async def test_others_may_not_call_a_ticket(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(refusal):
        await floor.call_ticket(ticket, actor=floor.someone(who, ticket))


@pytest.mark.parametrize(("who", "refusal"), [one for one in ONLY_STAFF if one[0] != "another patient"])
async def test_others_may_not_call_the_next(floor: Floor, who: str, refusal: type[Exception]) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(refusal):
        await floor.call(actor=floor.someone(who, ticket))


async def test_a_stranger_learns_nothing_about_clinics(floor: Floor) -> None:
    with pytest.raises(Unauthenticated):
        await floor.call(clinic="nowhere", actor=STRANGER)
    with pytest.raises(Forbidden):
        await floor.call(clinic="nowhere", actor=Actor(kind="staff", account_id=uuid4(), role=Role.OPERATOR))


async def test_another_facilitys_ticket_does_not_exist(floor: Floor) -> None:
    ticket, other = await floor.enter("amina"), await floor.elsewhere()
    with pytest.raises(TicketNotFound):
        await other.call_ticket(ticket)
    with pytest.raises(QueueEmpty):
        await other.call()


async def test_twenty_calls_at_once_get_twenty_people(floor: Floor) -> None:
    await floor.several(20)
    called = await asyncio.gather(*(floor.call(desk=str(n % 2 + 1)) for n in range(20)))
    assert sorted(one.number for one in called) == list(range(1, 21))


async def test_two_desks_calling_the_last_person_one_gets_nobody(floor: Floor) -> None:
    await floor.enter("amina")
    answers = await asyncio.gather(floor.call(desk="1"), floor.call(desk="2"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["QueueEmpty", "Ticket"]


async def test_one_ticket_called_from_two_desks_goes_to_one(floor: Floor) -> None:
    ticket = await floor.enter("amina")
    answers = await asyncio.gather(
        *(floor.call_ticket(ticket, desk=desk) for desk in ("1", "2")), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in answers) == ["Ticket", "WrongState"]


async def test_people_who_come_while_others_are_called_are_neither_lost_nor_doubled(floor: Floor) -> None:
    await floor.several(10)
    await asyncio.gather(*(floor.enter(f"late-{n}") for n in range(10)), *(floor.call() for _ in range(10)))
    found = await floor.status()
    assert sorted([*found.waiting, *(code for code, _ in found.called)]) == [f"LAB-{n:03d}" for n in range(1, 21)]
    assert (len(found.waiting), len(found.called)) == (10, 10)


async def test_somebody_elses_lock_on_a_ticket_does_not_make_it_lose_its_turn(floor: Floor, house: House) -> None:
    first, _ = await floor.several(2)
    async with house.here().write() as other:
        await other.row(
            "SELECT 1 FROM ticket WHERE facility_id = %(facility_id)s AND id = %(id)s FOR KEY SHARE", id=first.id
        )
        assert (await floor.call()).id == first.id


# Tickets that name a doctor


def doctor(name: str | None) -> Actor:
    return Actor(kind="staff", account_id=uuid4(), role=Role.DOCTOR, clinics=frozenset({"lab"}), doctor=name)


async def test_a_doctor_takes_the_first_that_names_them_or_nobody(floor: Floor) -> None:
    for user, named in (("for omar", "omar"), ("for anybody", None), ("for dana", "dana")):
        await floor.enter(user, doctor=named)
    assert [(await floor.call(actor=doctor("dana"))).code for _ in range(2)] == ["LAB-002", "LAB-003"]
    with pytest.raises(QueueEmpty):
        await floor.call(actor=doctor("dana"))


async def test_a_doctor_whom_no_ticket_can_name_takes_those_that_name_nobody(floor: Floor) -> None:
    await floor.enter("for omar", doctor="omar")
    await floor.enter("for anybody")
    assert (await floor.call(actor=doctor(None))).code == "LAB-002"
    with pytest.raises(QueueEmpty):
        await floor.call(actor=doctor(None))


async def test_a_ticket_that_names_the_doctor_has_no_precedence(floor: Floor) -> None:
    await floor.enter("for dana", doctor="dana")
    await floor.enter("for anybody")
    assert (await floor.call(actor=doctor("dana"))).doctor == "dana"


async def test_reception_takes_the_first_of_all(floor: Floor, house: House) -> None:
    await floor.enter("for omar", doctor="omar")
    await floor.enter("for anybody")
    assert (await floor.call(actor=house.rui)).doctor == "omar"


async def test_a_doctor_may_call_a_colleagues_patient_by_the_ticket(floor: Floor, house: House) -> None:
    ticket = await floor.enter("for omar", doctor="omar")
    assert (await floor.call_ticket(ticket, actor=house.dana)).status is Status.CALLED


async def test_two_doctors_at_once_share_those_who_name_nobody(floor: Floor) -> None:
    for n in range(8):
        await floor.enter(f"person-{n}", doctor=("dana", "omar", None, None)[n % 4])
    called = await asyncio.gather(*(floor.call(actor=doctor(("dana", "omar")[n % 2])) for n in range(8)))
    assert sorted(one.number for one in called) == list(range(1, 9))


async def test_who_came_first_of_all_is_called_once_however_desks_and_door_cross(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk looks at a clinic where nobody ever was. Between its statements somebody comes, and another desk calls them."""
    asked, found = facilities.clinic_asked, facilities.clinic_found
    called: list[str] = []

    async def somebody_comes(tx: WriteTx, clinic_id: str) -> Answers:
        monkeypatch.setattr(facilities, "clinic_asked", asked)
        await floor.enter("amina")
        return await asked(tx, clinic_id)

    async def another_desk_calls(answers: Answers) -> Clinic:
        monkeypatch.setattr(facilities, "clinic_found", found)
        called.append((await floor.call(desk="2")).code)
        return await found(answers)

    monkeypatch.setattr(facilities, "clinic_asked", somebody_comes)
    monkeypatch.setattr(facilities, "clinic_found", another_desk_calls)
    with pytest.raises(QueueEmpty):
        await floor.call(desk="1")
    assert (called, (await floor.status()).called) == (["LAB-001"], (("LAB-001", "2"),))
