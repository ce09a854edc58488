"""Background work of the queue: every queue's service day turns in time, even where nobody asks; proofs are forgotten."""

from datetime import timedelta

from dawr.facilities import queries as facilities
from dawr.platform.jobs import periodic
from dawr.platform.services import Services
from dawr.tickets import commands, queries_days, store_proofs

PROOFS_KEPT = timedelta(days=1)


@periodic("turn_service_days", every_seconds=20)
async def turn_service_days(services: Services) -> None:
    """Turns queues to the present service day and expires what was left over past its grace. A queue that cannot be turned
    keeps no other from it; the failures are raised together at the end."""
    failures: list[Exception] = []
    for facility_id in await facilities.every_facility(services):
        async with services.db.read(facility_id) as tx:
            facility = await facilities.facility(tx)
            due = await queries_days.due_queues(tx, facility) if facility else []
        for clinic_id in due:
            assert facility is not None
            try:
                async with services.db.write(facility_id) as turning:
                    await commands.turn(turning, facility, clinic_id=clinic_id)
            except Exception as error:
                failures.append(error)
    if failures:
        raise ExceptionGroup("queues that could not be turned", failures)


@periodic("forget_proofs", every_seconds=3600)
async def forget_proofs(services: Services) -> None:
    """Deletes what was kept of numbers that were proved, or were not."""
    before = services.clock.now() - PROOFS_KEPT
    for facility_id in await facilities.every_facility(services):
        async with services.db.write(facility_id) as tx:
            await store_proofs.forget(tx, before=before)
