"""The own inbox on any stream: that there is something new, to whom it concerns and nobody else, also when a wake was lost."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from dawr.accounts.rules import Actor, Role
from dawr.accounts.rules_inbox import heard_by, names_of
from dawr.notifications import store
from dawr.notifications.rules import Fact, Moment
from dawr.notifications.store import Notice
from dawr.platform.errors import Forbidden, Unauthenticated
from tests.conftest import House, Live, found_house
from tests.realtime.sse import Stream, connect

SOON = 3.0
"""Wakes come within milliseconds, and what makes up for a lost one within a second or two."""


async def signed_in(live: Live, house: House, role: Role, **post: Any) -> dict[str, str]:
    async with live.staff(house, role, **post) as client:
        return {"Authorization": client.headers["Authorization"]}


@asynccontextmanager
async def listening(base: str, headers: Mapping[str, str], **asked: str) -> AsyncIterator[Stream]:
    async with connect(base, headers=headers, **({"clinic": "lab", "inbox": "mine"} | asked)) as stream:
        await stream.one("connected")
        yield stream


async def tell(house: House, *roles: Role, clinics: tuple[str, ...] = ("lab",), awake: bool = True) -> None:
    """Puts something into the inboxes of these roles; not ``awake``: no process is told."""
    async with house.here().write() as tx:
        fact = Fact(f"test:{uuid4()}", Moment.VISIT_CREATED, tx.now, tx.now, clinics=clinics)
        await store.add_notices(tx, [Notice(fact, [role.value for role in roles])])
        if not awake:
            tx.touched.clear()


@pytest.mark.parametrize("subject", ["clinic", "facility"])
async def test_something_new_is_told_at_once_and_says_nothing(
    live: Live, base: str, house: House, subject: str
) -> None:
    staff = await signed_in(live, house, Role.RECEPTION)
    asked = {"clinic": "lab", "facility": house.facility.slug}[subject]
    async with connect(base, headers=staff, inbox="mine", **{subject: asked}) as stream:
        await stream.one("connected")
        await tell(house, Role.RECEPTION)
        told = await stream.one("inbox_update", within=0.9)
        assert told.data == {}
        assert told.id is None


async def test_only_those_are_told_whom_it_concerns(live: Live, base: str, house: House) -> None:
    dana = await signed_in(live, house, Role.DOCTOR, clinics=["lab"], doctor="dana")
    omar = await signed_in(live, house, Role.DOCTOR, clinics=["xray"], doctor="omar")
    async with listening(base, dana) as hers, listening(base, omar) as his:
        await tell(house, Role.DOCTOR, clinics=("lab",))
        await hers.one("inbox_update")
        await tell(house, Role.RECEPTION, clinics=("lab", "xray"))
        await tell(house, Role.DOCTOR, clinics=("xray",))
        await his.one("inbox_update")
        assert await hers.quiet()
        assert await his.quiet()


async def test_another_facility_hears_nothing(live: Live, base: str, house: House) -> None:
    rui = await signed_in(live, house, Role.RECEPTION)
    async with listening(base, rui) as stream:
        await tell(await found_house(house.services), Role.RECEPTION)
        assert await stream.quiet()


async def test_a_lost_wake_is_made_up_for(live: Live, base: str, house: House) -> None:
    rui = await signed_in(live, house, Role.RECEPTION)
    async with listening(base, rui) as stream:
        await tell(house, Role.RECEPTION)
        await stream.one("inbox_update")
        assert await stream.quiet(1.5), "the look for lost wakes tells of what was told"
        await tell(house, Role.RECEPTION, awake=False)
        await stream.one("inbox_update", within=SOON)


async def test_only_ones_own_and_only_with_a_right(live: Live, base: str, house: House) -> None:
    display = await signed_in(live, house, Role.DISPLAY)
    for headers, inbox, status in (({}, "mine", 401), (display, "mine", 403), (display, "yours", 422)):
        async with connect(base, headers=headers, clinic="lab", inbox=inbox) as stream:
            assert stream.status == status


def test_a_doctor_hears_of_their_own_clinics_and_of_the_whole_house() -> None:
    dana = Actor(kind="staff", role=Role.DOCTOR, clinics=frozenset({"lab"}))
    rui = Actor(kind="staff", role=Role.RECEPTION)
    assert heard_by(dana) & names_of(["doctor"], ["lab", "xray"])
    assert heard_by(dana) & names_of(["doctor"], [])
    assert not heard_by(dana) & names_of(["doctor"], ["xray"])
    assert not heard_by(dana) & names_of(["reception"], ["lab"])
    assert heard_by(rui) & names_of(["doctor", "reception"], ["lab"])
    assert not heard_by(rui) & names_of(["doctor"], ["lab"])


@pytest.mark.parametrize(
    ("actor", "refusal"),
    [(Actor(kind="staff", role=Role.DISPLAY), Forbidden), (Actor(kind="stranger"), Unauthenticated)],
    ids=["display", "stranger"],
)
def test_whoever_has_no_inbox_hears_of_none(actor: Actor, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        heard_by(actor)
