"""What an appointment's page shows, in the reader's language and on the clock of the facility."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from uuid import UUID
from zoneinfo import ZoneInfo

from dawr.accounts.rules import Actor
from dawr.appointments import queries as appointments
from dawr.appointments import rules
from dawr.appointments.queries import Earlier
from dawr.appointments.rules import Appointment, Status
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import ONE_DAY, Clinic, named
from dawr.platform.db import ReadTx
from dawr.platform.i18n import format_date, format_long_date, format_time
from dawr.tickets import queries as tickets
from dawr.visits import queries as visits

DAYS_SHOWN = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentPage:
    """``arrive_from`` is when check-in opens, None where it is open or there is nothing to check in for."""

    one: Appointment
    doctor: str
    clinic: str
    floor: str | None
    day: str
    time: str
    answer_by: str | None
    earlier: Earlier | None
    may_wait: bool
    may_arrive: bool
    arrive_from: str | None
    ticket: str | None

    @property
    def state(self) -> str:
        """The name of its sentence: its status, finer where the doctor is not there."""
        lost = self.one.status is Status.BOOKED and self.one.needs_rebooking
        return "needs_rebooking" if lost else self.one.status.value


@dataclass(frozen=True, slots=True)
class FreeDay:
    """A local day with free times: (the start as the API takes it, the time of the day)."""

    day: date
    name: str
    times: tuple[tuple[str, str], ...]


async def appointment_page(here: Context, appointment_id: UUID, lang: str) -> AppointmentPage:
    """The appointment for whoever holds its secret; ``AppointmentNotFound`` when it is over for a day."""
    async with here.read() as tx:
        one = await appointments.seen_by(tx, Actor(kind="patient", appointment=appointment_id), appointment_id)
        clinic = await _clinic(tx, one.clinic)
        zone = ZoneInfo(here.facility.zone)
        open_from = one.starts - rules.EARLY
        comes = one.status in (Status.BOOKED, Status.NO_SHOW) and not one.needs_rebooking
        today = here.facility.service_day(tx.now) == here.facility.service_day(one.starts)
        return AppointmentPage(
            one=one,
            doctor=await _doctor(tx, one.doctor, lang),
            clinic=named(clinic.name, lang) if clinic else "",
            floor=clinic.floor if clinic else None,
            day=format_long_date(one.starts.astimezone(zone).date(), lang),
            time=format_time(one.starts, zone, lang),
            answer_by=_moment(one.answer_by, zone, lang),
            earlier=await appointments.waits_earlier(tx, one.appointment),
            may_wait=one.status is Status.BOOKED and one.starts - tx.now > rules.OFFER_LEAD,
            may_arrive=comes and tx.now >= open_from and (today or one.status is Status.BOOKED),
            arrive_from=_moment(open_from, zone, lang) if one.status is Status.BOOKED and tx.now < open_from else None,
            ticket=await _ticket(tx, here, one.visit) if one.visit else None,
        )


async def _clinic(tx: ReadTx, clinic_id: str) -> Clinic | None:
    """None where the clinic has been given up since."""
    return next(iter(await facilities.clinics_named(tx, [clinic_id])), None)


async def _doctor(tx: ReadTx, doctor_id: str, lang: str) -> str:
    found = [one for one in await facilities.doctors(tx) if one.id == doctor_id]
    return named(found[0].name, lang) if found else ""


async def _ticket(tx: ReadTx, here: Context, visit_id: UUID) -> str | None:
    """Where the first ticket is followed that came of it: that one leads on to any other."""
    found = (await visits.view(tx, here, visit_id)).tickets
    return tickets.follow_of(here, UUID(found[0]["ticket"])) if found else None


def _moment(instant: datetime | None, zone: ZoneInfo, lang: str) -> str | None:
    if instant is None:
        return None
    return f"{format_date(instant.astimezone(zone).date(), lang)}, {format_time(instant, zone, lang)}"


async def free_days(here: Context, one: Appointment, lang: str, first: date) -> list[FreeDay]:
    """The days from ``first`` on, within what is shown at once, on which the appointment's doctor has a free time."""
    async with here.read() as tx:
        found = await appointments.slots(tx, here.facility, one.doctor, first, days=DAYS_SHOWN)
        free = [slot for slot in found if rules.is_free(slot, tx.now) and slot.starts != one.starts]
    zone = ZoneInfo(here.facility.zone)
    by_day = groupby(free, key=lambda slot: slot.starts.astimezone(zone).date())
    return [
        FreeDay(
            day,
            format_date(day, lang),
            tuple(
                (appointments.local(here.facility, slot.starts), format_time(slot.starts, zone, lang)) for slot in group
            ),
        )
        for day, group in by_day
    ]


def today(here: Context) -> date:
    return here.services.clock.now().astimezone(ZoneInfo(here.facility.zone)).date()


def last_first_day(here: Context) -> date:
    """Times are looked for no further ahead than for those who wait."""
    return today(here) + rules.HORIZON - DAYS_SHOWN * ONE_DAY


def chosen(days: Sequence[FreeDay], wanted: date | None) -> FreeDay | None:
    """The day that was asked for, else the first with a free time."""
    return next((one for one in days if one.day == wanted), days[0] if days else None)
