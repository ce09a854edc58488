"""What the import of each kind of file has in common: rows are read as units, checked together, taken together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from dawr.exchange.rules import Mistake, Row

Unit = Sequence[Row]
"""The rows that are taken or left together: one patient's, one doctor's, those of one doctor's schedule."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A unit after its check: ``what`` it says, of no use where there are mistakes. ``rows``: how many it has."""

    line: int
    rows: int
    what: Any
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True)
class Likely:
    """A row is likely about a patient who is there already."""

    line: int
    patient: UUID
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: rows taken, rows that said what was there already, what came between."""

    taken: int = 0
    before: int = 0
    refused: tuple[Mistake, ...] = ()
    rebooking: int = 0


class Importer(Protocol):
    """Of one kind, for one pass over one file: it remembers what it has seen of it. ``batch``: units checked at once."""

    batch: int

    def units(self, rows: Iterable[Row]) -> Iterator[Unit]: ...

    async def check(self, units: Sequence[Unit]) -> Sequence[Checked]: ...

    async def likely(self, checked: Sequence[Checked]) -> Sequence[Likely]: ...

    async def take(self, checked: Sequence[Checked]) -> Taken: ...
