"""Where a reader stands in the log: an opaque text of the log's epoch, the facility and a version for each stream."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class Cursor:
    """``versions`` maps a stream's subject (a clinic) to its version; ``series`` tells apart the lives of its numbers."""

    epoch: UUID
    facility: UUID
    versions: Mapping[str, int]
    series: int = 1

    def encode(self) -> str:
        parts = [self.epoch.hex[-12:], self.facility.hex[-12:], self.series, dict(self.versions)]
        return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()

    def belongs_to(self, text: str) -> Mapping[str, int] | None:
        """The versions of a cursor of this log and facility; ``None`` for any other text."""
        try:
            epoch, facility, _, versions = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, TypeError, binascii.Error):
            return None
        if (epoch, facility) != (self.epoch.hex[-12:], self.facility.hex[-12:]) or not isinstance(versions, dict):
            return None
        # By type and not by ``isinstance``: JSON's true is an int in Python, and none in the database.
        return versions if all(type(one) is int and one >= 0 for one in versions.values()) else None
