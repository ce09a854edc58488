"""The import of a file: a pass that checks all of it and changes nothing, then one that takes it in small transactions.

What was cut short goes on when it is run again. A patient's row is claimed, in the transaction that takes it, by a keyed code
of what it says; a doctor and a schedule are told by the doctor's short name, and to write what is there already changes
nothing. No lock is held longer than one transaction, and none of a whole table.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

from dawr.exchange import events
from dawr.exchange.commands_patients import Patients
from dawr.exchange.commands_staff import Doctors, Schedules
from dawr.exchange.rules import Kind, Mistake
from dawr.exchange.rules_file import Sheet
from dawr.exchange.rules_import import Checked, Importer, Likely, Taken, Unit
from dawr.facilities.queries import Context
from dawr.platform.events import Recorded, append
from dawr.platform.ids import new_id

Tell = Callable[[int, int | None], None]
"""Called after each batch with how many rows are done and how many there are: ``None`` while they are being checked."""


class Report(Protocol):
    """Where what was found is told, row by row as it is found."""

    def mistake(self, mistake: Mistake) -> None: ...

    def likely(self, likely: Likely) -> None: ...


@dataclass(slots=True)
class Tally:
    """What became of a file's rows. ``before``: they said what was there already; ``skipped``: they have mistakes, or stand with
    rows that have. ``refused`` were sound and met something at the last moment. ``rebooking``: appointments that doctors are
    no longer there for."""

    rows: int = 0
    skipped: int = 0
    taken: int = 0
    before: int = 0
    refused: int = 0
    likely: int = 0
    rebooking: int = 0
    done: bool = False


def importer_of(here: Context, kind: Kind, *, alike: bool = False) -> Importer:
    makers: dict[Kind, Callable[[Context], Importer]] = {
        Kind.PATIENTS: partial(Patients, alike=alike),
        Kind.DOCTORS: Doctors,
        Kind.SCHEDULES: Schedules,
    }
    return makers[kind](here)


async def bring(
    here: Context,
    sheet: Sheet,
    kind: Kind,
    report: Report,
    tell: Tell,
    *,
    dry_run: bool,
    skip_mistakes: bool,
    alike: bool = False,
) -> Tally:
    """Imports a file. ``Tally.done`` is false where nothing was to be taken: a dry run, or mistakes that are not skipped.
    ``alike``: patients whose rows say the same are as many people, and no mistake."""
    tally = await _examine(importer_of(here, kind, alike=alike), sheet, report, tell)
    if dry_run or (tally.skipped and not skip_mistakes):
        return tally
    await _take(importer_of(here, kind, alike=alike), sheet, report, tell, tally)
    await note(here, events.IMPORT_MADE, {"what": kind.value, "rows": tally.taken, "skipped": tally.skipped})
    tally.done = True
    return tally


async def _examine(importer: Importer, sheet: Sheet, report: Report, tell: Tell) -> Tally:
    tally = Tally()
    async for some in _checked(importer, sheet):
        for one in some:
            tally.rows += one.rows
            tally.skipped += one.rows if one.mistakes else 0
            for mistake in one.mistakes:
                report.mistake(mistake)
        for found in await importer.likely(some):
            tally.likely += 1
            report.likely(found)
        tell(tally.rows, None)
    return tally


async def _take(importer: Importer, sheet: Sheet, report: Report, tell: Tell, tally: Tally) -> None:
    passed = 0
    async for some in _checked(importer, sheet):
        outcome = await importer.take([one for one in some if not one.mistakes])
        _count(tally, outcome)
        for mistake in outcome.refused:
            report.mistake(mistake)
        passed += sum(one.rows for one in some)
        tell(passed, tally.rows)


def _count(tally: Tally, outcome: Taken) -> None:
    tally.taken += outcome.taken
    tally.before += outcome.before
    tally.refused += len(outcome.refused)
    tally.rebooking += outcome.rebooking


async def _checked(importer: Importer, sheet: Sheet) -> AsyncIterator[Sequence[Checked]]:
    rows = sheet.rows()
    try:
        for some in _batches(importer.units(rows), importer.batch):
            yield await importer.check(some)
    finally:
        rows.close()


def _batches(things: Iterable[Unit], size: int) -> Iterator[list[Unit]]:
    left = iter(things)
    while some := list(islice(left, size)):
        yield some


async def note(here: Context, type_: str, data: dict[str, object]) -> None:
    """Writes down that a file came or went, as the only event of a stream of its own."""
    async with here.write() as tx:
        made = new_id(tx.now)
        stream = f"{type_.partition('_')[0]}:{made}"
        await append(tx, [Recorded(stream, 1, str(made), type_, data, here.actor.label, tx.now)])
