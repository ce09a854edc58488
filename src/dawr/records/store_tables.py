"""The ratings that people give after a visit: one a ticket."""

from sqlalchemy import (
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
    Uuid,
)

from dawr.platform.schema import facility_table

rating = facility_table(
    "rating",
    Column("ticket", Uuid, primary_key=True),
    Column("clinic", Text, nullable=False),
    Column("service_day", Date, nullable=False),
    Column("stars", SmallInteger, nullable=False),
    Column("word_sealed", LargeBinary),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["facility_id", "ticket"], ["ticket.facility_id", "ticket.id"]),
    CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),
    CheckConstraint("version > 0", name="version"),
    Index("rating_day_idx", "facility_id", "service_day", "clinic", "stars"),
    grants="SELECT, INSERT, UPDATE",
)
