"""Shorthands for the tests of appointments: each method is one transaction, as a request makes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from dawr.accounts.rules import SYSTEM, Actor
from dawr.appointments import commands, commands_schedule, commands_waiting, jobs, queries, queries_lists
from dawr.appointments.commands import CheckedIn
from dawr.appointments.commands_schedule import Changed
from dawr.appointments.mount import join
from dawr.appointments.rules import Appointment, AppointmentRules
from dawr.appointments.rules_schedule import Leave, Reason, Slot, Window
from dawr.appointments.rules_waiting import Waiting
from dawr.facilities.rules import WEEKDAYS
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.platform import events
from tests.conftest import House, found_house

ZONE = ZoneInfo("Asia/Qatar")
MONDAY = date(2031, 3, 3)


def at(clock: str, day: date = MONDAY) -> datetime:
    """A local time in Qatar as an instant."""
    return datetime.combine(day, time.fromisoformat(clock), ZONE).astimezone(UTC)


def daily(opens: str = "09:00", closes: str = "17:00", *, slot: int = 15, capacity: int = 1) -> list[Window]:
    """The same hours on every day."""
    clocks = time.fromisoformat(opens), time.fromisoformat(closes)
    return [Window(*clocks, slot, capacity, weekday=day) for day in WEEKDAYS]


@dataclass
class Practice:
    """Dana's appointments in a house whose clock stands at 08:00 on a Monday to come; ``dana`` and ``omar`` work in the lab."""

    house: House

    async def elsewhere(self) -> "Practice":
        """The practice of another facility, where Sam works."""
        other = Practice(await found_house(self.house.services))
        await other.hours()
        return other

    def set_clock(self, clock: str, day: date = MONDAY) -> None:
        self.house.clock.offset += at(clock, day) - self.house.clock.now()

    # What reception does

    async def patient(self, name: str = "Amina") -> UUID:
        here = self.house.here(self.house.rui)
        async with here.write() as tx:
            return (await patients.create(tx, here, Identity(name=name))).patient

    async def book(
        self, clock: str = "10:00", *, patient: UUID | None = None, doctor: str = "dana", actor: Actor | None = None
    ) -> Appointment:
        who = patient or await self.patient()
        wish = {"patient_id": who, "doctor_id": doctor, "start": at(clock)}
        booked: Appointment = await self.run(commands.book, actor=actor, **wish)
        return booked

    async def move(self, one: Appointment, clock: str, **wish: Any) -> Appointment:
        moved: Appointment = await self.run(
            commands.reschedule, appointment_id=one.appointment, start=at(clock), **wish
        )
        return moved

    async def step(self, command: Any, one: Appointment, actor: Actor | None = None) -> Appointment:
        """Cancel, accept, decline, no-show."""
        done: Appointment = await self.run(command, actor=actor, appointment_id=one.appointment)
        return done

    async def check_in(self, one: Appointment, actor: Actor | None = None) -> CheckedIn:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return await commands.check_in(tx, here, one.appointment)

    async def wait(self, patient: UUID | None = None, **wish: Any) -> Waiting:
        who = patient or await self.patient()
        joined: Waiting = await self.run(commands_waiting.join, patient_id=who, **{"doctor_id": "dana"} | wish)
        return joined

    async def withdraw(self, one: Waiting) -> Waiting:
        left: Waiting = await self.run(commands_waiting.withdraw, waiting_id=one.waiting)
        return left

    # What an administrator does

    async def hours(self, windows: Sequence[Window] | None = None, *, doctor: str = "dana", **more: Any) -> Changed:
        changed: Changed = await self.run(
            commands_schedule.set_schedule,
            actor=self.house.ada,
            doctor_id=doctor,
            windows=daily() if windows is None else windows,
            **more,
        )
        return changed

    async def leave(self, first: str, last: str, doctor: str = "dana") -> tuple[Leave, Changed]:
        told: tuple[Leave, Changed] = await self.run(
            commands_schedule.add_leave, doctor_id=doctor, starts=at(first), ends=at(last), reason=Reason.ILLNESS
        )
        return told

    async def return_from(self, leave: Leave) -> Changed:
        _, changed = await self.run(commands_schedule.cancel_leave, doctor_id=leave.doctor, leave_id=leave.leave)
        assert isinstance(changed, Changed)
        return changed

    async def decide(self, **rules: Any) -> AppointmentRules:
        async with self.house.here().write() as tx:
            return await commands_schedule.change_rules(tx, self.house.ada, AppointmentRules(**rules))

    async def merge(self, patient: UUID, *, into: UUID) -> None:
        here = self.house.here(self.house.rui)
        async with here.write() as tx:
            await patients.merge(tx, here, patient, into=into)

    async def part(self, patient: UUID) -> None:
        here = self.house.here(self.house.rui)
        async with here.write() as tx:
            await patients.unmerge(tx, here, patient)

    async def run(self, command: Any, *, actor: Actor | None = None, **arguments: Any) -> Any:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return await command(tx, here.actor, here.facility, **arguments)

    async def job(self) -> None:
        """The periodic job, for this house alone."""
        facility = self.house.facility
        async with self.house.here(SYSTEM).read() as tx:
            due = await jobs.due(tx)
        for kind in due:
            assert await jobs.end(self.house.services, facility, kind) == []

    # What can be seen

    async def slots(self, day: date = MONDAY, doctor: str = "dana") -> list[Slot]:
        async with self.house.here().read() as tx:
            return await queries.slots(tx, self.house.facility, doctor, day)

    async def now(self, one: Appointment) -> Appointment:
        async with self.house.here().read() as tx:
            return await queries.appointment(tx, one.appointment)

    async def offered(self, entry: Waiting) -> Appointment | None:
        """The slot that is offered to somebody who waits."""
        async with self.house.here().read() as tx:
            found = await queries.open_offer(tx, entry.waiting)
            return await queries.appointment(tx, found) if found else None

    async def place(self, entry: Waiting) -> Waiting:
        async with self.house.here().read() as tx:
            return await queries_lists.one_waiting(tx, entry.waiting)

    async def listed(self, **wanted: Any) -> list[Appointment]:
        async with self.house.here().read() as tx:
            return await queries_lists.listed(tx, self.house.facility, queries_lists.Wanted(**wanted))

    async def history(self, one: Appointment | Waiting) -> list[str]:
        """What happened, oldest first; versions have no gap."""
        async with self.house.here().read() as tx:
            found = await events.since(tx, stream=one.stream, version=0)
        assert [each.version for each in found] == list(range(1, len(found) + 1))
        return [each.type for each in found]

    async def left_behind(self, one: Appointment) -> list[dict[str, Any]]:
        """The rows of the outbox about an appointment, in the order of their moments."""
        async with self.house.services.db.read() as tx:
            return await tx.rows(
                "SELECT payload, due FROM outbox WHERE topic = 'appointment_event'"
                " AND payload->>'appointment' = %(appointment)s ORDER BY due, id",
                appointment=str(one.appointment),
            )


@pytest.fixture
async def practice(house: House) -> Practice:
    """Dana works from 09:00 to 17:00 in slots of 15 minutes; it is Monday, 08:00."""
    join(house.services)
    made = Practice(house)
    made.set_clock("08:00")
    await made.hours()
    return made


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)
