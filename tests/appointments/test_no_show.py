"""Who has not come: told by reception, or by the job once the facility's patience is over."""

import pytest

from dawr.appointments.commands import no_show
from dawr.appointments.rules import Status, TooEarly
from tests.appointments.conftest import Practice


async def test_nobody_is_missing_before_the_start(practice: Practice) -> None:
    made = await practice.book("10:00")
    with pytest.raises(TooEarly):
        await practice.step(no_show, made)
    practice.set_clock("10:01")
    assert (await practice.step(no_show, made)).status is Status.NO_SHOW


async def test_the_job_gives_up_who_has_not_come(practice: Practice) -> None:
    made, here = await practice.book("10:00"), await practice.book("10:15")
    practice.set_clock("10:15")
    await practice.check_in(here)
    practice.set_clock("10:59")
    await practice.job()
    assert (await practice.now(made)).status is Status.BOOKED
    practice.set_clock("11:16")
    await practice.job()
    assert [(await practice.now(one)).status for one in (made, here)] == [Status.NO_SHOW, Status.CHECKED_IN]


async def test_how_long_is_the_facilitys_to_decide(practice: Practice) -> None:
    await practice.decide(no_show_minutes=10)
    made = await practice.book("10:00")
    practice.set_clock("10:11")
    await practice.job()
    assert (await practice.now(made)).status is Status.NO_SHOW


async def test_whom_the_doctor_was_not_there_for_is_not_blamed(practice: Practice) -> None:
    made = await practice.book("10:00")
    await practice.leave("09:00", "12:00")
    practice.set_clock("16:00")
    await practice.job()
    assert (await practice.now(made)).status is Status.BOOKED
