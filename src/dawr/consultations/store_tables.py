"""Consultations, every version of their notes, and the doctors' averages. Nothing here can be deleted by the app, and nothing
that it refers to takes it along: no key cascades."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    text,
)

from dawr.consultations.rules import Standing
from dawr.platform.schema import facility_table

consultation = facility_table(
    "consultation",
    Column("id", Uuid, primary_key=True),
    Column("ticket", Uuid, nullable=False),
    Column("clinic", Text, nullable=False),
    Column("author", Uuid, nullable=False),
    Column("doctor", Text),
    Column("visit", Uuid),
    Column("patient", Uuid),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("duration_seconds", Integer, nullable=False),
    Column("outcome", Text),
    Column("referred_to", Uuid),
    Column("standing", Text, nullable=False),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["facility_id", "ticket"], ["ticket.facility_id", "ticket.id"]),
    ForeignKeyConstraint(["facility_id", "clinic"], ["clinic.facility_id", "clinic.clinic"]),
    ForeignKeyConstraint(["facility_id", "doctor"], ["doctor.facility_id", "doctor.doctor"]),
    ForeignKeyConstraint(["facility_id", "visit"], ["visit.facility_id", "visit.visit"]),
    ForeignKeyConstraint(["facility_id", "patient"], ["patient.facility_id", "patient.patient"]),
    ForeignKeyConstraint(["facility_id", "referred_to"], ["ticket.facility_id", "ticket.id"]),
    CheckConstraint("duration_seconds >= 0", name="duration"),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint(f"standing IN ({', '.join(repr(one.value) for one in Standing)})", name="standing"),
    CheckConstraint("(visit IS NULL) = (patient IS NULL)", name="patient"),
    Index(
        "consultation_ticket_key",
        "facility_id",
        "ticket",
        unique=True,
        postgresql_where=text("standing <> 'entered_in_error'"),
    ),
    Index(
        "consultation_patient_idx",
        "facility_id",
        "patient",
        "id",
        postgresql_where=text("patient IS NOT NULL"),
    ),
    grants="SELECT, INSERT, UPDATE",
)

consultation_note = facility_table(
    "consultation_note",
    Column("consultation", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("notes_sealed", LargeBinary, nullable=False),
    Column("outcome", Text),
    Column("standing", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(["facility_id", "consultation"], ["consultation.facility_id", "consultation.id"]),
    CheckConstraint("version > 0", name="version"),
    # Never written again, but sealed with another key: so the app may change nothing else of a version that is there.
    grants="SELECT, INSERT, UPDATE (notes_sealed)",
)

# Who read the notes of a ticket without a visit: the trail of a patient's record holds all other readings.
consultation_access = facility_table(
    "consultation_access",
    Column("access", Uuid, primary_key=True),
    Column("consultation", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason_sealed", LargeBinary),
    ForeignKeyConstraint(["facility_id", "consultation"], ["consultation.facility_id", "consultation.id"]),
    Index("consultation_access_idx", "facility_id", "consultation", "access"),
    # Never written again, but sealed with another key.
    grants="SELECT, INSERT, UPDATE (reason_sealed)",
)

doctor_average = facility_table(
    "doctor_average",
    Column("doctor", Text, primary_key=True),
    Column("consultations", Integer, nullable=False),
    Column("seconds", BigInteger, nullable=False),
    Column("mean_seconds", Double, Computed("seconds::float8 / nullif(consultations, 0)", persisted=True)),
    ForeignKeyConstraint(["facility_id", "doctor"], ["doctor.facility_id", "doctor.doctor"]),
    CheckConstraint("consultations >= 0 AND seconds >= 0", name="counts"),
    CheckConstraint("consultations > 0 OR seconds = 0", name="nothing"),
    grants="SELECT, INSERT, UPDATE",
    fillfactor=50,
)
