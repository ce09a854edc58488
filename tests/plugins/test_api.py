"""What administrators see of plugins, and their switch."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import dawr.app
from dawr.accounts.rules import Role
from dawr.plugins.rules import follower
from tests.conftest import House, Live, found_house, make_services, serving


@pytest.fixture
async def equipped(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Live, House]]:
    """The product with a plugin named ``chat`` in its settings, and a house in it."""
    services = make_services(database_url, tmp_path, plugins=("chat",))
    app = dawr.app.create_app(services)
    async with serving(app) as url:
        yield Live(url, app, services), await found_house(services)


async def test_it_is_listed_and_can_be_switched_off(equipped: tuple[Live, House]) -> None:
    live, house = equipped
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        listed = (await ada.get("/api/v1/plugins")).json()["items"]
        assert listed == [{"plugin": "chat", "enabled": True, "attempts": 0, "failures": 0}]
        off = await ada.patch("/api/v1/plugins/chat", json={"enabled": False})
        assert off.json()["enabled"] is False
        assert (await ada.get("/api/v1/plugins")).json()["items"][0]["enabled"] is False
        assert (await ada.get("/api/v1/plugins/chat/failures")).json() == {"items": [], "next": None}


async def test_only_administrators_see_them(equipped: tuple[Live, House]) -> None:
    live, house = equipped
    async with live.staff(house, Role.RECEPTION) as rui, live.client(house) as stranger:
        assert (await rui.get("/api/v1/plugins")).status_code == 403
        assert (await rui.patch("/api/v1/plugins/chat", json={"enabled": False})).status_code == 403
        assert (await stranger.get("/api/v1/plugins")).status_code == 401


async def test_one_that_the_installation_does_not_use_is_not_there(equipped: tuple[Live, House]) -> None:
    live, house = equipped
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        answer = await ada.patch("/api/v1/plugins/other", json={"enabled": True})
    assert (answer.status_code, answer.json()["code"]) == (404, "plugin_not_found")


async def skipped(house: House, *happenings: str) -> None:
    async with house.services.db.write(house.facility.id) as tx:
        for happening in happenings:
            await tx.execute(
                "INSERT INTO follower_failure (facility_id, follower, happening, type, error, at)"
                " VALUES (%(facility_id)s, %(name)s, %(happening)s, 'ticket_entered', 'it was down', now())",
                name=follower("chat"),
                happening=happening,
            )


async def test_what_it_could_not_do_is_asked_of_it_again(equipped: tuple[Live, House]) -> None:
    live, house = equipped
    await skipped(house, "queue:lab:1", "queue:lab:2", "queue:lab:3")
    path = "/api/v1/plugins/chat/failures"
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        oldest = (await ada.get(path)).json()["items"][-1]
        one = (await ada.post(f"{path}/{oldest['no']}/resend")).json()["items"]
        assert [each["again"] for each in one] == [False, False, True]
        every = (await ada.post(f"{path}/resend")).json()["items"]
        assert [each["again"] for each in every] == [True, True, True]
        unknown = await ada.post(f"{path}/4711/resend")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "failure_not_found")


@pytest.mark.parametrize("role", [Role.RECEPTION, Role.DOCTOR])
async def test_only_administrators_ask_it_again(equipped: tuple[Live, House], role: Role) -> None:
    live, house = equipped
    async with live.staff(house, role) as staff:
        for path in ("resend", "1/resend"):
            assert (await staff.post(f"/api/v1/plugins/chat/failures/{path}")).status_code == 403
