"""Who waits in a queue, in order: read once, and after that folded from the log as any client of a clinic's stream can."""

from collections.abc import Mapping, Sequence

from dawr.platform.events import Recorded
from dawr.tickets.rules import Status


class Line:
    """The tickets of those who wait, as their queue's log has it at ``version``."""

    __slots__ = ("_places", "_waiting", "clinic", "version")

    def __init__(self, clinic: str, version: int, waiting: list[str]) -> None:
        self.clinic = clinic
        self.version = version
        self._waiting = waiting
        self._places: dict[str, int] | None = None

    @property
    def places(self) -> Mapping[str, int]:
        """How many wait before each."""
        if self._places is None:
            self._places = {ticket: place for place, ticket in enumerate(self._waiting)}
        return self._places

    def follow(self, happened: Sequence[Recorded]) -> bool:
        """Takes what is after its version. Not where something is missing in between: then it has to be read anew."""
        for one in happened:
            if one.version > self.version and not (one.version == self.version + 1 and self._move(one)):
                return False
            self.version = max(self.version, one.version)
        return True

    def _move(self, one: Recorded) -> bool:
        leaving, coming = one.data.get("from"), one.data.get("to")
        if Status.WAITING not in (leaving, coming):
            # What is no ticket's (a new series or day) moves nobody by itself.
            return True
        self._places = None
        if leaving == Status.WAITING:
            if one.entity not in self._waiting:
                return False
            self._waiting.remove(one.entity)
        if coming == Status.WAITING:
            self._waiting.insert(one.data["ahead"], one.entity)
        return True
