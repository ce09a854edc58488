"""Background work of notifications: what follows a visit's or an appointment's change, and forgetting what is old."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.notifications import commands_news, store, store_channels, store_deliveries
from dawr.platform.ids import new_id
from dawr.platform.jobs import periodic
from dawr.platform.outbox import later, together
from dawr.platform.services import Services

NOTICES_KEPT = timedelta(days=30)
DELIVERIES_KEPT = timedelta(days=90)
CODES_KEPT = timedelta(days=1)
BROWSERS_KEPT = timedelta(days=3)
CREATED = "visit_created"


@together("visit_event")
async def visit_events(services: Services, facility_id: UUID, payloads: Sequence[Mapping[str, Any]]) -> None:
    created = [UUID(one["visit"]) for one in payloads if one["type"] == CREATED]
    if not created:
        return
    facility = await facilities.locate(services, id=facility_id)
    assert facility is not None
    async with services.db.write(facility_id) as tx:
        await commands_news.visits_created(tx, services, facility, created)


@later("appointment_event")
async def appointment_event(services: Services, facility_id: UUID, payload: Mapping[str, Any]) -> None:
    async with services.db.write(facility_id) as tx:
        facility = await facilities.facility(tx)
        assert facility is not None
        await commands_news.appointment_changed(tx, services, facility, payload)


@periodic("forget_notifications", every_seconds=3600)
async def forget_notifications(services: Services) -> None:
    """Deletes notices of last month and messages of last quarter with the addresses they went to (codes of yesterday), and the
    browsers of tickets that are over."""
    now = services.clock.now()
    for facility_id in await facilities.every_facility(services):
        async with services.db.write(facility_id) as tx:
            await store.forget_notices(tx, before=now - NOTICES_KEPT)
            ids = {"before": new_id(now - DELIVERIES_KEPT), "codes_before": new_id(now - CODES_KEPT)}
            await store_deliveries.forget(tx, **ids)
            await store_channels.forget_old(tx, before=now - BROWSERS_KEPT)
