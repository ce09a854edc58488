"""What the staff see of ratings: figures for all of them, words for administrators."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from dawr.accounts.rules import Role
from dawr.records.api_ratings import RatingsAnswer
from tests.conftest import Live, found_house
from tests.consultations.conftest import as_described
from tests.records.conftest import rate, served
from tests.tickets.conftest import Floor

EMPTY = {"1": 0, "2": 0, "3": 0, "4": 0, "5": 0}


@pytest.fixture
async def rated(live: Live, floor: Floor) -> Floor:
    """Five in the lab, one of them with a word, and one of the day after in the x-ray."""
    async with live.client(floor.house) as phone:
        for stars in (5, 5, 4, 5):
            await rate(phone, floor.house, await served(floor), stars)
        await rate(phone, floor.house, await served(floor), 1, word="Too long")
        floor.house.clock.offset += timedelta(days=1)
        await rate(phone, floor.house, await served(floor, clinic="xray"), 3)
    return floor


async def ratings(client: httpx2.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await client.get("/api/v1/ratings", params=asked)
    assert answer.status_code == 200, answer.text
    return as_described(answer.json(), RatingsAnswer)


async def test_the_figures_of_all_and_of_each_clinic(live: Live, rated: Floor) -> None:
    today = rated.house.facility.service_day(rated.house.clock.now())
    async with live.staff(rated.house, Role.RECEPTION) as rui:
        found = await ratings(rui)
    lab = {"clinic": "lab", "count": 5, "mean": 4.0, "distribution": EMPTY | {"1": 1, "4": 1, "5": 3}}
    xray = {"clinic": "xray", "count": 1, "mean": 3.0, "distribution": EMPTY | {"3": 1}}
    assert found["items"] == [lab, xray]
    assert (found["count"], found["mean"]) == (6, 3.83)
    assert (found["from"], found["to"]) == ((today - timedelta(days=29)).isoformat(), today.isoformat())


async def test_one_clinic_and_one_day(live: Live, rated: Floor) -> None:
    today = rated.house.facility.service_day(rated.house.clock.now())
    day = {"from": today.isoformat(), "to": today.isoformat()}
    async with live.staff(rated.house, Role.RECEPTION) as rui:
        assert (await ratings(rui, clinic="xray", **day))["count"] == 1
        nothing = await ratings(rui, clinic="lab", **day)
    assert (nothing["count"], nothing["mean"], nothing["distribution"], nothing["items"]) == (0, None, EMPTY, [])


async def test_only_administrators_read_the_words(live: Live, rated: Floor) -> None:
    async with live.staff(rated.house, Role.ADMINISTRATOR) as ada, live.staff(rated.house, Role.RECEPTION) as rui:
        words = (await ratings(ada))["words"]
        assert [(one["word"], one["stars"], one["clinic"]) for one in words] == [("Too long", 1, "lab")]
        assert (await ratings(rui))["words"] is None


async def test_another_facility_sees_nothing_of_it(live: Live, rated: Floor) -> None:
    elsewhere = await found_house(rated.house.services)
    async with live.staff(elsewhere, Role.ADMINISTRATOR) as sam:
        found = await ratings(sam)
    assert (found["count"], found["items"], found["words"]) == (0, [], [])


async def test_who_may_not_see_reports_sees_none(live: Live, rated: Floor) -> None:
    async with live.client(rated.house) as stranger, live.staff(rated.house, Role.DISPLAY) as display:
        assert (await stranger.get("/api/v1/ratings")).status_code == 401
        assert (await display.get("/api/v1/ratings")).status_code == 403


WRONG: list[tuple[dict[str, str], int]] = [
    ({"clinic": "nowhere"}, 404),
    ({"from": "yesterday"}, 422),
    ({"from": "20261121"}, 422),
    ({"from": "2026-11-21", "to": "2026-11-20"}, 422),
    ({"from": "2024-11-21", "to": "2026-11-20"}, 422),
]


async def test_what_cannot_be_asked(live: Live, floor: Floor) -> None:
    async with live.staff(floor.house, Role.RECEPTION) as rui:
        for asked, status in WRONG:
            assert (await rui.get("/api/v1/ratings", params=asked)).status_code == status, asked
