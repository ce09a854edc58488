"""``dawr import`` and ``dawr export``: patients, doctors and schedules as files, for whoever runs the installation."""

import asyncio
import csv
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, NoReturn, TextIO, TypeVar

import typer

from dawr.accounts.rules import SYSTEM
from dawr.app import build_services, create_app
from dawr.exchange import commands, commands_export
from dawr.exchange.commands import Tally
from dawr.exchange.rules import CannotExchange, Kind, Mistake
from dawr.exchange.rules_file import Sheet, written
from dawr.exchange.rules_import import Likely
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import FacilityNotFound
from dawr.platform import logging
from dawr.platform.config import Settings, read_settings
from dawr.platform.keyguard import holding_keys
from dawr.platform.migrate import migrate
from dawr.server import any_database, direct_url, leaving_in_order

T = TypeVar("T")
SHOWN = 20
REPORT = ("line", "column", "sentence", "patient")
LIKELY = "Likely the same person as a patient who is here already: {reasons}"
_TERMINAL_SECONDS, _FILE_SECONDS = 1.0, 10.0
# With it spreadsheets show every script as it is.
_MARK = "\ufeff"
_INTERRUPTED = 130

FacilityOption = Annotated[str, typer.Option("--facility", metavar="SLUG", help="The facility's short name.")]
DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder (DAWR_DATA_DIR; var).")]


def import_command(
    kind: Kind,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False)],
    *,
    facility: FacilityOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the whole file and change nothing.")] = False,
    errors: Annotated[
        Path | None, typer.Option("--errors", metavar="FILE.csv", help="Write every mistake to this file.")
    ] = None,
    skip_mistakes: Annotated[
        bool, typer.Option("--skip-mistakes", help="Import the rows that have no mistake.")
    ] = False,
    alike: Annotated[
        bool, typer.Option("--alike", help="Patients whose rows say the same are as many people, and no mistake.")
    ] = False,
    data: DataOption = None,
) -> None:
    """Bring in a file of patients, doctors or schedules. Nothing is imported while there is a mistake in it."""
    with _told_plainly(), ExitStack() as stack:
        source = stack.enter_context(file.open("rb"))
        report = Report(stack.enter_context(_report_file(errors, file)) if errors else None)

        async def work(here: Context) -> Tally:
            sheet, tell = Sheet(source, kind), Progress()
            wishes = {"dry_run": dry_run, "skip_mistakes": skip_mistakes, "alike": alike}
            return await commands.bring(here, sheet, kind, report, tell, **wishes)

        tally = _inside(facility, data, work)
        _sum_up(tally, report, dry_run=dry_run)


def export_command(
    kind: Kind,
    file: Annotated[Path | None, typer.Argument(metavar="FILE.csv", dir_okay=False)] = None,
    *,
    facility: FacilityOption,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where there is one.")] = False,
    data: DataOption = None,
) -> None:
    """Write a facility's patients, doctors or schedules to a file, or to standard output. It is written down who was in it."""
    with _told_plainly(), _written_whole(file, force=force) if file else _standard_output() as out:

        async def work(here: Context) -> tuple[int, int]:
            rows, cut, tell = 0, 0, Progress()
            async for page in commands_export.take_away(here, kind):
                out.write(written(page.rows))
                rows, cut = rows + len(page.rows), cut + page.cut
                tell(rows - 1, None)
            return rows - 1, cut

        rows, cut = _inside(facility, data, work)
    _say(f"{rows} rows.")
    if cut:
        _say(f"{cut} of them are about more than the columns hold: further languages, phones, or wishes.")


# What is told while it works, and after


