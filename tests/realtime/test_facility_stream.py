"""The stream of a whole facility, for its staff."""

import pytest

from dawr.accounts.rules import SYSTEM, Role
from dawr.facilities.commands import create_clinic
from dawr.facilities.rules_settings import ClinicSettings
from tests.conftest import House, Live, found_house
from tests.realtime.folding import Fold, fresh
from tests.realtime.sse import connect
from tests.tickets.conftest import Floor


async def _signed_in(live: Live, house: House, role: Role) -> dict[str, str]:
    async with live.staff(house, role) as client:
        return {"Authorization": client.headers["Authorization"]}


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.RECEPTION, Role.DISPLAY])
async def test_begins_with_every_clinic(live: Live, base: str, house: House, floor: Floor, role: Role) -> None:
    await floor.enter("amina", clinic="xray")
    async with connect(base, facility=house.facility.slug, headers=await _signed_in(live, house, role)) as stream:
        first = await stream.one("connected")
        assert first.data["facility"] == house.facility.slug
        assert [one["clinic"] for one in first.data["items"]] == ["lab", "xray"]
        assert first.id == first.data["cursor"]
        for one in first.data["items"]:
            assert Fold(one).state == Fold(await fresh(base, one["clinic"])).state


async def test_tells_of_every_clinic_and_which(live: Live, base: str, house: House, floor: Floor) -> None:
    staff = await _signed_in(live, house, Role.RECEPTION)
    async with connect(base, facility=house.facility.slug, headers=staff) as stream:
        first = await stream.one("connected")
        folds = {one["clinic"]: Fold(one) for one in first.data["items"]}
        ticket = await floor.called("amina")
        await floor.transfer(ticket, "xray")
        for _ in range(4):
            event = await stream.one()
            folds[event.data["clinic"]].take(event)
        assert await stream.quiet()
        for clinic, fold in folds.items():
            assert fold.state == Fold(await fresh(base, clinic)).state


async def test_resumes_each_clinic_where_it_was(live: Live, base: str, house: House, floor: Floor) -> None:
    staff = await _signed_in(live, house, Role.RECEPTION)
    slug = house.facility.slug
    async with connect(base, facility=slug, headers=staff) as stream:
        await stream.one("connected")
        await floor.enter("amina")
        await floor.enter("noor", clinic="xray")
        heard = [await stream.one() for _ in range(2)]
    await floor.enter("omar", clinic="xray")
    for cut, missed in enumerate([{"XR-002", heard[1].data["code"]}, {"XR-002"}]):
        async with connect(base, facility=slug, last_event_id=heard[cut].id or "", headers=staff) as stream:
            assert (await stream.one("connected")).data == {"resumed": True}
            assert {(await stream.one()).data["code"] for _ in missed} == missed
            assert await stream.quiet()


async def test_a_new_series_of_one_clinic_gives_them_all_anew(
    live: Live, base: str, house: House, floor: Floor
) -> None:
    staff = await _signed_in(live, house, Role.RECEPTION)
    await floor.enter("amina", clinic="xray")
    async with connect(base, facility=house.facility.slug, headers=staff) as stream:
        await stream.one("connected")
        await floor.reset()
        reset = await stream.one("reset")
        assert [(one["clinic"], one["series"]) for one in reset.data["items"]] == [("lab", 2), ("xray", 1)]
        await floor.enter("noor", clinic="xray")
        assert (await stream.one()).data["code"] == "XR-002"


async def test_a_clinic_that_was_added_meanwhile_gives_a_snapshot(
    live: Live, base: str, house: House, floor: Floor
) -> None:
    staff = await _signed_in(live, house, Role.RECEPTION)
    async with connect(base, facility=house.facility.slug, headers=staff) as stream:
        first = await stream.one("connected")
    async with live.services.db.write(house.facility.id) as tx:
        eyes = ClinicSettings(name={"en": "Eyes"}, prefix="EYE", mean_service_seconds=600)
        await create_clinic(tx, SYSTEM, clinic="eyes", settings=eyes, desks=("1",))
    async with connect(base, facility=house.facility.slug, last_event_id=first.id or "", headers=staff) as stream:
        reset = await stream.one("reset")
        assert {one["clinic"] for one in reset.data["items"]} == {"lab", "xray", "eyes"}
        await floor.enter("amina", clinic="eyes")
        assert (await stream.one()).data["clinic"] == "eyes"


async def test_is_for_staff(base: str, house: House) -> None:
    async with connect(base, facility=house.facility.slug) as stream:
        assert stream.status == 401
        assert (await stream.json())["code"] == "unauthenticated"


async def test_is_for_the_staff_of_this_facility(live: Live, base: str, house: House) -> None:
    elsewhere = await found_house(live.services)
    sam = await _signed_in(live, elsewhere, Role.RECEPTION)
    async with connect(base, facility=house.facility.slug, headers=sam) as stream:
        assert stream.status == 404
    async with connect(f"{live.url}/f/{elsewhere.facility.slug}", facility=house.facility.slug, headers=sam) as stream:
        assert stream.status == 404


async def test_a_forged_token_is_refused(base: str, house: House) -> None:
    async with connect(base, facility=house.facility.slug, headers={"Authorization": "Bearer x.y.z"}) as stream:
        assert stream.status == 401
