"""What the queue is asked for a ticket, and what it answers, over HTTP. Answers are not checked against their shapes at run time;
a test does that."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from dawr.platform.http.bodies import Body, PersonName, Phone
from dawr.tickets.rules import Placed, Priority, Status

# Of clinics, doctors and desks. What none of them is called is not found, whatever it looks like.
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ClinicName = Annotated[Name, Field(examples=["lab"])]


class Enter(Body):
    """Who asks for a ticket. ``user`` is whatever tells this person from others: a device, a visitor number."""

    clinic: ClinicName
    user: Annotated[str, StringConstraints(min_length=1, max_length=128), Field(examples=["TEST_1"])]
    doctor: Name | None = None
    name: PersonName | None = None
    phone: Phone | None = None
    language: Literal["ar", "en", "hi"] | None = None
    priority: Priority = Priority.NORMAL
    entry_code: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None, description="What the clinic's QR code carries, where the clinic asks for it"
    )
    proof: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None, description="Of the `phone`, from `/queue/verify/code`, where the clinic asks for it"
    )


# What a replay answers as it was. A ticket's other members that never change are read with it; its code gets the mark of its day
# when it is carried over.
UNCHANGING = ("code",)


class WaitAnswer(BaseModel):
    """Whole minutes until the call, as a range. ``basis``: services seen, the facility's plan, or both."""

    likely_minutes: int
    low_minutes: int
    high_minutes: int
    basis: Literal["observed", "planned", "mixed"]


class OrderAnswer(BaseModel):
    """Why the ticket stands where it stands; ``carried``: over from an earlier service day."""

    placed: Placed
    carried: bool


class TicketAnswer(BaseModel):
    ticket: str
    clinic: str
    doctor: str | None
    number: int
    series: int
    code: str = Field(examples=["LAB-031", "LAB-B001"])
    service_day: str = Field(examples=["2026-11-21"])
    status: Status
    position: int = Field(description="`ahead` + 1 while waiting, 0 once called")
    ahead: int = Field(description="How many wait before this ticket")
    desk: str | None
    wait: WaitAnswer | None = Field(description="null where nothing honest can be said")
    follow: str | None = Field(description="The patient's address of the ticket, for who made it and for staff")
    existing: bool
    priority: Priority
    order: OrderAnswer
    entered_at: AwareDatetime
    called_at: AwareDatetime | None
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    duration_seconds: int | None
    next: str | None = Field(None, description="Where the ticket was transferred: the next one's address")


class AtDesk(TicketAnswer):
    name: str | None
    phone: str | None
    late: bool


class AtDeskAnswer(BaseModel):
    items: list[AtDesk]
    next: None


class Step(BaseModel):
    type: str
    status: Status
    desk: str | None
    at: AwareDatetime
    actor: str


class HistoryAnswer(BaseModel):
    items: list[Step]
    next: None


class AtADesk(BaseModel):
    code: str
    desk: str | None


class Counts(BaseModel):
    waiting: int
    called: int
    serving: int
    held: int
    done: int
    gone: int


class StatusAnswer(BaseModel):
    """Codes only, nothing that names a person."""

    clinic: str
    service_day: str
    series: int
    waiting: list[str]
    called: list[AtADesk]
    serving: list[AtADesk]
    held: list[str]
    counts: Counts
    last_number: int
    mean_wait_minutes: float | None
    as_of: AwareDatetime
    cursor: str = Field(description="Where a live stream goes on from here: its `Last-Event-ID`")


class ClinicFigures(BaseModel):
    clinic: str
    total: int
    waiting: int
    served: int
    mean_wait_minutes: float | None


class FiguresAnswer(BaseModel):
    facility: str
    as_of: AwareDatetime
    clinics: list[ClinicFigures]


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """An operation's ``responses`` where it succeeds."""
    return {status: {"model": model}}
