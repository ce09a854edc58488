"""What is asked of a patient and answered about one, over HTTP."""

from datetime import time
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictBool, StringConstraints, model_validator

from dawr.patients.rules import Channel, Gender, Identity, Preferences, Purpose
from dawr.platform.http.bodies import Body, Day, OpaqueId, PersonName, Phone, Reason

MOST_PHONES = 5
EMPTIABLE = frozenset(
    {"phone", "birth_date", "birth_year", "gender", "national_id", "record_number", "language", "email"}
)


PatientId = OpaqueId
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]
Number = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")]
Names = Annotated[dict[Language, PersonName], Field(max_length=10, examples=[{"ar": "أمينة", "en": "Amina"}])]


class Wishes(Body):
    """``channels`` null: by any. Quiet hours are local times; the second may be on the next day."""

    channels: Annotated[list[Channel], Field(max_length=len(Channel))] | None = None
    quiet_from: ClockTime | None = None
    quiet_to: ClockTime | None = None
    opted_out: StrictBool = False

    @model_validator(mode="after")
    def _both_or_none(self) -> "Wishes":
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet hours have a beginning and an end")
        return self

    def preferences(self) -> Preferences:
        quiet = (
            (time.fromisoformat(self.quiet_from), time.fromisoformat(self.quiet_to or self.quiet_from))
            if (self.quiet_from)
            else None
        )
        channels = None if self.channels is None else tuple(dict.fromkeys(self.channels))
        return Preferences(channels=channels, quiet=quiet, opted_out=self.opted_out)


class PatientFields(Body):
    """``phone`` is the first of ``phones``. A year of birth alone is enough where no more is known."""

    name: PersonName | None = None
    names: Names | None = None
    phone: Phone | None = None
    phones: Annotated[list[Phone], Field(max_length=MOST_PHONES)] | None = None
    birth_date: Day | None = None
    birth_year: int | None = None
    gender: Gender | None = None
    national_id: Number | None = None
    record_number: Number | None = None
    language: Language | None = None
    email: Email | None = None
    preferences: Wishes | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that were sent, as ``commands.change`` takes them."""
        sent = {name: getattr(self, name) for name in self.model_fields_set - {"version"}}
        kept = {name: value for name, value in sent.items() if value is not None or name in EMPTIABLE}
        # The one says the other, or contradicts it: what is not sent with it goes.
        if kept.get("birth_date") or kept.get("birth_year"):
            kept = {"birth_date": None, "birth_year": None} | kept
        if "phones" in kept:
            kept["phones"] = tuple(kept["phones"])
        if "preferences" in kept:
            kept["preferences"] = kept["preferences"].preferences()
        return kept


class PatientChange(PatientFields):
    """Only what is sent counts; null empties what may be empty. Another ``version`` now than the one sent is a 409."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class NewPatient(PatientFields):
    name: PersonName

    def identity(self) -> Identity:
        made = self.changes()
        first = made.pop("phone", None)
        phones = made.pop("phones", ())
        return Identity(**made, phones=(first, *phones) if first else phones)


class Search(Body):
    query: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    limit: Annotated[int, Field(ge=1, le=20)] = 20
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


class Opening(Body):
    """``reason`` is kept with the record of who read it, sealed."""

    reason: Reason | None = None
    purpose: Purpose | None = None


class Merging(Body):
    into: PatientId


class PatientSummary(BaseModel):
    """Of the phone only the last digits are shown: a list is not an opened record."""

    patient: str
    name: str | None
    names: dict[str, str]
    phone: str | None
    birth_date: str | None
    birth_year: int | None
    gender: Gender | None
    language: str | None
    erased: bool


class WishesAnswer(BaseModel):
    channels: list[Channel] | None
    quiet_from: str | None
    quiet_to: str | None
    opted_out: bool


class PatientAnswer(PatientSummary):
    phones: list[str]
    national_id: str | None
    record_number: str | None
    email: str | None
    preferences: WishesAnswer
    version: int
    created_at: str


class DuplicateAnswer(PatientSummary):
    reasons: list[str] = Field(
        description="`national_id`, `record_number`, `name_and_birth`, `phone`; the surest first"
    )


class CreatedAnswer(PatientAnswer):
    duplicates: list[DuplicateAnswer]


class FoundAnswer(BaseModel):
    items: list[PatientSummary]
    next: str | None


class DuplicatesAnswer(BaseModel):
    items: list[DuplicateAnswer]


class MergedAnswer(BaseModel):
    items: list[PatientSummary]


class AccessAnswer(BaseModel):
    access: str
    patient: str
    at: str
    actor: str
    purpose: Purpose
    break_glass: bool
    reason: str | None


class AccessesAnswer(BaseModel):
    items: list[AccessAnswer]
    next: str | None
    total: int | None = None


class ChangeAnswer(BaseModel):
    """``fields``: which of the person's were changed, never to what; ``other``: the record that this one was merged with or
    parted from."""

    change: str
    patient: str
    at: str
    actor: str
    type: str = Field(examples=["patient_changed"])
    fields: list[str]
    other: str | None


class ChangesAnswer(BaseModel):
    items: list[ChangeAnswer]
    next: str | None
    total: int | None = None


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": model, "description": "Done"}}
