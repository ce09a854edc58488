"""The verbs of consultations. Each is one transaction: the ticket, the consultation, the doctor's average and the events
become true together or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.consultations import queries, rules, store
from dawr.consultations.events import CONSULTATION_AMENDED, CONSULTATION_WITHDRAWN
from dawr.consultations.queries import Version
from dawr.consultations.rules import Consultation, ConsultationStands, Standing
from dawr.facilities.queries import Context
from dawr.facilities.rules import ChangedMeanwhile
from dawr.patients import commands as patients
from dawr.patients.rules import Purpose
from dawr.platform import events
from dawr.platform.db import WriteTx
from dawr.platform.errors import Forbidden
from dawr.platform.events import Recorded
from dawr.platform.ids import new_id
from dawr.platform.services import Services
from dawr.tickets import commands as tickets
from dawr.tickets import queries as ticket_queries
from dawr.tickets.commands import Handover
from dawr.tickets.events import UNDONE, Change
from dawr.tickets.people import passed_on
from dawr.tickets.rules import TRANSITIONS, Place, Status, Ticket, Verb, WrongState

SEEN = TRANSITIONS[Verb.DONE][0]
ENDED_BY_A_CONSULTATION = (Status.DONE, Status.TRANSFERRED)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a doctor says at the end; ``refer_to`` is the clinic where the person goes on."""

    ticket: UUID
    notes: str
    outcome: str | None
    refer_to: str | None


async def complete(tx: WriteTx, here: Context, finding: Finding) -> Consultation:
    """Ends the ticket (or sends it on), keeps the consultation, counts it for its doctor."""
    actor = here.actor
    actor.require(Right.CONSULT)
    if actor.account_id is None:
        raise Forbidden
    # The patient before the queue, as whoever makes a visit does: two who lock both never wait for each other.
    visit, patient = await store.whose(tx, finding.ticket)
    if patient is not None:
        await patients.hold(tx, patient)
    ended, next_ticket = await _end(tx, here, finding)
    actor.require(Right.CONSULT, ended.clinic)
    started_at, ended_at = ended.started_at or ended.called_at, ended.ended_at
    assert started_at is not None
    assert ended_at is not None
    made = Consultation(
        id=new_id(tx.now),
        ticket=ended.id,
        clinic=ended.clinic,
        author=actor.account_id,
        doctor=actor.doctor,
        visit=visit,
        patient=patient,
        started_at=started_at,
        ended_at=ended_at,
        duration_seconds=rules.seconds_between(started_at, ended_at),
        outcome=finding.outcome,
        referred_to=next_ticket,
        standing=Standing.FINAL,
        version=1,
    )
    await store.insert(tx, actor, made, notes_sealed=await queries.sealed(tx, here, made, finding.notes))
    return made


async def _end(tx: WriteTx, here: Context, finding: Finding) -> tuple[Ticket, UUID | None]:
    """The ticket as it ended, and the one in the clinic it was sent on to."""
    if finding.refer_to is None:
        done = await tickets.move(tx, here.actor, here.facility, ticket_id=finding.ticket, verb=Verb.DONE)
        return done.ticket, None
    next_id = new_id(tx.now)
    personal = await passed_on(tx, here, finding.ticket, to=next_id)
    handover = Handover(finding.ticket, finding.refer_to, Place.END, next_id, personal)
    await tickets.transfer(tx, here.actor, here.facility, handover)
    await _require_seen(tx, finding.ticket)
    return (await ticket_queries.view(tx, here, finding.ticket)).ticket, next_id


async def _require_seen(tx: WriteTx, ticket: UUID) -> None:
    """A transfer takes anybody who has not left; a consultation only whom the doctor had before them. What the ticket was under
    the queue's lock is in the event that has just been written."""
    last = await events.last(tx, ticket)
    assert last is not None
    if last.data["before"]["status"] not in SEEN:
        raise WrongState(extra={"state": last.data["before"]["status"]})


async def amend(
    tx: WriteTx,
    here: Context,
    consultation_id: UUID,
    *,
    notes: str | None,
    outcome: tuple[str | None] | None,
    version: int | None = None,
) -> Consultation:
    """Another version beside the earlier ones. ``None`` leaves the notes, or the outcome (else the only member), as they are."""
    found = await store.load_for(tx, here.actor, consultation_id)
    after = rules.amended(
        found, author=here.actor.account_id, outcome=outcome[0] if outcome is not None else found.outcome
    )
    if version not in (None, found.version):
        raise ChangedMeanwhile(extra={"current": queries.card(found)})
    text = await _kept_notes(tx, here, found) if notes is None else notes
    await _append(tx, here, after, CONSULTATION_AMENDED, text)
    return after


async def withdraw(tx: WriteTx, here: Context, consultation_id: UUID, *, reason: str) -> Consultation:
    """Entered in error: it stays readable, with the reason as its last note, and counts for its doctor no longer."""
    found = await store.load_for(tx, here.actor, consultation_id)
    after = rules.withdrawn(found, author=here.actor.account_id)
    await _append(tx, here, after, CONSULTATION_WITHDRAWN, reason)
    await store.uncount(tx, after)
    return after


async def _kept_notes(tx: WriteTx, here: Context, found: Consultation) -> str:
    return (await queries.versions(tx, here, found))[-1].notes or ""


async def _append(tx: WriteTx, here: Context, after: Consultation, type_: str, text: str) -> None:
    if after.patient is not None:
        await patients.hold(tx, after.patient)
    await store.save(tx, here.actor, after, type_, notes_sealed=await queries.sealed(tx, here, after, text))


async def open_notes(
    tx: WriteTx, here: Context, consultation_id: UUID, *, reason: str | None
) -> tuple[Consultation, list[Version]]:
    """A consultation with every version of its notes. It is part of the patient's record, which is opened for it: that is
    written down, and asks for a reason where ``open_record`` does. Of notes that are part of nobody's record it is written down
    beside them."""
    found = await queries.of_id(tx, here, consultation_id)
    if found.patient is not None:
        await patients.open_record(tx, here, found.patient, purpose=Purpose.CARE, reason=reason)
    else:
        access = new_id(tx.now)
        sealed = queries.sealed_reason(here, access, reason) if reason else None
        await store.note_access(tx, here.actor, found, access, reason_sealed=sealed)
    return found, await queries.versions(tx, here, found)


async def keep_ended(tx: WriteTx, _: Services, news: Sequence[tuple[Change, Recorded]]) -> None:
    """Refuses to take back the end of a ticket for which a consultation is kept: nobody but its author undoes what they wrote."""
    reopened = [
        change.after.id
        for change, _ in news
        if change.type == UNDONE and change.before is not None and change.before.status in ENDED_BY_A_CONSULTATION
    ]
    standing = await store.standing_of(tx, reopened) if reopened else []
    if standing:
        raise ConsultationStands(extra={"consultation": str(standing[0].id)})
