"""Identifiers made in the app: UUIDv7, so that an index on them grows at one end."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7) that carries the milliseconds of ``now``."""
    return uuid7(nanoseconds=int(now.timestamp()) * 1_000_000_000 + now.microsecond * 1000)


def first_id(at: datetime) -> UUID:
    """Smaller than every id that is made from this instant on, and not than those before."""
    milliseconds = int(at.timestamp()) * 1000 + at.microsecond // 1000
    return UUID(int=milliseconds << 80)