class Report:
    """Mistakes and likely duplicates: the first few on standard error, all of them in the file."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = csv.writer(file) if file else None
        self.mistakes = 0
        self.likely_ones = 0
        if self._file:
            self._file.writerow(REPORT)

    def mistake(self, mistake: Mistake) -> None:
        self.mistakes += 1
        where = f"line {mistake.line}" + (f", {mistake.column}" if mistake.column else "")
        self._tell(self.mistakes, f"{where}: {mistake.sentence}.")
        self._write(mistake.line, mistake.column, mistake.sentence)

    def likely(self, likely: Likely) -> None:
        self.likely_ones += 1
        sentence = LIKELY.format(reasons=", ".join(likely.reasons))
        self._tell(self.likely_ones, f"line {likely.line}: {sentence}: {likely.patient}.")
        self._write(likely.line, "", sentence, str(likely.patient))

    def _tell(self, count: int, line: str) -> None:
        if count <= SHOWN:
            _say(line)
        elif count == SHOWN + 1:
            _say("and more" + ("." if self._file else ": --errors FILE.csv has all of them."))

    def _write(self, line: int, column: str, sentence: str, patient: str = "") -> None:
        if self._file:
            self._file.writerow((line, column, sentence, patient))


class Progress:
    """A line on standard error now and then: often where a person looks on, seldom in a log."""

    def __init__(self) -> None:
        self._pause = _TERMINAL_SECONDS if sys.stderr.isatty() else _FILE_SECONDS
        self._next = time.monotonic() + self._pause

    def __call__(self, done: int, many: int | None) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._pause
        _say(f"{done} rows" if many is None else f"{done} of {many} rows are in")


def _sum_up(tally: Tally, report: Report, *, dry_run: bool) -> None:
    if tally.likely:
        _say(f"{tally.likely} rows are likely about patients who are here already.")
    if tally.rebooking:
        _say(f"{tally.rebooking} appointments need another time.")
    if not tally.done:
        verdict = "Nothing was imported" + (": a dry run" if dry_run else "")
        typer.echo(f"{tally.rows} rows, {tally.skipped} with mistakes. {verdict}.")
    else:
        typer.echo(f"{tally.taken} rows imported, {tally.before} were here already, {tally.skipped} left out.")
    if tally.refused or (tally.skipped and not tally.done):
        raise typer.Exit(1)


def _say(line: str) -> None:
    typer.echo(line, err=True)


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except CannotExchange as error:
        _fail(f"dawr: {error}", 1)
    except KeyboardInterrupt:
        _fail("dawr: Stopped. An import that is run again goes on where it was.", _INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has had enough of it; there is nobody to tell, and nothing to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def _fail(line: str, code: int) -> NoReturn:
    _say(line)
    raise typer.Exit(code) from None


# Files


@contextmanager
def _written_whole(path: Path, *, force: bool) -> Iterator[TextIO]:
    """A file that is there, whole and for its owner alone, once the block has ended without an error; never half of one."""
    if path.exists() and not force:
        raise CannotExchange(f"{path} is there already. Choose another name, or say --force.")
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives mode 0600
    except OSError as error:
        raise CannotExchange(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(_MARK)
            yield out
            out.flush()
            os.fsync(out.fileno())
        _put(Path(draft), path, force=force)
    finally:
        Path(draft).unlink(missing_ok=True)


def _put(draft: Path, path: Path, *, force: bool) -> None:
    if not force:
        try:
            # Ours from here on: whoever makes a file of this name meanwhile keeps it.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise CannotExchange(f"{path} was made by somebody else meanwhile.") from None
    draft.replace(path)


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    yield sys.stdout
    sys.stdout.flush()


@contextmanager
def _report_file(path: Path, source: Path) -> Iterator[TextIO]:
    """The file for mistakes, for its owner alone. One is replaced that is such a report, and nothing else."""
    if path.exists() and (path.samefile(source) or not _is_report(path)):
        raise CannotExchange(f"{path} is there already and is no earlier report. Choose another name.")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise CannotExchange(f"{path} cannot be written: {error.strerror}.") from error
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
        yield out


def _is_report(path: Path) -> bool:
    begin = ",".join(REPORT).encode()
    with path.open("rb") as file:
        return file.read(len(begin)) in (begin, b"")


# The installation


def _inside(slug: str, data: Path | None, work: Callable[[Context], Awaitable[T]]) -> T:
    """Does something in one facility as the house itself, whether or not a server is running."""
    settings, notes = read_settings(given={"data_dir": data})
    logging.configure("warning" if settings.log_level == "info" else settings.log_level, json=settings.log_json)
    for line in notes:
        _say(f"dawr: {line}")
    with leaving_in_order(), any_database(settings) as found:
        migrate(direct_url(found))
        return asyncio.run(_opened(found, slug, work))


async def _opened(settings: Settings, slug: str, work: Callable[[Context], Awaitable[T]]) -> T:
    services = build_services(settings)
    # What the slices add to each other's work they add when they are mounted.
    create_app(services)
    await services.db.open()
    try:
        async with holding_keys(services.db, services.keyring):
            facility = await facilities.locate(services, slug=slug)
            if facility is None:
                raise FacilityNotFound
            return await work(Context(services, facility, actor=SYSTEM, language="en", address="", device=""))
    finally:
        await services.db.close()
