"""Many strangers at once: whoever asks while a transaction is under way shares the next one with all who asked meanwhile. That
begins while the one before is written, and waits for it where they come to the same clinics.

What is not a plain new ticket (a replay, somebody who is in the queue already, a batch that failed) is answered ``None`` and
goes its way alone.
"""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from starlette.responses import Response

from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import ClinicNotFound
from dawr.platform import idempotency
from dawr.platform.batching import Tray
from dawr.platform.db import WriteTx
from dawr.platform.errors import Problem, Unavailable
from dawr.platform.http.once import answer, outcome
from dawr.platform.idempotency import Key, Outcome
from dawr.platform.ids import new_id
from dawr.platform.logging import get_logger
from dawr.platform.values import value
from dawr.tickets import queries, store_crowd
from dawr.tickets.api_shapes import UNCHANGING, Enter
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_crowd import Entered, entering
from dawr.tickets.people import keep_person
from dawr.tickets.store_crowd import Door

TRAY = "tickets_tray"
log = get_logger(__name__)


@value(frozen=True, slots=True)
class Asking:
    """One stranger's request for a ticket. What can be made of it alone is made before it waits for others."""

    here: Context
    body: Enter
    arrival: Arrival


def asking(here: Context, body: Enter) -> Asking:
    ticket_id = new_id(here.services.clock.now())
    personal = keep_person(here, ticket_id, user=body.user, name=body.name, phone=body.phone)
    return Asking(here, body, Arrival(ticket_id, body.doctor, body.priority, body.language, personal))


Answer = Response | Problem | None


def tray() -> Tray[UUID, Asking, Response | None]:
    """The tray of one process; its key is the facility."""
    return Tray(_enter_together)


async def _enter_together(_: UUID, asked: Sequence[Asking], next_may_begin: Callable[[], None]) -> list[Answer]:
    answers: list[Answer] = [None] * len(asked)
    try:
        async with asked[0].here.write() as tx:
            doors, taken = await _look(tx, asked)
            places = _plain(asked, taken)
            plain = [asked[place] for place in places]
            found = await _enter_plain(tx, plain, doors, next_may_begin) if plain else []
            for place, one in zip(places, found, strict=True):
                answers[place] = one
    except Unavailable:
        raise
    except Exception as error:
        # Together they failed; each alone is told what is theirs.
        log.warning("crowd_not_entered", size=len(asked), error=type(error).__name__)
        return [None] * len(asked)
    return answers


async def _look(tx: WriteTx, asked: Sequence[Asking]) -> tuple[dict[str, Door], set[bytes]]:
    """The doors, locked, and which keys are claimed: by the crowd before, too, which may just have been written."""
    keys = [one.here.idempotency_key for one in asked if one.here.idempotency_key]
    async with tx.one_trip():
        looking = await store_crowd.ask(tx, [(one.body.clinic, one.arrival.personal.person or b"") for one in asked])
        seeing = await idempotency.seen_asked(tx, keys[0].caller, [one.key for one in keys]) if keys else None
    doors = await store_crowd.answered(tx, asked[0].here.facility, looking)
    return doors, await idempotency.seen_found(seeing) if seeing else set()


def _plain(asked: Sequence[Asking], taken: set[bytes]) -> list[int]:
    """The places of those whose key is not claimed, each key once."""
    places = []
    for place, one in enumerate(asked):
        key = one.here.idempotency_key
        if key is None or key.key not in taken:
            places.append(place)
        if key:
            taken.add(key.key)
    return places


async def _enter_plain(
    tx: WriteTx,
    asked: Sequence[Asking],
    doors: Mapping[str, Door],
    next_may_begin: Callable[[], None],
) -> list[Answer]:
    """The answers of those who may enter together, of all clinics."""
    here = asked[0].here
    kept: list[tuple[Key, Outcome]] = []
    answers: list[Answer] = [_refused(one, doors) for one in asked]
    places = _places(asked, answers, doors)
    crowds = [(door, [asked[n].arrival for n in places[clinic_id]]) for clinic_id, door in doors.items()]
    with idempotency.contending():
        async with entering(tx, here.facility, crowds) as entered:
            # What the next crowd looks at is behind this one's locks until it is committed.
            next_may_begin()
            told = {door.clinic.id: them for (door, _), them in zip(crowds, entered, strict=True)}
            made = {
                clinic_id: [(one.ticket, one.ahead) for one in them if isinstance(one, Entered)]
                for clinic_id, them in told.items()
            }
            views = await queries.just_entered(tx, here, {clinic_id: them for clinic_id, them in made.items() if them})
            for clinic_id, them in told.items():
                shown = iter(views.get(clinic_id, ()))
                for n, one in zip(places[clinic_id], them, strict=True):
                    answers[n] = _shown(asked[n].here, next(shown), kept) if isinstance(one, Entered) else one
            await idempotency.claim_and_keep_last(tx, kept)
    return answers


def _places(asked: Sequence[Asking], refusals: Sequence[Answer], doors: Mapping[str, Door]) -> dict[str, list[int]]:
    """For each door, who of the crowd comes to it and is not refused, by their place in the crowd."""
    found: dict[str, list[int]] = {clinic_id: [] for clinic_id in doors}
    for place, (one, refusal) in enumerate(zip(asked, refusals, strict=True)):
        if refusal is None:
            found[one.body.clinic].append(place)
    return found


def _refused(one: Asking, doors: Mapping[str, Door]) -> Problem | None:
    if one.body.clinic not in doors:
        return ClinicNotFound()
    try:
        facilities.require_entry(one.here.services, doors[one.body.clinic].clinic, one.here.actor, one.body.entry_code)
    except Problem as problem:
        return problem
    return None


def _shown(here: Context, view: queries.TicketView, kept: list[tuple[Key, Outcome]]) -> Response:
    key_id = here.services.keyring.primary_id
    content = view.answer(follow=queries.follow_of(here, view.ticket.id, key_id=key_id))
    if here.idempotency_key:
        same = {name: content[name] for name in UNCHANGING}
        done = outcome(view.ticket.id, status=201, existing=False, key_id=key_id, **same)
        kept.append((here.idempotency_key, done))
    return answer(content, 201)
