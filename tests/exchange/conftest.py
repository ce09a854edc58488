"""Files for the tests of imports and exports, and both as commands, without the command line around them."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field

from dawr.accounts.rules import SYSTEM
from dawr.exchange import commands, commands_export
from dawr.exchange.commands import Tally
from dawr.exchange.rules import COLUMNS, Kind, Mistake
from dawr.exchange.rules_file import Sheet, written
from dawr.exchange.rules_import import Likely
from dawr.patients import queries as patients
from dawr.patients.rules import Identity
from tests.conftest import House


@dataclass
class Told:
    """A report as a list."""

    mistakes: list[Mistake] = field(default_factory=list)
    likelies: list[Likely] = field(default_factory=list)

    def mistake(self, mistake: Mistake) -> None:
        self.mistakes.append(mistake)

    def likely(self, likely: Likely) -> None:
        self.likelies.append(likely)

    @property
    def places(self) -> list[tuple[int, str]]:
        return [(one.line, one.column) for one in self.mistakes]


def table(kind: Kind, rows: Iterable[dict[str, str]], *, delimiter: str = ",") -> bytes:
    """A file with all the columns; what a row does not say is empty."""
    lines = [COLUMNS[kind], *([row.get(one, "") for one in COLUMNS[kind]] for row in rows)]
    return "".join(delimiter.join(cells) + "\r\n" for cells in lines).encode()


def sheet(kind: Kind, content: bytes) -> Sheet:
    return Sheet(io.BytesIO(content), kind)


async def bring(
    house: House, kind: Kind, content: bytes, *, dry_run: bool = False, skip: bool = False, alike: bool = False
) -> tuple[Tally, Told]:
    told = Told()

    def tell(done: int, many: int | None) -> None:
        assert many is None or done <= many

    wishes = {"dry_run": dry_run, "skip_mistakes": skip, "alike": alike}
    tally = await commands.bring(house.here(SYSTEM), sheet(kind, content), kind, told, tell, **wishes)
    return tally, told


async def taken_away(house: House, kind: Kind) -> bytes:
    """The file that an export makes."""
    pages = [written(page.rows) async for page in commands_export.take_away(house.here(SYSTEM), kind)]
    return "".join(pages).encode()


async def everybody(house: House) -> list[Identity]:
    """Every patient of a house, by name."""
    here = house.here(SYSTEM)
    async with here.read() as tx:
        ids = [
            row["patient"] for row in await tx.rows("SELECT patient FROM patient WHERE facility_id = %(facility_id)s")
        ]
        cards = await patients.cards(tx, here, ids)
    found = [one.identity for one in cards.values() if one.identity]
    return sorted(found, key=lambda one: one.name)
