"""One watched queue: how far its log has been read, the latest changes as the bytes clients get, and who listens."""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson

from dawr.platform.cursors import Cursor
from dawr.platform.events import Recorded
from dawr.realtime.rules import LIVE, frame, opened
from dawr.tickets.queries import public_update


@dataclass(frozen=True, slots=True)
class Place:
    """Where versions mean something: one facility in one life of the log."""

    epoch: UUID
    facility: UUID

    def cursor(self, versions: Mapping[str, int]) -> str:
        """The id of "everything up to these versions of these clinics' queues"."""
        return Cursor(self.epoch, self.facility, versions).encode()

    def versions(self, cursor: str) -> dict[str, int] | None:
        """The versions of a cursor of this place; ``None`` for any other text."""
        found = Cursor(self.epoch, self.facility, {}).belongs_to(cursor)
        return None if found is None else dict(found)


@dataclass(frozen=True)
class Entry:
    """One event of a queue. ``update`` is what clients are told; ``None`` asks them to start from a snapshot."""

    recorded: Recorded

    @property
    def version(self) -> int:
        return self.recorded.version

    @cached_property
    def update(self) -> dict[str, Any] | None:
        return public_update(self.recorded)


@dataclass(frozen=True, slots=True)
class Part:
    """What a reader at some version has to be told, and where that leaves it. ``upset``: after that it needs a snapshot."""

    entries: tuple[Entry, ...]
    upset: bool
    versions: dict[str, int]


class Batch:
    """Consecutive events of one queue as one read found them. What clients get of it is rendered once for all of them."""

    def __init__(self, clinic: str, place: Place, recorded: Sequence[Recorded]) -> None:
        self.clinic = clinic
        self.entries = [Entry(one) for one in recorded]
        self._place = place
        self._versions = [entry.version for entry in self.entries]
        self.last = self._versions[-1] if self._versions else 0
        self._parts: dict[int, Part] = {}
        self._chunks: dict[int, bytes] = {}
        self._openings: dict[int, bytes] = {}

    def part(self, version: int) -> Part:
        """What happened after ``version``, up to the first event that asks for a snapshot, or a gap in the log."""
        found = self._parts.get(version)
        if found is None:
            found = self._parts[version] = self._after(version)
        return found

    def _after(self, version: int) -> Part:
        entries: list[Entry] = []
        upset = False
        for entry in self.entries[bisect_right(self._versions, version) :]:
            if entry.update is None or entry.version != version + len(entries) + 1:
                upset = True
                break
            entries.append(entry)
        return Part(tuple(entries), upset, {self.clinic: version + len(entries)})

    def chunk(self, version: int) -> bytes:
        """``part(version)`` as a clinic's stream sends it."""
        found = self._chunks.get(version)
        if found is None:
            found = self._chunks[version] = b"".join(self.frame(entry) for entry in self.part(version).entries)
        return found

    def frame(self, entry: Entry) -> bytes:
        return frame("queue_update", orjson.dumps(entry.update), self._place.cursor({self.clinic: entry.version}))

    def opening(self, entry: Entry) -> bytes:
        """The event for the stream of a ticket, up to where how that ticket stands (``live``) belongs."""
        found = self._openings.get(entry.version)
        if found is None:
            update = {name: value for name, value in (entry.update or {}).items() if name not in LIVE}
            cursor = self._place.cursor({self.clinic: entry.version})
            found = self._openings[entry.version] = opened("queue_update", orjson.dumps(update), cursor)
        return found


@dataclass(frozen=True, slots=True)
class Step:
    """What all whose versions are ``before``, that very object, are told alike: so many events, and where that leaves them."""

    before: dict[str, int]
    after: dict[str, int]
    chunk: bytes
    events: int


class Channel:
    """``version`` is how far the queue has been read, ``told`` the versions of those who know all that. The ring serves
    clients that come back soon without the store."""

    __slots__ = ("_keep", "_low", "_ring", "clinic", "told", "version")

    def __init__(self, clinic: str, version: int, *, keep: int) -> None:
        self.clinic = clinic
        self._keep = keep
        self._ring: deque[tuple[int, bytes]] = deque()
        self._begin(version)

    def _begin(self, version: int) -> None:
        self.version = self._low = version
        self.told = {self.clinic: version}
        self._ring.clear()

    def advance(self, batch: Batch) -> Step | None:
        """Takes what came after ``version``; ``None`` where that is not for everybody alike. Nobody resumes across an upset
        without a snapshot: the ring begins again."""
        part = batch.part(self.version)
        if part.upset:
            self._begin(batch.last)
            return None
        step = Step(self.told, part.versions, batch.chunk(self.version), len(part.entries))
        for entry in part.entries:
            self._ring.append((entry.version, batch.frame(entry)))
        self.version, self.told = batch.last, part.versions
        while len(self._ring) > self._keep:
            self._low = self._ring.popleft()[0]
        return step

    def missed(self, version: int) -> bytes | None:
        """What came after ``version`` as a clinic's stream sends it; ``None`` where that is not kept here."""
        if not self._low <= version <= self.version:
            return None
        return b"".join(chunk for at, chunk in self._ring if at > version)
