"""Every write of a rating. The row is its own lock: who changes it waits for whoever is changing it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Actor
from dawr.platform import events
from dawr.platform.db import WriteTx
from dawr.platform.events import Recorded
from dawr.records.events import RATING_CHANGED, RATING_GIVEN

_SAVE = """
INSERT INTO rating AS r (facility_id, ticket, clinic, service_day, stars, word_sealed, at, version)
VALUES (%(facility_id)s, %(ticket)s, %(clinic)s, %(service_day)s, %(stars)s, %(word_sealed)s, %(at)s, 1)
ON CONFLICT (facility_id, ticket) DO UPDATE SET stars = excluded.stars, at = excluded.at, version = r.version + 1,
       word_sealed = coalesce(excluded.word_sealed, r.word_sealed)
RETURNING version
"""
_FORGET = """
UPDATE rating r SET word_sealed = NULL, version = r.version + 1 FROM visit v
JOIN visit_ticket vt ON vt.facility_id = v.facility_id AND vt.visit = v.visit
WHERE v.facility_id = %(facility_id)s AND v.patient = ANY(%(patients)s)
AND r.facility_id = vt.facility_id AND r.ticket = vt.ticket AND r.word_sealed IS NOT NULL
RETURNING r.ticket, r.clinic, r.version
"""


async def save(
    tx: WriteTx, actor: Actor, ticket: UUID, *, clinic: str, service_day: date, stars: int, word_sealed: bytes | None
) -> int:
    """The rating's version: 1 where it is the ticket's first. A word given earlier stays where none is given now."""
    row = {"ticket": ticket, "clinic": clinic, "service_day": service_day, "stars": stars, "word_sealed": word_sealed}
    version: int = await tx.value(_SAVE, at=tx.now, **row)
    type_ = RATING_GIVEN if version == 1 else RATING_CHANGED
    await events.append(tx, [_recorded(tx, actor, row | {"version": version}, type_)])
    return version


async def forget(tx: WriteTx, actor: Actor, patients: Sequence[UUID]) -> None:
    """Takes away the words of these people; their stars stay, which nobody can be told by."""
    rows = await tx.rows(_FORGET, patients=list(patients))
    if rows:
        await events.append(tx, [_recorded(tx, actor, row, RATING_CHANGED) for row in rows])


def _recorded(tx: WriteTx, actor: Actor, row: Mapping[str, Any], type_: str) -> Recorded:
    # How many stars is the row's alone: the log outlives it and is read by more people.
    data, stream = {"ticket": str(row["ticket"]), "clinic": row["clinic"]}, f"rating:{row['ticket']}"
    return Recorded(stream, row["version"], stream, type_, data, actor.label, tx.now)
