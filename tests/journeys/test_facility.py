"""Which facility a request is about: it is selected, never granted."""

from dawr.accounts.rules import Role
from tests.conftest import House, Live, found_house

STATUS = "/api/v1/queue/status?clinic=lab"


async def test_the_path_selects(live: Live, house: House) -> None:
    async with live.client() as stranger:
        entered = await stranger.post(
            f"/f/{house.facility.slug}/api/v1/queue/enter", json={"clinic": "lab", "user": "amina"}
        )
        seen = await stranger.get(f"/f/{house.facility.slug}{STATUS}")
    assert (entered.status_code, seen.json()["waiting"]) == (201, ["LAB-001"])


async def test_path_and_header_may_not_disagree(live: Live, house: House) -> None:
    other = await found_house(house.services)
    async with live.client(house) as stranger:
        answer = await stranger.get(f"/f/{other.facility.slug}{STATUS}")
    assert (answer.status_code, answer.json()["code"]) == (422, "facilities_disagree")


async def test_an_unknown_facility_is_not_found(live: Live) -> None:
    async with live.client(headers={"X-Facility": "atlantis"}) as stranger:
        answer = await stranger.get(STATUS)
    assert (answer.status_code, answer.json()["code"]) == (404, "facility_not_found")


async def test_staff_without_a_role_there_find_nothing(live: Live, house: House) -> None:
    other = await found_house(house.services)
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        answer = await ada.get(STATUS, headers={"X-Facility": other.facility.slug})
    assert answer.status_code == 404


async def test_staff_need_not_name_their_own(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        del rui.headers["X-Facility"]
        assert (await rui.get("/api/v1/auth/me")).json()["facility"] == house.facility.slug
