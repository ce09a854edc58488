"""A patient's history, export and erasure over HTTP."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from dawr.facilities.queries import Context
from dawr.platform.db import WriteTx
from dawr.platform.http.bodies import Body, Reason
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.paging import cursor_of, position_of
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.ratelimit import Limit
from dawr.records import commands
from dawr.records.api_shapes import Here, IdInPath, answers
from dawr.records.queries import SOURCES, Reached

router = APIRouter(prefix="/api/v1/patients", tags=["records"])
READS = documented(401, 403)
PAGES = Limit("history_page", 240, timedelta(minutes=1), 120)
Cursor = Annotated[str, StringConstraints(max_length=400)]
PageSize = Annotated[int, Field(ge=1, le=200)]


class OpenHistory(Body):
    """For a doctor who is a stranger to the patient; the reason is kept with who read the record."""

    reason: Reason
    limit: PageSize = 50
    cursor: Cursor | None = None


class Erasure(Body):
    reason: Reason


class EntryAnswer(BaseModel):
    """With the members that a visit, a consultation or an appointment has; a consultation's ``notes`` for doctors alone."""

    model_config = ConfigDict(extra="allow")
    kind: str = Field(examples=list(SOURCES))
    at: AwareDatetime


class HistoryAnswer(BaseModel):
    items: list[EntryAnswer]
    next: str | None


class ExportAnswer(BaseModel):
    """``findings``: whether outcomes and notes of consultations are in it, as they are where a doctor makes it."""

    made_at: AwareDatetime
    facility: str
    findings: bool
    identity: dict[str, Any]
    visits: list[dict[str, Any]]
    consultations: list[dict[str, Any]]
    appointments: list[dict[str, Any]]
    ratings: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    read_by: list[dict[str, Any]]
    changed_by: list[dict[str, Any]]


class ErasedAnswer(BaseModel):
    """``records``: this one and those that were merged into it."""

    patient: str
    erased: bool
    records: list[str]


@router.get("/{patient}/history", responses=READS | answers(HistoryAnswer))
async def history(
    patient: IdInPath,
    here: Here,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """Visits, consultations and appointments, newest first. That the record was read is kept."""
    return await _page(here, patient, limit=limit, cursor=cursor)


@router.post("/{patient}/history", responses=READS | answers(HistoryAnswer))
async def open_history(patient: IdInPath, body: OpenHistory, here: Here) -> Response:
    """The same for a doctor whom the patient never visited, with the reason why it is opened."""
    return await _page(here, patient, limit=body.limit, cursor=body.cursor, reason=body.reason)


@router.get("/{patient}/export", responses=READS | answers(ExportAnswer))
async def export(patient: IdInPath, here: Here) -> Response:
    """Everything kept of one person, to be handed to them. Made by an administrator, or by a doctor whom the patient visits;
    only the doctor's holds what consultations found."""
    async with here.write() as tx:
        return answer(await commands.export(tx, here, patient))


@router.post("/{patient}/erase", responses=documented(401, 403, 409) | answers(ErasedAnswer))
async def erase(patient: IdInPath, body: Erasure, here: Here) -> Response:
    """For good, by an administrator: the keys of the record are destroyed. 409 ``still_in_use`` while the person is in the house
    or has an appointment to come."""

    async def work(tx: WriteTx) -> Outcome:
        gone = await commands.erase(tx, here, patient, reason=body.reason)
        return outcome(patient, records=[str(one) for one in gone])

    async def show(_: WriteTx, done: Outcome) -> dict[str, Any]:
        return {"patient": done.record, "erased": True, "records": done.note["records"]}

    return await once(here, work, show)


async def _page(here: Context, patient: UUID, *, limit: int, cursor: str | None, reason: str | None = None) -> Response:
    if here.actor.kind == "staff":
        await here.services.limits.check((PAGES, here.actor.label))
    async with here.write() as tx:
        entries, reached = await commands.history(
            tx, here, patient, after=_read_cursor(cursor), limit=limit, reason=reason
        )
    return answer({"items": [one.answer() for one in entries], "next": _cursor(reached) if reached else None})


def _cursor(reached: Reached) -> str:
    return cursor_of([reached.get(kind) for kind in SOURCES])


def _read_cursor(text: str | None) -> Reached:
    read = position_of(text, *[_maybe_id for _ in SOURCES]) or ()
    return {kind: one for kind, one in zip(SOURCES, read, strict=False) if one}


def _maybe_id(given: Any) -> UUID | None:
    """The last entry of a kind that was read, or nothing where none was."""
    return None if given is None else UUID(given)
