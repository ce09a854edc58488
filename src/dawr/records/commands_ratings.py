"""Rating a visit: by whoever holds the ticket's secret, while it lives, once the service is over."""

from uuid import UUID

from dawr.accounts.rules import Actor
from dawr.facilities.queries import Context
from dawr.platform.db import WriteTx
from dawr.platform.errors import Forbidden, Unauthenticated
from dawr.records import queries_ratings, store_ratings
from dawr.records.rules import NotServedYet
from dawr.tickets import queries as tickets
from dawr.tickets.rules import Status


async def rate(tx: WriteTx, here: Context, actor: Actor, *, ticket_id: UUID, stars: int, word: str | None) -> bool:
    """Whether it is the ticket's first rating; a later one takes its place. Staff rate nobody's visit."""
    if actor.kind != "patient":
        raise Unauthenticated if actor.kind == "stranger" else Forbidden
    ticket = (await tickets.seen_by(tx, here, actor, ticket_id)).ticket
    if ticket.status is not Status.DONE or ticket.ended_day is None:
        raise NotServedYet(extra={"state": ticket.status.value})
    version = await store_ratings.save(
        tx,
        actor,
        ticket.id,
        clinic=ticket.clinic,
        service_day=ticket.ended_day,
        stars=stars,
        word_sealed=queries_ratings.sealed(here, ticket.id, word) if word else None,
    )
    return version == 1
