"""Proving a phone number over HTTP, where a clinic asks for it before it gives a ticket."""

from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, AwareDatetime, BaseModel, StringConstraints
from starlette.responses import Response

from dawr.facilities.queries import Context
from dawr.platform.db import WriteTx
from dawr.platform.errors import TooManyRequests
from dawr.platform.http.bodies import Body, OpaqueId, Phone, decimal
from dawr.platform.http.context import context
from dawr.platform.http.once import answered, once, outcome
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.ratelimit import Limit
from dawr.tickets import commands_proof, store_proofs
from dawr.tickets.api_enter import with_device
from dawr.tickets.api_shapes import ClinicName, answers
from dawr.tickets.rules_proof import Verification

router = APIRouter(prefix="/api/v1/queue/verify", tags=["queue"])
Here = Annotated[Context, Depends(context)]
Code = Annotated[str, AfterValidator(decimal), StringConstraints(pattern=r"^[0-9]{6}$")]
AN_HOUR = timedelta(hours=1)
# Every code costs the facility money and its receiver attention. A hospital's Wi-Fi is one address.
SENT_TO = Limit("verify_phone", 4, AN_HOUR, 3)
SENT_BY = Limit("verify_device", 10, AN_HOUR, 5)
SENT_FROM = Limit("verify_address", 240, AN_HOUR, 60)
TYPED_BY = Limit("verify_code_device", 20, timedelta(minutes=10), 10)
TYPED_FROM = Limit("verify_code_address", 60, timedelta(minutes=1), 120)


class Verify(Body):
    clinic: ClinicName
    phone: Phone
    language: Literal["ar", "en", "hi"] | None = None


class Typed(Body):
    verification: OpaqueId
    code: Code


class SentAnswer(BaseModel):
    verification: str
    expires_at: AwareDatetime


class ProvedAnswer(BaseModel):
    """``proof`` goes with the same ``phone`` to ``/queue/enter``."""

    verification: str
    proof: str
    expires_at: AwareDatetime


@router.post("", status_code=201, responses=documented(409) | answers(SentAnswer, 201))
async def verify(body: Verify, here: Here) -> Response:
    """Sends a code of six digits to this number. The answer is the same for every number."""
    wanted: dict[str, Any] = {"clinic_id": body.clinic, "phone": body.phone, "language": body.language}
    sent = not await answered(here) and await _may_be_sent(here, wanted)

    async def work(tx: WriteTx) -> Outcome:
        made = await commands_proof.ask(tx, here, **wanted, sent=sent)
        return outcome(made.verification, status=201, expires_at=made.expires_at.isoformat())

    async def show(tx: WriteTx, done: Outcome) -> dict[str, Any]:
        return {"verification": done.record, "expires_at": done.note["expires_at"]}

    return with_device(here, await once(here, work, show))


async def _may_be_sent(here: Context, wanted: dict[str, Any]) -> bool:
    """The facility pays for so many. That a number has had enough is told nobody: it would say that its holder is here."""
    number, limits = commands_proof.number_of(here, wanted["phone"]), here.services.limits
    await limits.check((SENT_FROM, here.address), (SENT_BY, here.device))
    async with here.read() as tx:
        await commands_proof.way(tx, here, **wanted)
    most = here.services.settings.codes_per_facility_per_hour
    await limits.check((Limit("verify_facility", most, AN_HOUR, most), here.facility.id_text))
    try:
        await limits.check((SENT_TO, f"{here.facility.id}/{number}"))
    except TooManyRequests:
        return False
    return True


@router.post("/code", responses=documented(403) | answers(ProvedAnswer))
async def type_code(body: Typed, here: Here) -> Response:
    """The code that was sent: good once, for ten minutes and five tries. 403 ``code_wrong`` says nothing more."""
    tried = None if await answered(here) else await _tried(here, body.verification)

    async def work(tx: WriteTx) -> Outcome:
        proved = await commands_proof.confirm(tx, here, tried, code=body.code)
        return outcome(proved.verification)

    async def show(tx: WriteTx, done: Outcome) -> dict[str, Any]:
        found = await commands_proof.known(tx, UUID(done.record))
        proof = commands_proof.proof_of(here, found.verification)
        return {"verification": done.record, "proof": proof, "expires_at": found.expires_at.isoformat()}

    return with_device(here, await once(here, work, show))


async def _tried(here: Context, verification: UUID) -> Verification | None:
    await here.services.limits.check((TYPED_FROM, here.address), (TYPED_BY, here.device))
    # In a transaction of its own: a refusal must not take back that it was tried.
    async with here.write() as tx:
        await commands_proof.known(tx, verification)
        return await store_proofs.count_try(tx, verification)
