"""What visits are asked and answered over HTTP. Answers are not checked against their shapes at run time; a test does that."""

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from dawr.facilities.queries import Context
from dawr.platform.http.bodies import Body, Day, OpaqueId, Reason
from dawr.platform.http.context import context
from dawr.tickets.rules import Priority
from dawr.visits.rules import Status

Here = Annotated[Context, Depends(context)]
Id = OpaqueId
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Way(Body):
    """Where a patient is to go: a ``clinic``, a ``doctor`` (in their first clinic), or a doctor of a clinic."""

    clinic: Annotated[Name, Field(examples=["lab"])] | None = None
    doctor: Name | None = None
    priority: Priority = Priority.NORMAL


class NewVisit(Way):
    patient: Id
    reason: Reason | None = None


class Why(Body):
    reason: Reason | None = None


class Asked:
    """Which visits a list is to have. Without a ``day`` those of the present service day."""

    def __init__(
        self,
        day: Annotated[Day | None, Query()] = None,
        status: Annotated[Status | None, Query()] = None,
        clinic: Annotated[Name | None, Query()] = None,
    ) -> None:
        self.day, self.status, self.clinic = day, status, clinic


Listing = Annotated[Asked, Depends()]


class Step(BaseModel):
    type: str = Field(examples=["visit_created"])
    status: Status
    at: AwareDatetime
    actor: str
    reason: str | None


class ListedTicket(BaseModel):
    ticket: str
    clinic: str
    code: str
    status: str
    desk: str | None


class VisitCard(BaseModel):
    visit: str
    visit_number: str = Field(examples=["V-20261121-0001"])
    service_day: str = Field(examples=["2026-11-21"])
    status: Status
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    appointment: str | None
    patient: dict[str, Any]


class VisitAnswer(VisitCard):
    """``tickets`` are as the queue answers them."""

    reason: str | None
    tickets: list[dict[str, Any]]
    history: list[Step]


class ListedVisit(VisitCard):
    """The patient without what only an opened record shows."""

    tickets: list[ListedTicket]


class VisitsAnswer(BaseModel):
    items: list[ListedVisit]
    next: str | None
    total: int | None = None


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """An operation's ``responses`` where it succeeds."""
    return {status: {"model": model}}
