"""Tables of accounts. Logins and sessions belong to the installation and are out of the app's reach (``store_functions``);
what an account is in a facility is that facility's."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    text,
)

from dawr.platform.schema import directory_table, facility_table

account = directory_table(
    "account",
    Column("account_id", Uuid, primary_key=True),
    Column("email", LargeBinary, nullable=False),
    Column("email_index", LargeBinary, nullable=False, unique=True),
    Column("display_name", LargeBinary, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("password_temporary", Boolean, nullable=False, server_default=text("false")),
    Column("operator", Boolean, nullable=False, server_default=text("false")),
    Column("language", Text),
    Column("disabled_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("password_hash ~ '^[$]argon2id[$]'", name="password_hash"),
    reason="a person signs in before a facility is known, and may work in several",
)

account_facility = directory_table(
    "account_facility",
    Column("account_id", Uuid, ForeignKey("directory.account.account_id"), primary_key=True),
    Column("facility_id", Uuid, ForeignKey("directory.facility.facility_id"), primary_key=True),
    Column("active", Boolean, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    reason="which facilities a session leads to; what the account is there stands in membership",
)

session = directory_table(
    "session",
    Column("session_id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("directory.account.account_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("previous_hash", LargeBinary),
    Column("rotated_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("network", LargeBinary),
    Column("agent", Text),
    CheckConstraint("kind IN ('token', 'cookie')", name="kind"),
    Index("session_account_id_idx", "account_id"),
    Index("session_expires_at_idx", "expires_at"),
    reason="a session is resolved before a facility is known",
)

membership = facility_table(
    "membership",
    Column("account_id", Uuid, ForeignKey("directory.account.account_id"), primary_key=True),
    Column("role", Text, nullable=False),
    Column("doctor", Text),
    Column("desk", Text),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("removed", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["facility_id"], ["facility.facility_id"]),
    ForeignKeyConstraint(["facility_id", "doctor"], ["doctor.facility_id", "doctor.doctor"]),
    CheckConstraint("role IN ('administrator', 'reception', 'doctor', 'display')", name="role"),
    CheckConstraint("desk ~ '^[A-Za-z0-9][A-Za-z0-9-]{0,15}$'", name="desk"),
    grants="SELECT, INSERT, UPDATE",
)

membership_clinic = facility_table(
    "membership_clinic",
    Column("account_id", Uuid, primary_key=True),
    Column("clinic", Text, primary_key=True),
    ForeignKeyConstraint(["facility_id", "account_id"], ["membership.facility_id", "membership.account_id"]),
    ForeignKeyConstraint(["facility_id", "clinic"], ["clinic.facility_id", "clinic.clinic"]),
    grants="SELECT, INSERT, DELETE",
)
