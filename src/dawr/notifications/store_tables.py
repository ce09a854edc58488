"""The tables of notifications: the inbox, the rules, how far each queue has been read, and the messages."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dawr.notifications.rules import Audience, Moment, Status
from dawr.platform.schema import facility_table


def _one_of(column: str, values: type[Moment] | type[Audience] | type[Status]) -> str:
    return f"{column} IN ({', '.join(repr(one.value) for one in values)})"


# One row a fact, whoever it is for; who has read it is kept apart, a row each at most, or one for all that is old.

notice = facility_table(
    "notice",
    Column("notice", Uuid, primary_key=True),
    Column("fact", Text, nullable=False),
    Column("moment", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("clinics", ARRAY(Text), nullable=False),
    Column("visit", Uuid),
    Column("ticket", Uuid),
    Column("appointment", Uuid),
    Column("numbers", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("facility_id", "fact"),
    CheckConstraint(_one_of("moment", Moment), name="moment"),
    grants="SELECT, INSERT, DELETE",
)

notice_read = facility_table(
    "notice_read",
    Column("account", Uuid, primary_key=True),
    Column("notice", Uuid, primary_key=True),
    ForeignKeyConstraint(["facility_id", "notice"], ["notice.facility_id", "notice.notice"], ondelete="CASCADE"),
    Index("notice_read_notice_idx", "facility_id", "notice"),
    grants="SELECT, INSERT, DELETE",
)

notice_seen = facility_table(
    "notice_seen",
    Column("account", Uuid, primary_key=True),
    Column("up_to", Uuid, nullable=False),
    grants="SELECT, INSERT, UPDATE",
)

notification_rule = facility_table(
    "notification_rule",
    Column("moment", Text, primary_key=True),
    Column("audience", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("quiet", Boolean, nullable=False),
    Column("template", Text, nullable=False),
    Column("ahead", Integer),
    Column("minutes", Integer),
    Column("place", SmallInteger, nullable=False),
    ForeignKeyConstraint(["facility_id"], ["notification_settings.facility_id"]),
    CheckConstraint(_one_of("moment", Moment), name="moment"),
    CheckConstraint(_one_of("audience", Audience), name="audience"),
    grants="SELECT, INSERT, DELETE",
)

notification_settings = facility_table(
    "notification_settings",
    Column("quiet_begins", Time, nullable=False),
    Column("quiet_ends", Time, nullable=False),
    Column("version", Integer, nullable=False),
    grants="SELECT, INSERT, UPDATE",
)

notification_cursor = facility_table(
    "notification_cursor",
    Column("stream", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    grants="SELECT, INSERT, UPDATE",
    fillfactor=50,
)

delivery = facility_table(
    "delivery",
    Column("delivery", Uuid, primary_key=True),
    Column("fact", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("recipient", LargeBinary, nullable=False),
    Column("to_sealed", LargeBinary),
    Column("moment", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("ticket", Uuid),
    Column("patient", Uuid),
    Column("visit", Uuid),
    Column("appointment", Uuid),
    Column("numbers", JSONB, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("unknown", Integer, nullable=False, server_default=text("0")),
    Column("provider_id", Text),
    Column("due", DateTime(timezone=True), nullable=False),
    Column("deadline", DateTime(timezone=True), nullable=False),
    Column("leased_until", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("tried_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    UniqueConstraint("facility_id", "fact", "channel", "recipient"),
    CheckConstraint(_one_of("moment", Moment), name="moment"),
    CheckConstraint(_one_of("status", Status), name="status"),
    CheckConstraint("(status = 'sending') = (leased_until IS NOT NULL)", name="leased"),
    CheckConstraint("(status IN ('pending', 'sending')) = (ended_at IS NULL)", name="ended"),
    Index(
        "delivery_due_idx",
        "facility_id",
        "channel",
        "rank",
        "due",
        "delivery",
        postgresql_where=text("status = 'pending'"),
    ),
    Index("delivery_leased_idx", "facility_id", "leased_until", postgresql_where=text("status = 'sending'")),
    Index(
        "delivery_provider_idx",
        "facility_id",
        "channel",
        "provider_id",
        postgresql_where=text("provider_id IS NOT NULL"),
    ),
    Index("delivery_status_idx", "facility_id", "status", "delivery"),
    Index("delivery_ticket_idx", "facility_id", "ticket", postgresql_where=text("ticket IS NOT NULL")),
    Index("delivery_patient_idx", "facility_id", "patient", postgresql_where=text("patient IS NOT NULL")),
    grants="SELECT, INSERT, UPDATE, DELETE",
    fillfactor=80,
)
