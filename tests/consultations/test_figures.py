"""A doctor's figures: in all, and those of the service day."""

from datetime import timedelta
from typing import Any

from dawr.consultations import queries
from tests.consultations.conftest import Room
from tests.consultations.conftest import room as room


async def figures(room: Room) -> dict[str, Any]:
    house = room.house
    async with house.here().read() as tx:
        return await queries.figures(tx, house.facility, "dana")


async def test_a_day_begins_with_none_and_the_whole_goes_on(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    lasted = float(made["duration_seconds"])
    one = {"consultations": 1, "mean_seconds": lasted}
    assert await figures(room) == {"doctor": "dana", "today": one} | one
    room.house.clock.offset += timedelta(days=1)
    assert await figures(room) == {"doctor": "dana", "today": {"consultations": 0, "mean_seconds": None}} | one


async def test_what_was_withdrawn_counts_no_longer(room: Room) -> None:
    made = await room.consulted(await room.walk_in())
    await room.consulted(await room.walk_in())
    path = f"/api/v1/consultations/{made['consultation']}/withdraw"
    answer = await room.doctor.post(path, json={"reason": "the wrong person"})
    assert answer.status_code == 200, answer.text
    found = await figures(room)
    assert found["today"]["consultations"] == found["consultations"] == 1
