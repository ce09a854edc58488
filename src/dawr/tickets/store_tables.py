"""The tables of the queue and what the database itself refuses."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from dawr.platform.schema import facility_table
from dawr.tickets.rules import Priority, Status
from dawr.tickets.rules_proof import MOST_TRIES

CALLED_ON = "'called', 'serving', 'held'"
IS_OPEN = "status IN ('waiting', 'called', 'serving', 'held')"

queue = facility_table(
    "queue",
    Column("clinic", Text, primary_key=True),
    Column("service_day", Date, nullable=False),
    Column("series", Integer, nullable=False, server_default=text("1")),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("last_key", BigInteger, nullable=False, server_default=text("0")),
    Column("carries", Boolean, nullable=False, server_default=text("true")),
    Column("waiting", Integer, nullable=False, server_default=text("0")),
    ForeignKeyConstraint(["facility_id", "clinic"], ["clinic.facility_id", "clinic.clinic"]),
    CheckConstraint("series > 0 AND version >= 0 AND waiting >= 0", name="counts"),
    grants="SELECT, INSERT, UPDATE",
    fillfactor=50,
)

# Numbers that are being proved: a blind index, and how often a code was typed. The code is kept nowhere.
phone_proof = facility_table(
    "phone_proof",
    Column("verification", Uuid, primary_key=True),
    Column("clinic", Text, nullable=False),
    Column("phone", LargeBinary, nullable=False),
    Column("tries", SmallInteger, nullable=False, server_default=text("0")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("proved_at", DateTime(timezone=True)),
    ForeignKeyConstraint(["facility_id", "clinic"], ["clinic.facility_id", "clinic.clinic"]),
    CheckConstraint(f"tries BETWEEN 0 AND {MOST_TRIES}", name="tries"),
    Index("phone_proof_created_idx", "facility_id", "created_at"),
)

ticket = facility_table(
    "ticket",
    Column("id", Uuid, primary_key=True),
    Column("clinic", Text, nullable=False),
    Column("service_day", Date, nullable=False),
    Column("series", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("code", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("order_key", BigInteger, nullable=False),
    Column("placed", Text, nullable=False),
    Column("doctor", Text),
    Column("desk", Text),
    Column("language", Text),
    Column("entered_at", DateTime(timezone=True), nullable=False),
    Column("called_at", DateTime(timezone=True)),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_day", Date),
    Column("calls", Integer, nullable=False, server_default=text("0")),
    Column("changed_version", BigInteger, nullable=False),
    Column("previous", Uuid),
    Column("person", LargeBinary),
    Column("device", LargeBinary),
    Column("name_sealed", LargeBinary),
    Column("phone_sealed", LargeBinary),
    ForeignKeyConstraint(["facility_id", "clinic"], ["queue.facility_id", "queue.clinic"]),
    ForeignKeyConstraint(["facility_id", "doctor"], ["doctor.facility_id", "doctor.doctor"]),
    ForeignKeyConstraint(["facility_id", "previous"], ["ticket.facility_id", "ticket.id"]),
    UniqueConstraint("facility_id", "clinic", "service_day", "series", "number"),
    CheckConstraint("number > 0", name="number"),
    CheckConstraint(f"status IN ({', '.join(repr(s.value) for s in Status)})", name="status"),
    CheckConstraint(f"priority IN ({', '.join(repr(p.value) for p in Priority)})", name="priority"),
    CheckConstraint("rank IN (0, 1)", name="rank"),
    CheckConstraint(f"({IS_OPEN}) = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_day IS NULL)", name="ended"),
    CheckConstraint("status NOT IN ('called', 'serving', 'done', 'no_show') OR called_at IS NOT NULL", name="called"),
    CheckConstraint("status <> 'serving' OR started_at IS NOT NULL", name="started"),
    CheckConstraint(
        "status <> 'waiting' OR (desk IS NULL AND called_at IS NULL AND started_at IS NULL)", name="waiting"
    ),
    Index(
        "ticket_person_key",
        "facility_id",
        "clinic",
        "person",
        unique=True,
        postgresql_where=text(f"{IS_OPEN} AND person IS NOT NULL"),
    ),
    Index(
        "ticket_waiting_doctor_idx",
        "facility_id",
        "clinic",
        "doctor",
        "rank",
        "order_key",
        "id",
        postgresql_where=text("status = 'waiting'"),
    ),
    # One for the order of those who wait and for the lists of the others: a second would be chosen for the first's work.
    Index(
        "ticket_open_idx",
        "facility_id",
        "clinic",
        "status",
        "rank",
        "order_key",
        "id",
        postgresql_where=text(IS_OPEN),
    ),
    Index(
        "ticket_ended_idx",
        "facility_id",
        "clinic",
        "ended_day",
        "ended_at",
        postgresql_where=text("ended_day IS NOT NULL"),
    ),
    grants="SELECT, INSERT, UPDATE",
    fillfactor=80,
)
