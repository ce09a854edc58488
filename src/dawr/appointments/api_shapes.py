"""What appointments are asked and answered over HTTP. Answers are not checked against their shapes at run time; a test does
that."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Path
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from dawr.appointments.rules import Status
from dawr.appointments.rules_schedule import MOST_EXTRAS, MOST_WINDOWS, Reason
from dawr.appointments.rules_waiting import WaitingStatus
from dawr.facilities.queries import Context
from dawr.facilities.rules import WEEKDAYS
from dawr.platform.http.bodies import Body, Day, OpaqueId
from dawr.platform.http.context import context

Here = Annotated[Context, Depends(context)]
Id = OpaqueId
DoctorName = Annotated[str, StringConstraints(min_length=1, max_length=64), Field(examples=["dr.rao"])]
DoctorInPath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Secret = Annotated[str | None, Header(alias="Appointment-Secret", max_length=100)]
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["09:00"])]
Minutes = Annotated[int, Field(strict=True, ge=5, le=480, multiple_of=5)]
Seats = Annotated[int, Field(strict=True, ge=1, le=50)]
Clinic = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Moment = AwareDatetime | Day


# Bodies


class Booking(Body):
    """``start`` is the start of one of the doctor's slots, with an offset."""

    patient: Id
    doctor: DoctorName
    start: AwareDatetime


class Move(Body):
    """Without a ``doctor`` the same one."""

    start: AwareDatetime
    doctor: DoctorName | None = None


class Wait(Body):
    """Slots that begin between ``from`` and ``until``: instants with an offset, or days, both included; without them any."""

    patient: Id
    doctor: DoctorName
    from_: Annotated[Moment | None, Field(alias="from", union_mode="left_to_right")] = None
    until: Annotated[Moment | None, Field(union_mode="left_to_right")] = None


class _Hours(Body):
    from_: Annotated[ClockTime, Field(alias="from")]
    to: ClockTime
    slot_minutes: Minutes
    capacity: Seats = 1
    clinic: Clinic | None = None


class WeeklyHours(_Hours):
    """Local times; an end at or before the start lies in the next day. ``valid_from`` and ``valid_until`` are days, included."""

    weekday: Literal[WEEKDAYS]  # type: ignore[valid-type]
    valid_from: Day | None = None
    valid_until: Day | None = None


class ExtraHours(_Hours):
    """An extra opening on one day."""

    date: Day


class Hours(Body):
    """The whole schedule: what is not sent is gone."""

    windows: Annotated[list[WeeklyHours], Field(max_length=MOST_WINDOWS)]
    extra: Annotated[list[ExtraHours], Field(max_length=MOST_EXTRAS, default_factory=list)]
    version: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | None = None


class Away(Body):
    """Instants with an offset, or days: the first and the last of the leave, both included."""

    from_: Annotated[Moment, Field(alias="from", union_mode="left_to_right")]
    until: Annotated[Moment, Field(union_mode="left_to_right")]
    reason: Reason = Reason.OTHER


class Rules(Body):
    late_minutes: Annotated[int, Field(strict=True, ge=0, le=240)]
    no_show_minutes: Annotated[int, Field(strict=True, ge=5, le=1440)]
    offer_minutes: Annotated[int, Field(strict=True, ge=5, le=2880)]
    reminders: Annotated[list[Annotated[int, Field(strict=True, ge=5, le=43_200)]], Field(max_length=6)]
    version: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 0


# Answers


class SlotAnswer(BaseModel):
    start: AwareDatetime
    end: AwareDatetime
    free: bool
    left: int = Field(description="How many more may book it now")
    clinic: str | None


class SlotsAnswer(BaseModel):
    items: list[SlotAnswer]


class AppointmentCard(BaseModel):
    appointment: str
    patient: str
    doctor: str
    clinic: str
    start: AwareDatetime
    end: AwareDatetime
    status: Status
    needs_rebooking: bool = Field(description="The doctor is not there at this time")
    doubled: bool = Field(description="The patient has another appointment at this time, under a record merged since")
    waiting: str | None
    answer_by: AwareDatetime | None = Field(description="Until when an offer is held")
    visit: str | None
    version: int


class EarlierAnswer(BaseModel):
    status: WaitingStatus
    follow: str | None = Field(description="The address of the earlier slot that is offered")


class AppointmentAnswer(AppointmentCard):
    follow: str | None = Field(description="The patient's address of the appointment; null for a doctor")
    earlier: EarlierAnswer | None = Field(description="The wait for an earlier slot")


class ListedAppointment(AppointmentCard):
    name: str | None


class AppointmentsAnswer(BaseModel):
    items: list[ListedAppointment]
    next: str | None
    total: int | None = None


class CheckedInAnswer(BaseModel):
    """``tickets`` are as the queue answers them; ``late``: placed as somebody who joins the queue now."""

    appointment: str
    status: Status
    visit: str
    visit_number: str
    tickets: list[dict[str, Any]]
    late: bool


class WaitingAnswer(BaseModel):
    waiting: str
    patient: str
    doctor: str
    from_: AwareDatetime | None = Field(alias="from")
    until: AwareDatetime | None
    status: WaitingStatus
    since: AwareDatetime
    appointment: str | None = Field(description="The slot that is offered")


class ListedWaiting(WaitingAnswer):
    name: str | None
    start: AwareDatetime | None = Field(description="When the slot that is offered begins")


class WaitingListAnswer(BaseModel):
    items: list[ListedWaiting]
    next: str | None
    total: int | None = None


class ScheduleAnswer(BaseModel):
    doctor: str
    windows: list[dict[str, Any]]
    extra: list[dict[str, Any]]
    version: int


class ChangedScheduleAnswer(ScheduleAnswer):
    needs_rebooking: list[AppointmentCard] = Field(description="What is booked while the doctor is not there")


class LeaveCard(BaseModel):
    leave: str
    doctor: str
    from_: AwareDatetime = Field(alias="from")
    until: AwareDatetime
    reason: Reason
    cancelled: bool


class LeaveAnswer(LeaveCard):
    needs_rebooking: list[AppointmentCard]


class LeavesAnswer(BaseModel):
    items: list[LeaveCard]
    next: None


class RulesAnswer(BaseModel):
    late_minutes: int
    no_show_minutes: int
    offer_minutes: int
    reminders: list[int]
    version: int


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """An operation's ``responses`` where it succeeds."""
    return {status: {"model": model}}
