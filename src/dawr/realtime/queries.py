"""Reading for streams: what several queues have gained, where they stand, and how the watched tickets stand in them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dawr.platform.db import ReadTx
from dawr.platform.events import Recorded
from dawr.realtime.rules import STREAM

_EPOCH = "SELECT epoch FROM log_epoch ORDER BY started_at DESC LIMIT 1"
_NEWS = """
SELECT e.stream, e.version, e.entity, e.type, e.data, e.actor, e.at
FROM unnest(%(streams)s::text[], %(versions)s::bigint[]) AS w (stream, version)
CROSS JOIN LATERAL (
  SELECT stream, version, entity, type, data, actor, at FROM event
  WHERE facility_id = %(facility_id)s AND event.stream = w.stream AND event.version > w.version
  ORDER BY event.version LIMIT %(limit)s
) AS e
ORDER BY e.stream, e.version
"""
_HEADS = f"""
SELECT c.clinic, coalesce((
  SELECT event.version FROM event WHERE facility_id = %(facility_id)s AND event.stream = '{STREAM}' || c.clinic
  ORDER BY event.version DESC LIMIT 1), 0) AS version
FROM clinic c WHERE c.facility_id = %(facility_id)s AND c.archived_on IS NULL
AND (%(clinics)s::text[] IS NULL OR c.clinic = ANY(%(clinics)s)) ORDER BY c.place, c.clinic
"""
_LINES = """
SELECT clinic, array_agg(id ORDER BY rank, order_key, id) AS line FROM ticket
WHERE facility_id = %(facility_id)s AND clinic = ANY(%(clinics)s) AND status = 'waiting' GROUP BY clinic
"""
_STANDING = "SELECT id, clinic, status, desk FROM ticket WHERE facility_id = %(facility_id)s AND id = ANY(%(tickets)s)"
News = Mapping[str, Sequence[Recorded]]


@dataclass(frozen=True, slots=True)
class Look:
    """The log's life; the last version of each clinic's queue that was asked for, as clinics are shown; what happened."""

    epoch: UUID
    heads: Mapping[str, int]
    news: News


async def look(tx: ReadTx, *, heads_of: Collection[str] | None, since: Mapping[str, int], limit: int) -> Look:
    """``heads_of`` names clinics (``None``: all of them), those that do not exist are missing in the answer; ``since`` is as in
    ``news``. One trip."""
    wanted = None if heads_of is None else list(heads_of)
    async with tx.one_trip():
        epoch = await tx.asked(_EPOCH)
        heads = await tx.asked(_HEADS, clinics=wanted)
        happened = await tx.asked(_NEWS, **_after(since), limit=limit)
    (life,) = await epoch.fetchall()
    found = {row["clinic"]: row["version"] for row in await heads.fetchall()}
    return Look(life["epoch"], found, _by_clinic(await happened.fetchall()))


async def news(tx: ReadTx, since: Mapping[str, int], *, limit: int) -> News:
    """What happened to each clinic's queue after its version, in order, at most ``limit`` each; those without news are
    missing."""
    return _by_clinic(await tx.rows(_NEWS, **_after(since), limit=limit))


def _after(since: Mapping[str, int]) -> dict[str, Any]:
    return {"streams": [STREAM + clinic for clinic in since], "versions": list(since.values())}


def _by_clinic(rows: Sequence[Mapping[str, Any]]) -> News:
    found: dict[str, list[Recorded]] = {}
    for row in rows:
        found.setdefault(row["stream"].removeprefix(STREAM), []).append(Recorded(**row))
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """How a ticket stands; ``ahead`` counts those who wait before it."""

    clinic: str
    status: str
    desk: str | None
    ahead: int


async def standing(tx: ReadTx, clinic_ids: Collection[str], tickets: Collection[UUID]) -> dict[UUID, Standing]:
    """How these tickets of these clinics stand; one that does not exist is missing. One trip, and one walk along each queue."""
    async with tx.one_trip():
        lines = await tx.asked(_LINES, clinics=list(clinic_ids))
        rows = await tx.asked(_STANDING, tickets=list(tickets))
    places = {one: place for row in await lines.fetchall() for place, one in enumerate(row["line"])}
    return {
        row["id"]: Standing(row["clinic"], row["status"], row["desk"], places.get(row["id"], 0))
        for row in await rows.fetchall()
    }
