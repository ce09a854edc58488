"""``dawr import`` and ``dawr export`` as people call them, also where they are stopped in the middle."""

import asyncio
import csv
import os
import secrets
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import time as dawn
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from dawr import cli_exchange
from dawr.accounts.rules import SYSTEM
from dawr.app import build_services
from dawr.exchange.rules import Kind
from dawr.facilities import commands as facilities_commands
from dawr.facilities import queries as facilities
from dawr.facilities.rules_settings import ClinicSettings, FacilitySettings
from dawr.platform.config import Settings
from dawr.platform.ids import new_id
from dawr.platform.services import Services
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_enter import enter
from dawr.tickets.rules import Priority
from dawr.tickets.store import Personal
from tests.cli.conftest import Answer, Dawr, Starter
from tests.conftest import new_database
from tests.exchange.conftest import table

ROWS = 400
PACE_SECONDS = 0.05
LONGEST_SECONDS = 120
AMINA = {"name": "Amina", "phone": "5550 1234", "birth_date": "1980-05-01"}
OMAR = {"name": "Omar", "national_id": "=1+1"}


@pytest.fixture(scope="module")
def environment(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An installation for all these tests, each of which has a facility of its own in it."""
    url = new_database(server_url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001_ground')")
    return {"DATABASE_URL": url, "DAWR_DATA_DIR": str(tmp_path_factory.mktemp("data"))}


@dataclass
class Clinic:
    """The program, called for one facility."""

    dawr: Dawr
    slug: str

    def __call__(self, *arguments: str) -> Answer:
        return self.dawr(*arguments, "--facility", self.slug)

    def bring(self, *rows: dict[str, str], options: tuple[str, ...] = ()) -> Answer:
        Path("patients.csv").write_bytes(table(Kind.PATIENTS, rows))
        return self("import", "patients", "patients.csv", *options)

    def patients(self) -> int:
        return self.value("SELECT count(*) FROM patient JOIN facility USING (facility_id) WHERE slug = %s")

    def different(self) -> int:
        """How many different national ids they have: one token each."""
        return self.value(
            "SELECT count(DISTINCT token) FROM patient_index JOIN facility USING (facility_id)"
            " WHERE slug = %s AND kind = 'number'"
        )

    def value(self, sql: LiteralString) -> int:
        with psycopg.connect(self.dawr.environment["DATABASE_URL"]) as connection:
            found = connection.execute(sql, (self.slug,)).fetchone()
        assert found is not None
        return int(found[0])


@pytest.fixture
def clinic(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    monkeypatch.chdir(tmp_path)
    slug = f"clinic-{secrets.token_hex(5)}"
    asyncio.run(found(environment, slug))
    return Clinic(Dawr(environment, monkeypatch), slug)


@asynccontextmanager
async def opened(environment: dict[str, str]) -> AsyncIterator[Services]:
    """The services of the installation, beside the program."""
    settings = {"database_url": environment["DATABASE_URL"], "data_dir": environment["DAWR_DATA_DIR"]}
    services = build_services(Settings.model_validate(settings))
    await services.db.open()
    try:
        yield services
    finally:
        await services.db.close()


async def found(environment: dict[str, str], slug: str) -> None:
    """A facility with a clinic ``lab``."""
    async with opened(environment) as services, services.db.write(new_id(services.clock.now())) as tx:
        settings = FacilitySettings(name={"en": "Our clinic"}, zone="Asia/Qatar", pivot=dawn(5))
        await facilities_commands.create_facility(tx, SYSTEM, slug=slug, settings=settings)
        lab = ClinicSettings(name={"en": "Lab"}, prefix="LAB")
        await facilities_commands.create_clinic(tx, SYSTEM, clinic="lab", settings=lab, desks=("1",))


def test_a_file_is_tried_and_then_imported_once(clinic: Clinic) -> None:
    tried = clinic.bring(AMINA, OMAR, options=("--dry-run",))
    assert tried == Answer(0, "2 rows, 0 with mistakes. Nothing was imported: a dry run.\n", "")
    assert clinic.patients() == 0
    assert clinic.bring(AMINA, OMAR).output == "2 rows imported, 0 were here already, 0 left out.\n"
    assert clinic.bring(AMINA, OMAR) == Answer(0, "0 rows imported, 2 were here already, 0 left out.\n", "")
    assert clinic.patients() == 2


def test_progress_is_told_on_the_way(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_exchange, "_FILE_SECONDS", 0.0)
    assert clinic.bring(AMINA, OMAR).errors == "2 rows\n2 of 2 rows are in\n"


def test_mistakes_are_told_and_written_down(clinic: Clinic, tmp_path: Path) -> None:
    wrong = [AMINA | {"email": f"canary{n}"} for n in range(25)]
    report = tmp_path / "report.csv"
    answer = clinic.bring(OMAR, *wrong, options=("--errors", str(report)))
    told = answer.errors.splitlines()
    assert (answer.code, answer.output) == (1, "26 rows, 25 with mistakes. Nothing was imported.\n")
    assert told[0] == "line 3, email: This should be an e-mail address."
    assert (len(told), told[-1]) == (21, "and more.")
    assert report.read_text().splitlines()[-1] == "27,email,This should be an e-mail address,"
    assert report.stat().st_mode & 0o777 == 0o600
    assert "canary" not in answer.errors + report.read_text()
    assert clinic.patients() == 0
    assert clinic.bring(OMAR, *wrong, options=("--errors", str(report), "--skip-mistakes")).code == 0
    assert clinic.patients() == 1


def test_likely_duplicates_are_listed(clinic: Clinic, tmp_path: Path) -> None:
    clinic.bring(AMINA)
    answer = clinic.bring(AMINA | {"email": "amina@example.org"}, options=("--errors", str(tmp_path / "report.csv")))
    with (tmp_path / "report.csv").open(newline="") as report:
        _, (line, column, sentence, patient) = csv.reader(report)
    assert (line, column) == ("2", "")
    assert sentence == "Likely the same person as a patient who is here already: name_and_birth, phone"
    assert f"line 2: {sentence}: {UUID(patient)}.\n1 rows are likely about" in answer.errors
    assert (answer.code, clinic.patients()) == (0, 2)


@pytest.mark.parametrize("name", ["patients.csv", "diary.txt"])
def test_a_report_replaces_nothing_but_a_report(clinic: Clinic, tmp_path: Path, name: str) -> None:
    (tmp_path / "diary.txt").write_text("Dear diary")
    answer = clinic.bring(AMINA, options=("--errors", str(tmp_path / name)))
    assert (answer.code, answer.output) == (1, "")
    assert answer.errors.endswith("is there already and is no earlier report. Choose another name.\n")
    assert (tmp_path / "diary.txt").read_text() == "Dear diary"


def test_another_table_is_refused_in_a_sentence(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("name,shoe_size\n")
    answer = clinic("import", "patients", "x.csv")
    assert answer.code == 1
    assert answer.errors.startswith("dawr: The first line has to name the columns name, ")
    assert "not known: shoe_size" in answer.errors


@pytest.mark.parametrize(("options", "code"), [((), 2), (("--facility", "other"), 1)])
def test_without_a_facility_nothing_comes_or_goes(
    clinic: Clinic, tmp_path: Path, options: tuple[str, ...], code: int
) -> None:
    (tmp_path / "x.csv").write_bytes(table(Kind.PATIENTS, [AMINA]))
    assert clinic.dawr("import", "patients", "x.csv", *options).code == code
    assert clinic.dawr("export", "patients", "y.csv", *options).code == code
    assert not (tmp_path / "y.csv").exists()


def test_an_export_is_a_file_of_one_s_own(clinic: Clinic, tmp_path: Path) -> None:
    clinic.bring(AMINA, OMAR | {"national_id": "'=1+1"})
    answer = clinic("export", "patients", "out.csv")
    out = tmp_path / "out.csv"
    assert answer == Answer(0, "", "2 rows.\n")
    assert out.stat().st_mode & 0o777 == 0o600
    assert "'+97455501234" in out.read_text("utf-8-sig")
    assert clinic("import", "patients", "out.csv").output.startswith("0 rows imported, 2 were")


def test_an_export_replaces_a_file_only_where_it_is_told_to(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("kept")
    answer = clinic("export", "doctors", "out.csv")
    assert (answer.code, (tmp_path / "out.csv").read_text()) == (1, "kept")
    assert clinic("export", "doctors", "out.csv", "--force").code == 0
    assert (tmp_path / "out.csv").read_text("utf-8-sig") == "doctor,name_en,name_ar,name_hi,clinics\n"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".out")] == []


def test_an_export_goes_to_standard_output(clinic: Clinic) -> None:
    answer = clinic("export", "schedules")
    assert answer.output.startswith("doctor,weekday,day,opens,closes,slot_minutes")


# Stopped in the middle, beside other work


def people(count: int) -> list[dict[str, str]]:
    return [{"name": f"Person {n:05d}", "national_id": f"{n:08d}"} for n in range(count)]


def test_killed_it_goes_on_where_it_was_and_held_nobody_up(clinic: Clinic, start: Starter) -> None:
    file = start.folder / "many.csv"
    file.write_bytes(table(Kind.PATIENTS, people(ROWS)))
    command = ("import", "patients", str(file), "--facility", clinic.slug)
    process = start(*command, **clinic.dawr.environment).process
    slowest = asyncio.run(entering(clinic, least=ROWS // 3))
    process.kill()
    assert process.wait(30) == -signal.SIGKILL
    before = clinic.patients()
    assert ROWS // 3 <= before < ROWS
    answer = clinic.dawr(*command)
    assert answer.output == f"{ROWS - before} rows imported, {before} were here already, 0 left out.\n"
    assert (clinic.patients(), clinic.different()) == (ROWS, ROWS)
    assert slowest < 1


def interrupt(ended: threading.Event, clinic: Clinic) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def cut_off(ended: threading.Event, clinic: Clinic) -> None:
    """Ends its connections again and again: one that it has done nothing on yet it makes anew."""
    url = clinic.dawr.environment["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True, application_name="test") as connection:
        while not ended.wait(0.01):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'dawr' AND datname = current_database()"
            )


@pytest.mark.parametrize(
    ("stop", "code", "said"),
    [
        (interrupt, 130, "dawr: Stopped. An import that is run again goes on where it was.\n"),
        (cut_off, 1, "dawr: the database is out of reach; `dawr doctor` says more\n"),
    ],
)
def test_stopped_it_has_taken_whole_batches(
    clinic: Clinic, stop: Callable[[threading.Event, Clinic], None], code: int, said: str
) -> None:
    ended = threading.Event()

    def watch() -> None:
        while clinic.patients() == 0:
            if ended.wait(0.01):
                return
        stop(ended, clinic)

    thread = threading.Thread(target=watch)
    thread.start()
    answer = clinic.bring(*people(ROWS))
    ended.set()
    thread.join()
    assert (answer.code, answer.output) == (code, "")
    assert answer.errors.endswith(said)
    assert 0 < clinic.patients() == clinic.different() < ROWS


async def entering(clinic: Clinic, *, least: int) -> float:
    """The longest time, in seconds, that somebody waited for a ticket until so many patients were there."""
    slowest, end = 0.0, time.monotonic() + LONGEST_SECONDS
    async with opened(clinic.dawr.environment) as services:
        here = await facilities.locate(services, slug=clinic.slug)
        assert here is not None
        while await asyncio.to_thread(clinic.patients) < least:
            began = time.monotonic()
            assert began < end
            async with services.db.write(here.id) as tx:
                arrival = Arrival(new_id(tx.now), None, Priority.NORMAL, "en", Personal())
                await enter(tx, SYSTEM, here, "lab", arrival)
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(PACE_SECONDS)
    return slowest
