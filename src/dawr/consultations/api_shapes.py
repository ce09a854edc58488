"""What consultations are asked for, and what they answer, over HTTP. Answers are not checked against their shapes at run time; a
test does that."""

from typing import Annotated, Any

from fastapi import Depends, Path
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from dawr.consultations.rules import LONGEST_NOTES, Standing
from dawr.facilities.queries import Context
from dawr.platform.http.bodies import Body, OpaqueId, Reason
from dawr.platform.http.context import context

ROOMY = str.maketrans({"\n": " ", "\t": " "})


def _one_line_end(given: Any) -> Any:
    return given.replace("\r\n", "\n") if isinstance(given, str) else given


Here = Annotated[Context, Depends(context)]
IdInBody = OpaqueId
DoctorInPath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Notes = Annotated[str, BeforeValidator(_one_line_end), StringConstraints(min_length=1, max_length=LONGEST_NOTES)]
Outcome = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$"),
    Field(
        description="A code of the facility's own choice, never a sentence",
        examples=["treated", "follow_up", "admitted", "fit", "unfit"],
    ),
]


class NotesBody(Body):
    """Notes have lines: they alone may hold line ends and tabs."""

    @model_validator(mode="before")
    @classmethod
    def _plain_texts(cls, value: Any) -> Any:
        plain = value
        if isinstance(value, dict) and isinstance(value.get("notes"), str):
            plain = value | {"notes": value["notes"].replace("\r\n", "\n").translate(ROOMY)}
        Body._plain_texts(plain)  # type: ignore[operator]
        return value


class NewConsultation(NotesBody):
    """``refer_to``: the clinic in which the person goes on; their ticket is transferred there."""

    ticket: IdInBody
    notes: Notes
    outcome: Outcome | None = None
    refer_to: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None


class Amendment(NotesBody):
    """What is not sent stays; an ``outcome`` of null takes it away."""

    notes: Notes | None = None
    outcome: Outcome | None = None
    version: (
        Annotated[int, Field(ge=1, le=2**31 - 1, description="The version read before; another now is a 409")] | None
    ) = None


class Withdrawal(Body):
    reason: Reason


class Referral(BaseModel):
    ticket: str
    clinic: str
    code: str


class ConsultationAnswer(BaseModel):
    consultation: str
    ticket: str
    visit: str | None
    patient: str | None
    clinic: str
    doctor: str | None = Field(description="The author's short name, where they have one")
    outcome: str | None
    started_at: AwareDatetime
    ended_at: AwareDatetime
    duration_seconds: int
    referred_to: str | None = Field(description="The ticket in the clinic the person was sent on to")
    status: Standing
    version: int


class NoteAnswer(BaseModel):
    version: int
    notes: str | None = Field(description="null once the patient was erased")
    outcome: str | None
    status: Standing
    at: AwareDatetime


class OpenedConsultation(ConsultationAnswer):
    notes: str | None
    versions: list[NoteAnswer]
    mine: bool = Field(description="Whether the reader is the author, who alone may change it")


class AccessAnswer(BaseModel):
    access: str
    at: AwareDatetime
    actor: str
    reason: str | None


class AccessesAnswer(BaseModel):
    items: list[AccessAnswer]
    next: str | None
    total: int | None = None


class Figures(BaseModel):
    consultations: int
    mean_seconds: float | None = Field(description="null before the first")


class DoctorFigures(Figures):
    doctor: str
    today: Figures


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """An operation's ``responses`` where it succeeds."""
    return {status: {"model": model}}
