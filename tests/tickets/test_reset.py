"""An administrator empties a queue and starts the next series."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from dawr.accounts.rules import STRANGER, Actor, Role
from dawr.facilities.rules import ClinicNotFound
from dawr.platform.errors import Forbidden, Unauthenticated
from dawr.tickets.rules import Place, QueueEmpty, Status, Ticket, Verb, WrongState
from tests.conftest import House
from tests.tickets.conftest import Floor


async def test_every_open_ticket_is_cancelled_with_the_reason(floor: Floor) -> None:
    states = [Status.WAITING, Status.CALLED, Status.SERVING, Status.HELD]
    tickets = [await floor.in_state(f"person-{status}", status) for status in states]
    await floor.reset()
    assert {(await floor.ticket(one.id)).status for one in tickets} == {Status.CANCELLED}
    ended = [one for one in await floor.log() if one.type == "ticket_reset"]
    assert [one.data["reason"] for one in ended] == ["drill"] * 4


async def test_what_had_ended_stays_as_it_was(floor: Floor) -> None:
    done = await floor.in_state("amina", Status.DONE)
    await floor.reset()
    assert await floor.ticket(done.id) == done


async def test_the_next_series_begins_at_one_with_a_letter(floor: Floor) -> None:
    await floor.several(3)
    codes = []
    for n in range(3):
        await floor.reset()
        codes.append((await floor.enter(f"after-{n}")).code)
    assert codes == ["LAB-B001", "LAB-C001", "LAB-D001"]


async def test_everybody_sees_an_empty_queue_of_the_next_series(floor: Floor) -> None:
    await floor.several(3)
    await floor.reset()
    found = await floor.status()
    assert (found.series, found.waiting, found.gone, found.last_number) == (2, (), 3, 0)


async def test_an_empty_queue_can_be_reset_too(floor: Floor) -> None:
    assert (await floor.reset()).series == 2
    assert (await floor.enter("amina")).code == "LAB-B001"


async def test_other_clinics_are_left_alone(floor: Floor) -> None:
    await floor.enter("amina", clinic="xray")
    await floor.reset()
    assert (await floor.enter("second", clinic="xray")).code == "XR-002"


async def test_the_day_after_begins_without_a_letter_again(floor: Floor, house: House) -> None:
    await floor.reset()
    house.clock.offset += timedelta(days=1)
    assert (await floor.enter("amina")).code == "LAB-001"


async def test_it_is_audited_with_the_reason_and_who_did_it(floor: Floor, house: House) -> None:
    ada = house.ada
    await floor.reset(actor=ada)
    (started,) = await floor.log()
    assert (started.type, started.actor) == ("series_started", f"account:{ada.account_id}")
    assert started.data == {"from": 1, "to": 2, "reason": "drill"}


async def test_whoever_was_cancelled_may_come_again(floor: Floor) -> None:
    await floor.enter("amina")
    await floor.reset()
    assert (await floor.enter("amina")).code == "LAB-B001"


async def test_somebody_missed_before_comes_back_with_their_old_code(floor: Floor) -> None:
    ticket = await floor.in_state("amina", Status.NO_SHOW)
    await floor.reset()
    await floor.enter("second")
    await floor.move(ticket, Verb.REJOIN)
    assert sorted(await floor.waiting()) == ["LAB-001", "LAB-B001"]


@pytest.mark.parametrize(
    ("actor", "refusal"),
    [
        (STRANGER, Unauthenticated),
        (Actor(kind="patient", ticket=uuid4()), Forbidden),
        *((Actor(kind="staff", account_id=uuid4(), role=role), Forbidden) for role in Role if role != "administrator"),
    ],
)
async def test_only_an_administrator_may(floor: Floor, actor: Actor, refusal: type[Exception]) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(refusal):
        await floor.reset(actor=actor)
    assert await floor.ticket(ticket.id) == ticket


async def test_an_unknown_clinic_is_not_found(floor: Floor) -> None:
    with pytest.raises(ClinicNotFound):
        await floor.reset("nowhere")


async def test_another_facilitys_queue_of_the_same_name_is_left_alone(floor: Floor) -> None:
    other = await floor.elsewhere()
    ticket = await floor.enter("amina")
    await other.reset()
    assert await floor.ticket(ticket.id) == ticket


async def test_resets_at_once_follow_each_other(floor: Floor) -> None:
    await floor.several(3)
    queues = await asyncio.gather(*(floor.reset() for _ in range(5)))
    assert sorted(one.series for one in queues) == [2, 3, 4, 5, 6]
    assert (await floor.status()).gone == 3


async def test_people_who_come_meanwhile_are_in_one_series_and_never_share_a_number(floor: Floor) -> None:
    entering = [floor.enter(f"person-{n}") for n in range(20)]
    answers = await asyncio.gather(*entering[:10], floor.reset(), *entering[10:], floor.reset())
    tickets = [one for one in answers if isinstance(one, Ticket)]
    assert len({(one.service_day, one.series, one.number) for one in tickets}) == 20
    for series in (1, 2, 3):
        numbers = sorted(one.number for one in tickets if one.series == series)
        assert numbers == list(range(1, len(numbers) + 1))
    open_now = [one for one in tickets if (await floor.ticket(one.id)).status is Status.WAITING]
    assert {one.series for one in open_now} <= {3}


async def test_work_at_the_desks_meanwhile_ends_before_or_after(floor: Floor) -> None:
    called = await floor.called("amina")
    await floor.several(2)
    work = (floor.move(called, Verb.DONE), floor.call(), floor.transfer(called, "xray", place=Place.FRONT))
    answers = await asyncio.gather(floor.reset(), *work, return_exceptions=True)
    errors = [one for one in answers if isinstance(one, Exception)]
    assert all(isinstance(one, WrongState | QueueEmpty) for one in errors)
    found = await floor.status()
    assert (found.waiting, found.called, found.serving, found.held) == ((), (), (), ())
    assert found.done + found.gone == 3
