"""Ratings over HTTP."""

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.facilities import queries as facilities
from dawr.platform.db import WriteTx
from dawr.platform.http.bodies import Body, Day
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.ratelimit import Limit
from dawr.records import commands_ratings, queries_ratings, rules
from dawr.records.api_shapes import Here, IdInBody, answers
from dawr.records.rules import Tally
from dawr.tickets import queries as tickets

router = APIRouter(prefix="/api/v1", tags=["ratings"])
Stars = Annotated[int, Field(ge=1, le=5, strict=True)]
Word = Annotated[str, StringConstraints(max_length=rules.LONGEST_WORD)]
ClinicName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Rate(Body):
    """One a ticket; sent again it takes the earlier one's place, and a word that is not sent again stays."""

    ticket: IdInBody
    stars: Stars
    word: Word | None = None


class RatingAnswer(BaseModel):
    ticket: str
    clinic: str
    stars: int
    word: str | None
    at: str


class Figures(BaseModel):
    count: int
    mean: float | None = Field(description="To two decimals; null where nobody rated")
    distribution: dict[str, int] = Field(examples=[{"1": 0, "2": 0, "3": 1, "4": 5, "5": 20}])


class ClinicRatings(Figures):
    clinic: str


class RatingsAnswer(Figures):
    """``words`` (newest first, at most 200) are the administrators' alone."""

    model_config = {"populate_by_name": True}
    from_: date = Field(alias="from")
    to: date
    items: list[ClinicRatings]
    words: list[RatingAnswer] | None


BY_ADDRESS = Limit("rating_address", 300, timedelta(minutes=1), 300)
BY_TICKET = Limit("rating_ticket", 10, timedelta(hours=1), 10)


@router.post("/queue/rating", responses=documented(401, 403, 409) | answers(RatingAnswer) | answers(RatingAnswer, 201))
async def rate(body: Rate, here: Here) -> Response:
    """By the ticket's secret, from the end of the service for 24 hours."""
    await here.services.limits.check((BY_ADDRESS, here.address), (BY_TICKET, str(body.ticket)))
    actor = tickets.viewer(here, body.ticket)

    async def work(tx: WriteTx) -> Outcome:
        first = await commands_ratings.rate(
            tx, here, actor, ticket_id=body.ticket, stars=body.stars, word=body.word or None
        )
        return outcome(body.ticket, status=201 if first else 200)

    async def show(tx: WriteTx, done: Outcome) -> dict[str, Any]:
        ticket_id = UUID(done.record)
        # A replay is asked for the ticket's secret, too.
        await tickets.seen_by(tx, here, actor, ticket_id)
        found = await queries_ratings.of_ticket(tx, here, ticket_id)
        assert found is not None
        return found.answer()

    return await once(here, work, show)


@router.get("/ratings", responses=documented(401, 403) | answers(RatingsAnswer))
async def ratings(
    here: Here,
    clinic: ClinicName | None = None,
    from_: Annotated[Day | None, Query(alias="from")] = None,
    to: Annotated[Day | None, Query()] = None,
) -> Response:
    """How many, their mean and distribution: in all, and of each clinic. Without days: the last 30 service days."""
    here.actor.require(Right.REPORTS)
    async with here.read() as tx:
        if clinic is not None:
            await facilities.clinic(tx, clinic)
        since, until = rules.span(from_, to, today=here.facility.service_day(tx.now))
        found = await queries_ratings.tallies(tx, clinic=clinic, since=since, until=until)
        told = (
            await queries_ratings.words(tx, here, clinic=clinic, since=since, until=until)
            if here.actor.may(Right.RECORDS)
            else None
        )
    everything = Tally.of(pair for one in found.values() for pair in one.given.items())
    own = {
        "from": since.isoformat(),
        "to": until.isoformat(),
        "items": [{"clinic": c} | _figures(t) for c, t in found.items()],
    }
    return answer(_figures(everything) | own | {"words": [one.answer() for one in told] if told is not None else None})


def _figures(tally: Tally) -> dict[str, Any]:
    distribution = {str(stars): times for stars, times in tally.given.items()}
    return {"count": tally.count, "mean": tally.mean, "distribution": distribution}
