"""Background work of appointments: who has not come is given up, offers end, waiting lists forget who can no longer be served."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from dawr.appointments import commands, commands_people, commands_waiting, queries
from dawr.appointments.rules import TooEarly, WrongAppointmentState
from dawr.facilities import queries as facilities
from dawr.facilities.rules import Facility
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.jobs import periodic
from dawr.platform.services import Services

Ending = Callable[[WriteTx, Facility, UUID], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Due:
    """What is due in a facility, and how each is ended."""

    ids: list[UUID]
    end: Ending


@periodic("end_appointments", every_seconds=30)
async def end_appointments(services: Services) -> None:
    """Each in a transaction of its own: one that cannot be ended keeps no other from it; failures are raised together."""
    failures: list[Exception] = []
    for facility_id in await facilities.every_facility(services):
        async with services.db.read(facility_id) as tx:
            facility = await facilities.facility(tx)
            found = await due(tx) if facility else []
        for kind in found:
            assert facility is not None
            failures += await end(services, facility, kind)
    if failures:
        raise ExceptionGroup("appointments that could not be ended", failures)


async def due(tx: ReadTx) -> list[Due]:
    """Offers without an answer, people who have not come, who can no longer be served, and what is double no more."""
    limit = timedelta(minutes=(await queries.decided(tx)).no_show_minutes)
    return [
        Due(await queries.unanswered(tx), _lapse),
        Due(await queries.overdue(tx, tx.now - limit), _give_up),
        Due(await queries.outlived(tx), commands_waiting.end),
        Due(await queries.single_again(tx), commands_people.stand_alone),
    ]


async def end(services: Services, facility: Facility, what: Due) -> list[Exception]:
    """Ends what is due in a facility; what went wrong with any of it."""
    failures: list[Exception] = []
    for one in what.ids:
        try:
            async with services.db.write(facility.id) as tx:
                await what.end(tx, facility, one)
        except (TooEarly, WrongAppointmentState):
            continue  # answered, or moved, in the meantime
        except Exception as error:
            failures.append(error)
    return failures


async def _lapse(tx: WriteTx, facility: Facility, one: UUID) -> None:
    await commands.lapse(tx, facility, appointment_id=one)


async def _give_up(tx: WriteTx, facility: Facility, one: UUID) -> None:
    await commands.give_up(tx, facility, appointment_id=one)
