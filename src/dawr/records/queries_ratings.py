"""Reading ratings: a ticket's own, and the figures of clinics and days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from dawr.facilities.queries import Context
from dawr.platform.db import ReadTx
from dawr.records.rules import MOST_WORDS, Tally

_OF_TICKET = """
SELECT ticket, clinic, stars, word_sealed, at FROM rating WHERE facility_id = %(facility_id)s AND ticket = %(ticket)s
"""
_OF_TICKETS = """
SELECT ticket, clinic, stars, word_sealed, at FROM rating
WHERE facility_id = %(facility_id)s AND ticket = ANY(%(tickets)s) ORDER BY ticket
"""
_ASKED = """
 FROM rating WHERE facility_id = %(facility_id)s AND service_day BETWEEN %(since)s AND %(until)s
AND (%(clinic)s::text IS NULL OR clinic = %(clinic)s)
"""
_COUNTS = "SELECT clinic, stars, count(*) AS times" + _ASKED + " GROUP BY clinic, stars ORDER BY clinic, stars"
_WORDS = (
    "SELECT ticket, clinic, stars, word_sealed, at"
    + _ASKED
    + " AND word_sealed IS NOT NULL ORDER BY at DESC, ticket DESC LIMIT %(limit)s"
)


@dataclass(frozen=True, slots=True)
class Rating:
    ticket: UUID
    clinic: str
    stars: int
    word: str | None
    at: datetime

    def answer(self) -> dict[str, Any]:
        told = {"clinic": self.clinic, "stars": self.stars, "word": self.word, "at": self.at.isoformat()}
        return {"ticket": str(self.ticket)} | told


def sealed(here: Context, ticket: UUID, word: str) -> bytes:
    """A word as it is kept: it opens only as this ticket's."""
    return here.services.keyring.seal(word, facility=here.facility.id_text, where=_where(ticket))


def _where(ticket: UUID) -> str:
    return f"rating.word:{ticket}"


def _read(here: Context, row: dict[str, Any]) -> Rating:
    hidden, keyring = row.pop("word_sealed"), here.services.keyring
    word = keyring.open(hidden, facility=here.facility.id_text, where=_where(row["ticket"])) if hidden else None
    return Rating(word=word, **row)


async def of_ticket(tx: ReadTx, here: Context, ticket: UUID) -> Rating | None:
    """What the holder of this ticket gave. Whoever asks has shown the ticket's secret."""
    row = await tx.row(_OF_TICKET, ticket=ticket)
    return _read(here, row) if row else None


async def of_tickets(tx: ReadTx, here: Context, tickets: Sequence[UUID]) -> list[Rating]:
    """What was given for these tickets. Whoever asks has opened the record of the person they belong to."""
    return [_read(here, row) for row in await tx.rows(_OF_TICKETS, tickets=list(tickets))]


async def tallies(tx: ReadTx, *, clinic: str | None, since: date, until: date) -> dict[str, Tally]:
    """The figures of each clinic that was rated on these service days."""
    rows = await tx.rows(_COUNTS, clinic=clinic, since=since, until=until)
    return {one: Tally.of((r["stars"], r["times"]) for r in rows if r["clinic"] == one) for one in _clinics(rows)}


def _clinics(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["clinic"] for row in rows))


async def words(tx: ReadTx, here: Context, *, clinic: str | None, since: date, until: date) -> list[Rating]:
    """The ratings of these days that say something, newest first, at most 200."""
    rows = await tx.rows(_WORDS, clinic=clinic, since=since, until=until, limit=MOST_WORDS)
    return [_read(here, row) for row in rows]
