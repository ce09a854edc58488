"""The wall between facilities is the database's: statements that forget the facility still see one alone."""

import psycopg
import pytest

from tests.conftest import House, found_house

TABLES = ["facility", "department", "clinic", "desk", "doctor", "doctor_clinic"]


@pytest.mark.parametrize("table", TABLES)
async def test_a_forgotten_condition_shows_no_other_facility(house: House, table: str) -> None:
    other = await found_house(house.services)
    async with other.here().read() as tx:
        seen = await tx.rows(f"SELECT DISTINCT facility_id FROM {table}")
    assert [row["facility_id"] for row in seen] in ([other.facility.id], [])
    assert house.facility.id != other.facility.id


async def test_nothing_is_changed_across_the_wall(house: House) -> None:
    other = await found_house(house.services)
    async with other.here().write() as tx:
        everywhere = await tx.execute("UPDATE clinic SET paused = true")
    async with house.here().read() as tx:
        assert await tx.value("SELECT count(*) FROM clinic WHERE paused") == 0
    assert everywhere == 2


async def test_a_row_is_not_smuggled_into_another_facility(house: House) -> None:
    other = await found_house(house.services)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with other.here().write() as tx:
            await tx.execute(
                "INSERT INTO department (facility_id, department, name) VALUES (%(there)s, 'spy', '{}')",
                there=house.facility.id,
            )


@pytest.mark.parametrize("statement", ["SELECT * FROM directory.facility", "DELETE FROM directory.facility"])
async def test_the_directory_is_reached_through_its_functions_alone(house: House, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with house.here().write() as tx:
            await tx.execute(statement)
