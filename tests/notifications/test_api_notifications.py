"""The inbox over HTTP."""

import httpx2

from dawr.accounts.rules import Role
from tests.conftest import House, Live, found_house
from tests.notifications.conftest import Desk
from tests.visits.conftest import Reception


async def visits(desk: Desk, reception: Reception, count: int) -> list[str]:
    """So many visits, of which those concerned have been told; their numbers."""
    made = [await reception.visit() for _ in range(count)]
    for one in made:
        await desk.visit_event(one.visit)
    return [one.shown_number for one in made]


async def items(client: httpx2.AsyncClient, **params: str) -> list[dict[str, str]]:
    answer = await client.get("/api/v1/notifications", params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, str]] = answer.json()["items"]
    return found


async def test_the_inbox_is_read_newest_first_page_by_page(live: Live, desk: Desk, reception: Reception) -> None:
    numbers = await visits(desk, reception, 5)
    async with live.staff(desk.house, Role.RECEPTION) as client:
        seen: list[str] = []
        page = (await client.get("/api/v1/notifications?limit=2&total=true")).json()
        assert page["total"] == 5
        while True:
            seen += [one["visit_number"] for one in page["items"]]
            if page["next"] is None:
                break
            page = (await client.get("/api/v1/notifications", params={"limit": 2, "cursor": page["next"]})).json()
    assert seen == numbers[::-1]


async def test_a_notice_is_told_in_the_readers_language_and_names_no_person(
    live: Live, desk: Desk, reception: Reception
) -> None:
    (number,) = await visits(desk, reception, 1)
    async with live.staff(desk.house, Role.DOCTOR, clinics=["lab"]) as client:
        client.headers["Accept-Language"] = "en"
        (english,) = await items(client)
        client.headers["Accept-Language"] = "ar"
        (arabic,) = await items(client)
    assert english["text"] == f"New visit {number}: Lab"
    assert arabic["text"] != english["text"]
    assert number in arabic["text"]
    assert "Amina" not in str(english)


async def test_reading_one_and_reading_all(live: Live, desk: Desk, reception: Reception) -> None:
    await visits(desk, reception, 3)
    async with live.staff(desk.house, Role.ADMINISTRATOR) as client:
        first = (await items(client))[0]["notification"]
        answer = await client.post(f"/api/v1/notifications/{first}/read")
        assert (answer.status_code, answer.json()["read"]) == (200, True)
        assert len(await items(client, unread="true")) == 2
        assert [one["notification"] for one in await items(client, unread="false")] == [first]
        assert (await client.post("/api/v1/notifications/read-all")).json() == {"unread": 0}


async def test_who_may_not_and_what_is_elsewhere(live: Live, house: House, desk: Desk, reception: Reception) -> None:
    await visits(desk, reception, 1)
    other = await found_house(house.services)
    async with live.staff(house, Role.RECEPTION) as rui, live.staff(other, Role.RECEPTION) as sam:
        notice = (await items(rui))[0]["notification"]
        assert await items(sam) == []
        assert (await sam.post(f"/api/v1/notifications/{notice}/read")).status_code == 404
        bad = await rui.get("/api/v1/notifications", params={"cursor": "WyJ4Il0"})
        assert bad.status_code == 422
    async with live.staff(house, Role.DISPLAY) as display, live.client(house) as stranger:
        assert (await display.get("/api/v1/notifications")).status_code == 403
        assert (await stranger.get("/api/v1/notifications")).status_code == 401
