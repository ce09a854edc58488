"""Reading for streams: what several queues have gained, where they stand, who waits in them, and the tickets of newcomers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dawr.platform.db import Answers, ReadTx
from dawr.platform.events import Recorded
from dawr.realtime.line import Line
from dawr.realtime.rules import STREAM
from dawr.tickets.queries import TicketView, views_asked, views_found

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
"""
_OF_SOME = """
AND c.clinic = ANY(%(clinics)s::text[] || ARRAY(
  SELECT t.clinic FROM ticket t WHERE t.facility_id = %(facility_id)s AND t.id = ANY(%(tickets)s)))
"""
_AS_SHOWN = "ORDER BY c.place, c.clinic"
_LINES = """
SELECT q.clinic, q.version, ARRAY(
  SELECT t.id::text FROM ticket t
  WHERE t.facility_id = q.facility_id AND t.clinic = q.clinic AND t.status = 'waiting' ORDER BY t.rank, t.order_key, t.id
) AS waiting
FROM queue q WHERE q.facility_id = %(facility_id)s AND q.clinic = ANY(%(clinics)s)
"""
News = Mapping[str, Sequence[Recorded]]


@dataclass(frozen=True, slots=True)
class Look:
    """The log's life; the last version of each clinic's queue that was asked for, as clinics are shown; what happened; the
    tickets that were asked for."""

    epoch: UUID
    heads: Mapping[str, int]
    news: News
    tickets: Mapping[UUID, TicketView]


async def look(
    tx: ReadTx,
    *,
    heads_of: Collection[str] | None,
    tickets: Collection[UUID],
    since: Mapping[str, int],
    limit: int,
) -> Look:
    """``heads_of`` names clinics (``None``: all of them), those of the ``tickets`` come with them; what does not exist is
    missing in the answer. ``since`` is as in ``news``. One trip."""
    async with tx.one_trip():
        epoch = await tx.asked(_EPOCH)
        heads = await _ask_heads(tx, heads_of, tickets)
        shown = await views_asked(tx, tickets) if tickets else None
        happened = await tx.asked(_NEWS, **_after(since), limit=limit)
    (life,) = await epoch.fetchall()
    found = {row["clinic"]: row["version"] for row in await heads.fetchall()} if heads else {}
    views = await views_found(shown) if shown else {}
    return Look(life["epoch"], found, _by_clinic(await happened.fetchall()), views)


async def _ask_heads(tx: ReadTx, clinics: Collection[str] | None, tickets: Collection[UUID]) -> Answers | None:
    if clinics is None:
        return await tx.asked(_HEADS + _AS_SHOWN)
    if not clinics and not tickets:
        return None
    return await tx.asked(_HEADS + _OF_SOME + _AS_SHOWN, clinics=list(clinics), tickets=list(tickets))


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


async def lines(tx: ReadTx, clinics: Collection[str]) -> list[Line]:
    """Who waits in these clinics, in order; one that nobody ever came to is missing."""
    rows = await tx.rows(_LINES, clinics=list(clinics))
    return [Line(row["clinic"], row["version"], row["waiting"]) for row in rows]
