"""Tables of facilities, departments, clinics, desks and doctors, and the directory that finds a facility by its address."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dawr.platform.schema import define_function, directory_table, facility_table

SLUG = "~ '^[a-z0-9][a-z0-9._-]{0,62}$'"

address = directory_table(
    "facility",
    Column("facility_id", Uuid, primary_key=True),
    Column("no", Integer, Identity(always=True), nullable=False, unique=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("is_default", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint(f"slug {SLUG}", name="slug"),
    Index("facility_default_idx", "is_default", unique=True, postgresql_where=text("is_default")),
    reason="a request names a facility before it has one: by slug, or by number inside a ticket's secret",
)

facility = facility_table(
    "facility",
    Column("slug", Text, nullable=False),
    Column("no", Integer, nullable=False),
    Column("name", JSONB, nullable=False),
    Column("zone", Text, nullable=False),
    Column("pivot", Time, nullable=False, server_default=text("'00:00'")),
    Column("languages", ARRAY(Text), nullable=False),
    Column("grace_minutes", Integer, nullable=False, server_default=text("120")),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("pause_reason", Text),
    Column("version", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("grace_minutes BETWEEN 0 AND 720", name="grace"),
)

department = facility_table(
    "department",
    Column("department", Text, primary_key=True),
    Column("name", JSONB, nullable=False),
    Column("archived_on", Date),
    Column("version", Integer, nullable=False, server_default=text("0")),
    ForeignKeyConstraint(["facility_id"], ["facility.facility_id"]),
    CheckConstraint(f"department {SLUG}", name="slug"),
)

clinic = facility_table(
    "clinic",
    Column("clinic", Text, primary_key=True),
    Column("department", Text),
    Column("name", JSONB, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("floor", Text),
    Column("entry", Text, nullable=False, server_default=text("'open'")),
    Column("capacity", Integer),
    Column("hours", JSONB),
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("pause_reason", Text),
    Column("mean_service_seconds", Integer),
    Column("late_after_seconds", Integer, server_default=text("300")),
    Column("priority_credit_seconds", Integer, nullable=False, server_default=text("1800")),
    Column("place", Integer, nullable=False, server_default=text("0")),
    Column("poster", Integer, nullable=False, server_default=text("1")),
    Column("archived_on", Date),
    Column("version", Integer, nullable=False, server_default=text("0")),
    ForeignKeyConstraint(["facility_id"], ["facility.facility_id"]),
    ForeignKeyConstraint(["facility_id", "department"], ["department.facility_id", "department.department"]),
    UniqueConstraint("facility_id", "prefix"),
    CheckConstraint(f"clinic {SLUG}", name="slug"),
    CheckConstraint("prefix ~ '^[A-Z][A-Z0-9]{0,7}$'", name="prefix"),
    CheckConstraint("entry IN ('open', 'qr', 'verified', 'staff')", name="entry"),
    CheckConstraint("capacity >= 0", name="capacity"),
    CheckConstraint("mean_service_seconds BETWEEN 10 AND 28800", name="mean_service"),
    CheckConstraint("late_after_seconds BETWEEN 30 AND 7200", name="late_after"),
    CheckConstraint("priority_credit_seconds BETWEEN 0 AND 86400", name="priority_credit"),
)

desk = facility_table(
    "desk",
    Column("clinic", Text, primary_key=True),
    Column("desk", Text, primary_key=True),
    Column("name", JSONB),
    ForeignKeyConstraint(["facility_id", "clinic"], ["clinic.facility_id", "clinic.clinic"]),
    CheckConstraint("desk ~ '^[A-Za-z0-9][A-Za-z0-9-]{0,15}$'", name="desk"),
)

doctor = facility_table(
    "doctor",
    Column("doctor", Text, primary_key=True),
    Column("name", JSONB, nullable=False),
    Column("archived_on", Date),
    Column("version", Integer, nullable=False, server_default=text("0")),
    ForeignKeyConstraint(["facility_id"], ["facility.facility_id"]),
    CheckConstraint(f"doctor {SLUG}", name="slug"),
)

doctor_clinic = facility_table(
    "doctor_clinic",
    Column("doctor", Text, primary_key=True),
    Column("clinic", Text, primary_key=True),
    ForeignKeyConstraint(["facility_id", "doctor"], ["doctor.facility_id", "doctor.doctor"]),
    ForeignKeyConstraint(["facility_id", "clinic"], ["clinic.facility_id", "clinic.clinic"]),
)

define_function(
    "directory.register_facility(text, boolean)",
    """
CREATE OR REPLACE FUNCTION directory.register_facility(wanted text, as_default boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  given integer;
BEGIN
  -- Two first facilities at once would both take the default's place.
  LOCK TABLE directory.facility IN SHARE ROW EXCLUSIVE MODE;
  IF as_default THEN
    UPDATE directory.facility SET is_default = false WHERE is_default;
  END IF;
  INSERT INTO directory.facility (facility_id, slug, is_default)
  VALUES (current_setting('dawr.facility')::uuid, wanted,
          NOT EXISTS (SELECT FROM directory.facility WHERE is_default))
  ON CONFLICT (slug) DO NOTHING RETURNING no INTO given;
  RETURN given;
END $$
""",
)

define_function(
    "directory.make_default_facility()",
    """
CREATE OR REPLACE FUNCTION directory.make_default_facility() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  LOCK TABLE directory.facility IN SHARE ROW EXCLUSIVE MODE;
  UPDATE directory.facility SET is_default = false WHERE is_default;
  UPDATE directory.facility SET is_default = true WHERE facility_id = current_setting('dawr.facility')::uuid;
END $$
""",
)

define_function(
    "directory.facility_by_slug(text)",
    """
CREATE OR REPLACE FUNCTION directory.facility_by_slug(wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT facility_id FROM directory.facility WHERE slug = wanted
$$
""",
)

define_function(
    "directory.facility_by_no(integer)",
    """
CREATE OR REPLACE FUNCTION directory.facility_by_no(wanted integer) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT facility_id FROM directory.facility WHERE no = wanted
$$
""",
)

define_function(
    "directory.default_facility()",
    """
CREATE OR REPLACE FUNCTION directory.default_facility() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT facility_id FROM directory.facility WHERE is_default
$$
""",
)

define_function(
    "directory.facilities()",
    """
CREATE OR REPLACE FUNCTION directory.facilities()
RETURNS TABLE (facility_id uuid, no integer, slug text, is_default boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT facility_id, no, slug, is_default FROM directory.facility ORDER BY no
$$
""",
)
