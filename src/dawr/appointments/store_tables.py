"""The tables of appointments and what the database itself refuses.

``occupied`` is what makes double booking impossible: while somebody holds a seat, every five minutes of it are a row for the
doctor's seat and a row for the patient, and the primary key lets nobody be in two places at once, whatever the slots were cut
like when each was booked. ``wanted`` is what those who wait want: see ``rules_waiting``.
"""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dawr.appointments.rules import ACTIVE, Status
from dawr.appointments.rules_schedule import LARGEST_CAPACITY, Reason
from dawr.appointments.rules_waiting import CELLS, KEPT, OPEN, WaitingStatus
from dawr.platform.schema import facility_table


def _any_of(several: Iterable[StrEnum]) -> str:
    return f"status IN ({', '.join(repr(one.value) for one in several)})"


IS_ACTIVE = _any_of(ACTIVE)
IS_OPEN = _any_of(OPEN)
IS_KEPT = _any_of(KEPT)
NEEDS_ATTENTION = "status = 'booked' AND (needs_rebooking OR doubled)"


def _patient() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["facility_id", "patient"], ["patient.facility_id", "patient.patient"])


def _one_of(kind: type[StrEnum]) -> str:
    return ", ".join(repr(one.value) for one in kind)


schedule = facility_table(
    "schedule",
    Column("doctor", Text, primary_key=True),
    Column("windows", JSONB, nullable=False, server_default=text("'[]'")),
    Column("extra", JSONB, nullable=False, server_default=text("'[]'")),
    Column("version", Integer, nullable=False, server_default=text("0")),
    ForeignKeyConstraint(["facility_id", "doctor"], ["doctor.facility_id", "doctor.doctor"]),
    grants="SELECT, INSERT, UPDATE",
)

