"""The tables of visits: the visit, its tickets, and the reasons people gave, sealed."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from dawr.platform.schema import facility_table
from dawr.visits.rules import OPEN, Status

IS_OPEN = f"status IN ({', '.join(repr(one.value) for one in OPEN)})"

visit = facility_table(
    "visit",
    Column("visit", Uuid, primary_key=True),
    Column("patient", Uuid, nullable=False),
    Column("service_day", Date, nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("appointment", Uuid),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["facility_id", "patient"], ["patient.facility_id", "patient.patient"]),
    UniqueConstraint("facility_id", "service_day", "number"),
    CheckConstraint("number > 0 AND version > 0", name="counts"),
    CheckConstraint(f"status IN ({', '.join(repr(one.value) for one in Status)})", name="status"),
    CheckConstraint(f"({IS_OPEN}) = (ended_at IS NULL)", name="ended"),
    CheckConstraint("status <> 'in_progress' OR started_at IS NOT NULL", name="started"),
    Index("visit_patient_idx", "facility_id", "patient", "visit"),
    Index("visit_status_idx", "facility_id", "service_day", "status", "number"),
    Index(
        "visit_appointment_idx",
        "facility_id",
        "appointment",
        postgresql_where=text("appointment IS NOT NULL"),
    ),
    grants="SELECT, INSERT, UPDATE",
    fillfactor=85,
)

visit_ticket = facility_table(
    "visit_ticket",
    Column("ticket", Uuid, primary_key=True),
    Column("visit", Uuid, nullable=False),
    Column("clinic", Text, nullable=False),
    ForeignKeyConstraint(["facility_id", "visit"], ["visit.facility_id", "visit.visit"]),
    ForeignKeyConstraint(["facility_id", "ticket"], ["ticket.facility_id", "ticket.id"]),
    Index("visit_ticket_visit_idx", "facility_id", "visit", "ticket"),
    grants="SELECT, INSERT",
)

visit_reason = facility_table(
    "visit_reason",
    Column("visit", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("reason_sealed", LargeBinary, nullable=False),
    ForeignKeyConstraint(["facility_id", "visit"], ["visit.facility_id", "visit.visit"]),
    grants="SELECT, INSERT",
)
