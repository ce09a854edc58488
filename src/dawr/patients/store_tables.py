"""The tables of patients. What describes a person is sealed with the person's own key, found by blind tokens alone."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import BIT

from dawr.patients.tokens import BLOOM_BITS
from dawr.platform.schema import facility_table

patient = facility_table(
    "patient",
    Column("patient", Uuid, primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'active'")),
    # Whose record this one is part of: its own id, or that of the record which it was merged into at last.
    Column("survivor", Uuid, nullable=False),
    Column("merged_into", Uuid),
    Column("erased_at", DateTime(timezone=True)),
    Column("erased_why", LargeBinary),
    Column("names_sealed", LargeBinary),
    Column("birth_sealed", LargeBinary),
    Column("gender_sealed", LargeBinary),
    Column("phones_sealed", LargeBinary),
    Column("national_id_sealed", LargeBinary),
    Column("record_number_sealed", LargeBinary),
    Column("language_sealed", LargeBinary),
    Column("email_sealed", LargeBinary),
    Column("preferences_sealed", LargeBinary),
    ForeignKeyConstraint(["facility_id", "survivor"], ["patient.facility_id", "patient.patient"]),
    ForeignKeyConstraint(["facility_id", "merged_into"], ["patient.facility_id", "patient.patient"]),
    CheckConstraint("status IN ('active', 'merged', 'erased')", name="status"),
    CheckConstraint("status <> 'active' OR (survivor = patient AND merged_into IS NULL)", name="active"),
    CheckConstraint("status <> 'merged' OR (survivor <> patient AND merged_into IS NOT NULL)", name="merged"),
    CheckConstraint("(status = 'erased') = (erased_at IS NOT NULL)", name="erased"),
    Index("patient_survivor_idx", "facility_id", "survivor"),
    Index("patient_merged_idx", "facility_id", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
    grants="SELECT, INSERT, UPDATE",
)

patient_key = facility_table(
    "patient_key",
    Column("patient", Uuid, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    ForeignKeyConstraint(["facility_id", "patient"], ["patient.facility_id", "patient.patient"]),
)

patient_index = facility_table(
    "patient_index",
    Column("kind", Text, primary_key=True),
    Column("token", LargeBinary, primary_key=True),
    Column("patient", Uuid, primary_key=True),
    # Of a name's token: what else may be in the names of that record. In the key's index, so that it alone is read.
    Column("bloom", BIT(BLOOM_BITS)),
    PrimaryKeyConstraint("facility_id", "kind", "token", "patient", postgresql_include=["bloom"]),
    CheckConstraint("kind IN ('phone', 'number', 'name', 'person')", name="kind"),
    CheckConstraint("(kind = 'name') = (bloom IS NOT NULL)", name="bloom"),
    ForeignKeyConstraint(["facility_id", "patient"], ["patient.facility_id", "patient.patient"]),
    Index("patient_index_patient_idx", "facility_id", "patient"),
    grants="SELECT, INSERT, DELETE",
)

patient_access = facility_table(
    "patient_access",
    Column("access", Uuid, primary_key=True),
    Column("patient", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("break_glass", Boolean, nullable=False),
    Column("reason_sealed", LargeBinary),
    ForeignKeyConstraint(["facility_id", "patient"], ["patient.facility_id", "patient.patient"]),
    CheckConstraint("NOT break_glass OR reason_sealed IS NOT NULL", name="reason"),
    Index("patient_access_patient_idx", "facility_id", "patient", "access"),
    grants="SELECT, INSERT",
)