leave = facility_table(
    "leave",
    Column("leave", Uuid, primary_key=True),
    Column("doctor", Text, nullable=False),
    Column("starts", DateTime(timezone=True), nullable=False),
    Column("ends", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("cancelled_at", DateTime(timezone=True)),
    ForeignKeyConstraint(["facility_id", "doctor"], ["schedule.facility_id", "schedule.doctor"]),
    CheckConstraint("starts < ends", name="span"),
    CheckConstraint(f"reason IN ({_one_of(Reason)})", name="reason"),
    Index("leave_ends_idx", "facility_id", "doctor", "ends", postgresql_where=text("cancelled_at IS NULL")),
    grants="SELECT, INSERT, UPDATE",
)

waiting = facility_table(
    "appointment_waiting",
    Column("waiting", Uuid, primary_key=True),
    Column("patient", Uuid, nullable=False),
    Column("doctor", Text, nullable=False),
    Column("earliest", DateTime(timezone=True)),
    Column("latest", DateTime(timezone=True)),
    Column("status", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("lapses", SmallInteger, nullable=False, server_default=text("0")),
    # Without a foreign key: an appointment names its place on the list already, and tables are made one after the other.
    Column("instead_of", Uuid),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["facility_id", "doctor"], ["schedule.facility_id", "schedule.doctor"]),
    _patient(),
    CheckConstraint(f"status IN ({_one_of(WaitingStatus)})", name="status"),
    Index(
        "appointment_waiting_key",
        "facility_id",
        "doctor",
        "patient",
        unique=True,
        postgresql_where=text(IS_OPEN),
    ),
    Index(
        "appointment_waiting_order_idx",
        "facility_id",
        "doctor",
        "created_at",
        "waiting",
        postgresql_where=text(IS_OPEN),
    ),
    Index("appointment_waiting_list_idx", "facility_id", "created_at", "waiting", postgresql_where=text(IS_OPEN)),
    Index("appointment_waiting_patient_idx", "facility_id", "patient", postgresql_where=text(IS_KEPT)),
    Index(
        "appointment_waiting_instead_key",
        "facility_id",
        "instead_of",
        unique=True,
        postgresql_where=text(f"{IS_KEPT} AND instead_of IS NOT NULL"),
    ),
    Index("appointment_waiting_latest_idx", "facility_id", "latest", postgresql_where=text("status = 'waiting'")),
    grants="SELECT, INSERT, UPDATE",
)

wanted = facility_table(
    "appointment_wanted",
    Column("doctor", Text, primary_key=True),
    Column("node", Integer, primary_key=True),
    Column("created_at", DateTime(timezone=True), primary_key=True),
    Column("waiting", Uuid, primary_key=True),
    ForeignKeyConstraint(
        ["facility_id", "waiting"], ["appointment_waiting.facility_id", "appointment_waiting.waiting"]
    ),
    CheckConstraint(f"node BETWEEN 1 AND {2 * CELLS - 1}", name="node"),
    # Without the facility: beside it a server that knows nothing of the list would take this index for as good as the key.
    Index("appointment_wanted_idx", "waiting"),
    grants="SELECT, INSERT, DELETE",
)

appointment = facility_table(
    "appointment",
    Column("appointment", Uuid, primary_key=True),
    Column("patient", Uuid, nullable=False),
    Column("doctor", Text, nullable=False),
    Column("clinic", Text, nullable=False),
    Column("starts", DateTime(timezone=True), nullable=False),
    Column("ends", DateTime(timezone=True), nullable=False),
    Column("capacity", SmallInteger, nullable=False),
    Column("seat", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("needs_rebooking", Boolean, nullable=False, server_default=text("false")),
    Column("doubled", Boolean, nullable=False, server_default=text("false")),
    Column("waiting", Uuid),
    Column("answer_by", DateTime(timezone=True)),
    Column("visit", Uuid),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["facility_id", "doctor"], ["schedule.facility_id", "schedule.doctor"]),
    ForeignKeyConstraint(["facility_id", "clinic"], ["clinic.facility_id", "clinic.clinic"]),
    ForeignKeyConstraint(
        ["facility_id", "waiting"], ["appointment_waiting.facility_id", "appointment_waiting.waiting"]
    ),
    ForeignKeyConstraint(["facility_id", "visit"], ["visit.facility_id", "visit.visit"]),
    _patient(),
    CheckConstraint("starts < ends", name="span"),
    CheckConstraint(f"capacity BETWEEN 1 AND {LARGEST_CAPACITY} AND seat BETWEEN 0 AND capacity - 1", name="seat"),
    CheckConstraint(f"status IN ({_one_of(Status)})", name="status"),
    CheckConstraint("(status = 'offered') = (answer_by IS NOT NULL)", name="offer"),
    CheckConstraint("(status = 'checked_in') = (visit IS NOT NULL)", name="visit"),
    Index(
        "appointment_seat_key",
        "facility_id",
        "doctor",
        "starts",
        "seat",
        unique=True,
        postgresql_where=text(IS_ACTIVE),
    ),
    Index("appointment_patient_idx", "facility_id", "patient", "starts", "appointment"),
    Index("appointment_day_idx", "facility_id", "starts", "appointment"),
    Index("appointment_attention_idx", "facility_id", "starts", "appointment", postgresql_where=text(NEEDS_ATTENTION)),
    Index("appointment_waiting_idx", "facility_id", "waiting", postgresql_where=text("waiting IS NOT NULL")),
    Index("appointment_booked_idx", "facility_id", "starts", postgresql_where=text("status = 'booked'")),
    Index("appointment_offered_idx", "facility_id", "answer_by", postgresql_where=text("status = 'offered'")),
    grants="SELECT, INSERT, UPDATE",
)

occupied = facility_table(
    "appointment_occupied",
    Column("who", Text, primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("appointment", Uuid, nullable=False),
    ForeignKeyConstraint(["facility_id", "appointment"], ["appointment.facility_id", "appointment.appointment"]),
    Index("appointment_occupied_idx", "facility_id", "appointment"),
    grants="SELECT, INSERT, DELETE",
)

rules = facility_table(
    "appointment_rules",
    Column("late_minutes", Integer, nullable=False),
    Column("no_show_minutes", Integer, nullable=False),
    Column("offer_minutes", Integer, nullable=False),
    Column("reminders", ARRAY(Integer), nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("late_minutes BETWEEN 0 AND 240 AND no_show_minutes BETWEEN 5 AND 1440", name="lateness"),
    CheckConstraint("offer_minutes BETWEEN 5 AND 2880", name="offers"),
    grants="SELECT, INSERT, UPDATE",
)
