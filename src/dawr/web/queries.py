"""What the pages show first, read from the floors below: cards of clinics, a ticket, the wall screen, who is signed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from dawr.accounts import queries as accounts
from dawr.accounts.rules import Actor, Right
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Clinic, Entry, named
from dawr.platform.db import Answers, ReadTx
from dawr.tickets import queries as tickets
from dawr.waits.queries import waits_of
from dawr.waits.rules import answer as wait_answer

_WAITING = """
SELECT clinic, count(*) AS waiting FROM ticket
WHERE facility_id = %(facility_id)s AND status = 'waiting' GROUP BY clinic
"""
_WAITING_THERE = """
SELECT count(*) FROM ticket WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND status = 'waiting'
"""
_CALLED = """
SELECT t.clinic, t.desk, t.called_at,
       CASE WHEN t.service_day = q.service_day THEN t.code ELSE t.code || '/' || to_char(t.service_day, 'DD') END AS code
FROM ticket t JOIN queue q ON q.facility_id = t.facility_id AND q.clinic = t.clinic
WHERE t.facility_id = %(facility_id)s AND t.status = 'called' ORDER BY t.changed_version, t.id
"""

ClinicState = Literal["open", "paused", "closed", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicCard:
    """A clinic as a page shows it, in the reader's language. ``wait`` is that of whoever joins now, None if not known;
    ``doctors`` are (short name, name)."""

    clinic: str
    name: str
    floor: str | None
    state: ClinicState
    entry: Entry
    waiting: int
    desks: tuple[str, ...]
    wait: Mapping[str, Any] | None = None
    doctors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """``ticket`` in the shape of the API, with ``next``: the address of the ticket it was transferred to."""

    ticket: Mapping[str, Any]
    clinic: ClinicCard


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffCard:
    """Who is signed in. ``clinics`` are those whose queue this person may work, ``desk`` where they usually sit."""

    name: str
    desk: str | None
    clinics: tuple[ClinicCard, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """What a wall screen shows: its clinics, and the state of each one's queue."""

    cards: tuple[ClinicCard, ...]
    states: Mapping[str, Mapping[str, Any]]


async def clinic_cards(here: Context, lang: str) -> list[ClinicCard]:
    """All clinics of the facility in the order they are shown, without waits and doctors."""
    async with here.read() as tx:
        return await _cards(tx, here, lang)


async def _cards(tx: ReadTx, here: Context, lang: str) -> list[ClinicCard]:
    async with tx.one_trip():
        asked = await _cards_asked(tx)
    return await _cards_found(tx, here, lang, asked)


async def _cards_asked(tx: ReadTx) -> tuple[Answers, Answers]:
    return await facilities.every_clinic_asked(tx), await tx.asked(_WAITING)


async def _cards_found(tx: ReadTx, here: Context, lang: str, asked: tuple[Answers, Answers]) -> list[ClinicCard]:
    waiting = {row["clinic"]: row["waiting"] for row in await asked[1].fetchall()}
    return [_card(tx, here, one, waiting.get(one.id, 0), lang) for one in await facilities.clinics_found(asked[0])]


async def clinic_card(here: Context, clinic_id: str, lang: str) -> ClinicCard:
    """One clinic with everything; ``ClinicNotFound`` if there is none of that name."""
    async with here.read() as tx:
        async with tx.one_trip():
            asked = await facilities.clinic_asked(tx, clinic_id)
            there = await tx.asked(_WAITING_THERE, clinic=clinic_id)
        clinic = await facilities.clinic_found(asked)
        waiting: int = (await there.fetchall())[0]["count"]
        pace = await waits_of(here.services).pace(tx, clinic.id)
        doctors = await _doctors(tx, clinic.id, lang) if clinic.doctors else ()
        return _card(tx, here, clinic, waiting, lang, wait=wait_answer(waiting, pace), doctors=doctors)


async def doctors_of(here: Context, clinic_id: str, lang: str) -> dict[str, str]:
    """The names of a clinic's doctors, by their short names."""
    async with here.read() as tx:
        return dict(await _doctors(tx, clinic_id, lang))


async def _doctors(tx: ReadTx, clinic_id: str, lang: str) -> tuple[tuple[str, str], ...]:
    return tuple((one.id, named(one.name, lang)) for one in await facilities.doctors(tx) if clinic_id in one.clinics)


def _card(tx: ReadTx, here: Context, clinic: Clinic, waiting: int, lang: str, **more: Any) -> ClinicCard:
    return ClinicCard(
        clinic=clinic.id,
        name=named(clinic.name, lang),
        floor=clinic.floor,
        state=_state(tx, here, clinic, waiting),
        entry=clinic.entry,
        waiting=waiting,
        desks=clinic.desks,
        **more,
    )


def _state(tx: ReadTx, here: Context, clinic: Clinic, waiting: int) -> ClinicState:
    if not clinic.is_open(tx.now, here.facility.zone):
        return "closed"
    if clinic.paused:
        return "paused"
    return "full" if clinic.capacity is not None and waiting >= clinic.capacity else "open"


async def ticket_page(here: Context, ticket_id: UUID, lang: str) -> TicketPage:
    """The ticket for whoever holds its secret; ``TicketNotFound`` when it is over for a day."""
    async with here.read() as tx:
        view = await tickets.seen_by(tx, here, Actor(kind="patient", ticket=ticket_id), ticket_id)
        following = await tickets.following(tx, view.ticket)
        clinic = await facilities.clinic(tx, view.ticket.clinic)
        return TicketPage(
            ticket=view.answer() | {"next": tickets.follow_of(here, following) if following else None},
            clinic=_card(tx, here, clinic, 0, lang),
        )


async def staff(here: Context, lang: str) -> StaffCard | None:
    """Who is signed in by the session's cookie, None if nobody is."""
    actor = here.actor
    if actor.kind != "staff" or actor.account_id is None:
        return None
    async with here.read() as tx:
        person = await accounts.profile(tx, here.services.keyring, actor.account_id)
        cards = await _cards(tx, here, lang)
    return StaffCard(
        name=person.name,
        desk=actor.desk,
        clinics=tuple(one for one in cards if actor.may(Right.QUEUE, one.clinic)),
    )


async def board_of(here: Context, clinic_id: str, lang: str) -> Board:
    """A clinic's queue as ``/api/v1/queue/status`` shows it; ``ClinicNotFound``."""
    async with here.read() as tx:
        clinic = await facilities.clinic(tx, clinic_id)
        state = await tickets.status(tx, here.facility, clinic)
        card = _card(tx, here, clinic, len(state.waiting), lang)
    return Board((card,), {clinic.id: state.answer()})


async def board(here: Context, lang: str) -> Board:
    """Of each clinic's status the part that a screen for all clinics shows: who is called, and how many wait."""
    async with here.read() as tx:
        async with tx.one_trip():
            asked = await _cards_asked(tx)
            called_now = await tx.asked(_CALLED)
        cards = tuple(await _cards_found(tx, here, lang, asked))
        called = await called_now.fetchall()
    states = {one.clinic: {"called": _of(called, one.clinic), "counts": {"waiting": one.waiting}} for one in cards}
    return Board(cards, states)


def _of(called: Sequence[Mapping[str, Any]], clinic_id: str) -> list[dict[str, Any]]:
    """``called_at`` tells which call is the latest of the whole facility."""
    return [
        {"code": row["code"], "desk": row["desk"], "called_at": row["called_at"].isoformat()}
        for row in called
        if row["clinic"] == clinic_id
    ]
