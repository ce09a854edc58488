"""Consultations over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.consultations import api_shapes as shapes
from dawr.consultations import commands, queries
from dawr.consultations.api_shapes import DoctorInPath, Here, IdInBody, answers
from dawr.consultations.commands import Finding
from dawr.consultations.rules import Standing
from dawr.facilities.queries import Context
from dawr.platform.db import WriteTx
from dawr.platform.errors import N_, Invalid
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.paging import Paged
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome

router = APIRouter(prefix="/api/v1", tags=["consultations"])
CHANGES = documented(401, 403, 409)


@router.post("/consultations", status_code=201, responses=CHANGES | answers(shapes.ConsultationAnswer, 201))
async def consult(body: shapes.NewConsultation, here: Here) -> Response:
    """For a doctor of the ticket's clinic: ends the ticket, keeps notes and outcome, counts for the doctor's average; with
    ``refer_to`` the person goes on there. All of it, or nothing."""

    async def work(tx: WriteTx) -> Outcome:
        finding = Finding(body.ticket, body.notes, body.outcome, body.refer_to)
        return outcome((await commands.complete(tx, here, finding)).id, status=201)

    return await once(here, work, lambda tx, done: _shown(tx, here, UUID(done.record)))


async def _shown(tx: WriteTx, here: Context, consultation_id: UUID) -> dict[str, Any]:
    return queries.card(await queries.of_id(tx, here, consultation_id))


@router.get("/consultations/{consultation}", responses=documented(401, 403) | answers(shapes.OpenedConsultation))
async def consultation(
    consultation: IdInBody, here: Here, access_reason: Annotated[str | None, Header(max_length=500)] = None
) -> Response:
    """With its notes and every earlier version of them; opens the patient's record, which is audited."""
    async with here.write() as tx:
        found, versions = await commands.open_notes(tx, here, consultation, reason=access_reason)
    said = [one for one in versions if one.standing is not Standing.ENTERED_IN_ERROR]
    told = {"notes": said[-1].notes, "versions": [one.answer() for one in versions]}
    return answer(queries.card(found) | told | {"mine": found.author == here.actor.account_id})


@router.get("/consultations/{consultation}/accesses", responses=documented(401, 403) | answers(shapes.AccessesAnswer))
async def accesses(consultation: IdInBody, here: Here, page: Paged) -> Response:
    """Who read the notes of a ticket without a visit, when and why, newest first; for administrators. Of all others the
    patient's own list tells."""
    async with here.read() as tx:
        (before,) = page.position(UUID) or (None,)
        found = await queries.accesses(tx, here, consultation, before=before, limit=page.limit + 1)
        total = {"total": await queries.accesses_count(tx, consultation)} if page.total else {}
    shown, following = page.cut(found, key=lambda one: [one.access])
    return answer({"items": [one.answer() for one in shown], "next": following} | total)


@router.patch("/consultations/{consultation}", responses=CHANGES | answers(shapes.ConsultationAnswer))
async def amend(consultation: IdInBody, body: shapes.Amendment, here: Here) -> Response:
    """By their author alone; what was written before is kept beside it."""
    sent = body.model_fields_set
    if body.notes is None and "outcome" not in sent:
        raise Invalid(N_("Send notes, an outcome, or both"))
    async with here.write() as tx:
        after = await commands.amend(
            tx,
            here,
            consultation,
            notes=body.notes,
            outcome=(body.outcome,) if "outcome" in sent else None,
            version=body.version,
        )
    return answer(queries.card(after))


@router.post("/consultations/{consultation}/withdraw", responses=CHANGES | answers(shapes.ConsultationAnswer))
async def withdraw(consultation: IdInBody, body: shapes.Withdrawal, here: Here) -> Response:
    """Entered in error, says its author: it stays readable, counts no longer, and the ticket's end can be taken back."""

    async def work(tx: WriteTx) -> Outcome:
        return outcome((await commands.withdraw(tx, here, consultation, reason=body.reason)).id)

    return await once(here, work, lambda tx, done: _shown(tx, here, UUID(done.record)))


@router.get("/doctors/{doctor}/figures", responses=documented(401, 403) | answers(shapes.DoctorFigures))
async def figures(doctor: DoctorInPath, here: Here) -> Response:
    """How many consultations of a doctor count, and how long one takes on average: in all, and on this service day."""
    here.actor.require(Right.REPORTS)
    async with here.read() as tx:
        return answer(await queries.figures(tx, here.facility, doctor))
