"""The demonstration: made once, as the contract says, and never again."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from dawr.accounts.commands import Attempt, sign_in
from dawr.accounts.queries import actor_in, identify
from dawr.accounts.rules import Actor, Role, SessionKind
from dawr.appointments.queries import slots
from dawr.demo.loader import FOLDER, DemoReport, load_demo, read_file
from dawr.facilities import commands, queries
from dawr.facilities.commands_people import archive_doctor
from dawr.facilities.rules import Clinic, Entry
from dawr.platform.services import Services
from tests.conftest import House, make_services, new_database
from tests.facilities.conftest import run

# Floor, desks, mean service in seconds.
MMC = {
    "lab": ("M", 2, 480),
    "xray": ("M", 2, 540),
    "eyes": ("2", 1, 600),
    "internal": ("2", 1, 600),
    "ent": ("2", 1, 600),
    "surgery": ("2", 1, 600),
    "dental": ("2", 1, 720),
    "psychiatry": ("2", 1, 900),
    "derma": ("2", 1, 540),
    "bones": ("2", 1, 720),
    "vitals": ("2", 2, 300),
    "ecg": ("2", 1, 480),
    "audio": ("2", 1, 540),
    "women_internal": ("3", 1, 600),
    "women_derma": ("3", 1, 540),
    "women_eyes": ("3", 1, 600),
}
CITY = {
    "cardiology": ("C", ("dr.rao", "dr.sen")),
    "general": ("G", ("dr.iyer", "dr.khan")),
    "paediatrics": ("P", ("dr.das", "dr.joshi")),
}
# Shorter than a real one may be: whoever tries the product chose it.
PASSWORD = "demo"


@pytest.fixture
async def empty(server_url: str, tmp_path: Path) -> AsyncIterator[Services]:
    """An installation in which there is nothing."""
    services = make_services(new_database(server_url), tmp_path)
    await services.db.open()
    yield services
    await services.db.close()


@pytest.fixture(scope="module")
async def demo(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """An installation with the demonstration, to be looked at and left as it is."""
    services = make_services(new_database(server_url), tmp_path_factory.mktemp("demo"))
    await services.db.open()
    await load_demo(services, password=PASSWORD)
    yield services
    await services.db.close()


async def house_of(services: Services, slug: str) -> House:
    found = await queries.locate(services, slug=slug)
    assert found is not None
    return House(services, found)


async def clinics_of(house: House) -> list[Clinic]:
    async with house.here().read() as tx:
        return await queries.clinics(tx)


async def signed_in(services: Services, email: str, house: House) -> Actor | None:
    attempt = Attempt(email=email, password=PASSWORD, kind=SessionKind.TOKEN, address="192.0.2.1")
    token = (await sign_in(services, attempt)).access_token
    identity = await identify(
        services, authorization=f"Bearer {token}", cookie=None, csrf=None, method="GET", same_origin=None
    )
    assert identity is not None
    return await actor_in(services, identity, house.facility.id)


async def test_mmc_is_as_the_contract_says(demo: Services) -> None:
    house = await house_of(demo, "mmc")
    place = house.facility
    assert (place.zone, place.pivot, place.languages) == ("Asia/Qatar", time(5), ("ar", "en"))
    assert await queries.locate(demo) == place
    found = await clinics_of(house)
    assert {one.id: (one.floor, len(one.desks), one.mean_service_seconds) for one in found} == MMC
    assert [one.id for one in found] == list(MMC)


async def test_city_is_as_the_contract_says(demo: Services) -> None:
    house = await house_of(demo, "city")
    place = house.facility
    assert (place.zone, place.pivot, place.languages) == ("Asia/Kolkata", time(0), ("en", "hi"))
    found = await clinics_of(house)
    assert {one.id: (one.prefix, tuple(sorted(one.doctors))) for one in found} == CITY


async def test_every_doctor_of_city_gives_appointments_from_nine_to_five(demo: Services) -> None:
    house = await house_of(demo, "city")
    monday = datetime(2026, 11, 23, tzinfo=ZoneInfo("Asia/Kolkata"))
    for doctor in (one for _, two in CITY.values() for one in two):
        async with house.here().read() as tx:
            found = await slots(tx, house.facility, doctor, monday.date())
        assert [one.starts for one in found] == [monday.replace(hour=9) + n * timedelta(minutes=15) for n in range(32)]
        assert {one.capacity for one in found} == {1}


@pytest.mark.parametrize("slug", ["mmc", "city"])
async def test_everybody_can_come_at_any_hour(demo: Services, slug: str) -> None:
    for one in await clinics_of(await house_of(demo, slug)):
        assert (one.entry, one.hours, one.capacity, one.closed, one.paused) == (Entry.OPEN, None, None, False, False)


@pytest.mark.parametrize("slug", ["mmc", "city"])
async def test_names_are_there_in_the_facilitys_languages(demo: Services, slug: str) -> None:
    house = await house_of(demo, slug)
    async with house.here().read() as tx:
        named: list[Any] = [
            house.facility,
            *await queries.clinics(tx),
            *await queries.doctors(tx),
            *await queries.departments(tx),
        ]
    assert {tuple(sorted(one.name)) for one in named} == {tuple(sorted(house.facility.languages))}


async def test_the_vital_signs_have_their_name(demo: Services) -> None:
    async with (await house_of(demo, "mmc")).here().read() as tx:
        assert (await queries.clinic(tx, "vitals")).name["en"] == "Vital signs"


async def test_the_staff_is_as_the_contract_says(empty: Services) -> None:
    report = await load_demo(empty, password=PASSWORD)
    others = [f"{name}@{slug}.demo" for slug in ("mmc", "city") for name in ("admin", "reception", "display")]
    doctors = [f"{clinic}@mmc.demo" for clinic in MMC] + [f"{one}@city.demo" for _, two in CITY.values() for one in two]
    assert sorted(report.accounts) == sorted(others + doctors)
    assert report.facilities == ("mmc", "city")
    assert report.password == PASSWORD


@pytest.mark.parametrize(
    ("email", "role", "clinics"),
    [
        ("admin@mmc.demo", Role.ADMINISTRATOR, set()),
        ("reception@city.demo", Role.RECEPTION, set()),
        ("display@mmc.demo", Role.DISPLAY, set()),
        ("women_eyes@mmc.demo", Role.DOCTOR, {"women_eyes"}),
        ("dr.rao@city.demo", Role.DOCTOR, {"cardiology"}),
    ],
)
async def test_staff_sign_in_and_are_what_they_should_be(
    demo: Services, email: str, role: Role, clinics: set[str]
) -> None:
    house = await house_of(demo, email.partition("@")[2].removesuffix(".demo"))
    actor = await signed_in(demo, email, house)
    assert actor is not None
    assert (actor.role, actor.clinics) == (role, frozenset(clinics))
    assert all(actor.doctor in one.doctors for one in await clinics_of(house) if one.id in clinics)


async def test_a_second_start_changes_nothing(empty: Services) -> None:
    await load_demo(empty, password=None)
    house = await house_of(empty, "mmc")
    await run(house, house.ada, commands.change_clinic, clinic="lab", settings={"prefix": "L", "capacity": 5})
    await run(house, house.ada, commands.archive_clinic, clinic="audio", open_tickets=None)
    await run(house, house.ada, archive_doctor, doctor="dr.saleh", open_tickets=None)
    before = await clinics_of(house)
    assert await load_demo(empty, password="another") == DemoReport()
    assert await clinics_of(house) == before


async def test_a_random_password_is_made_for_each_installation(
    empty: Services, server_url: str, tmp_path: Path
) -> None:
    other = make_services(new_database(server_url), tmp_path / "other")
    await other.db.open()
    passwords = {(await load_demo(one, password=None)).password for one in (empty, other)}
    await other.db.close()
    assert len(passwords) == 2
    assert all(password and len(password) >= 20 for password in passwords)


async def test_processes_that_start_together_make_each_facility_once(empty: Services) -> None:
    reports = await asyncio.gather(*(load_demo(empty, password=None) for _ in range(3)))
    assert sorted(slug for one in reports for slug in one.facilities) == ["city", "mmc"]
    assert len(await queries.every_facility(empty)) == 2


async def test_a_file_with_a_mistake_makes_nothing_of_its_facility(empty: Services, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "demo", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    city = tmp_path / "demo" / "city.toml"
    city.write_text(city.read_text("utf-8").replace('clinics = ["paediatrics"]', 'clinics = ["paediatric"]'), "utf-8")
    with pytest.raises(Exception, match="clinic_not_found"):
        await load_demo(empty, password=None, folder=tmp_path / "demo")
    assert await queries.locate(empty, slug="city") is None


def test_an_unknown_line_in_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mmc.toml"
    file.write_text((FOLDER / "mmc.toml").read_text("utf-8").replace("floor =", "flor =", 1), "utf-8")
    with pytest.raises(ValidationError, match=r"clinics\.0\.flor"):
        read_file(file)
