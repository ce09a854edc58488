"""Plugins are told what happened: all of it, in order, late if they like, and nobody waits for them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from dawr.platform import followers
from dawr.platform.followers import State
from dawr.platform.services import Services
from dawr.plugins.jobs import TRIES, PluginWorker
from dawr.plugins.process import CannotStart, PluginProcess
from dawr.plugins.rules import follower
from tests.conftest import House, Live, found_house
from tests.plugins.conftest import NOTING, Install, until_settled
from tests.tickets.conftest import Floor

Notes = Callable[[], list[dict[str, str]]]
WATCHES = """
class Plugin:
    @hookimpl
    def on_ticket_entered(self, happening):
        note(happening, hook="entered")
    @hookimpl
    def on_your_turn(self, happening):
        note(happening, hook="turn", desk=happening.data["desk"])
"""


async def turn(house: House, process: PluginProcess) -> bool:
    await until_settled(house)
    return await PluginWorker(house.services, [process]).turn(process, house.facility.id)


async def at_once(house: House, plugin: str) -> None:
    """What failed may be tried again now."""
    async with house.services.db.write(house.facility.id) as tx:
        await tx.execute("UPDATE follower SET due = now() WHERE follower = %(name)s", name=follower(plugin))


async def state(house: House, plugin: str) -> State:
    async with house.services.db.read(house.facility.id) as tx:
        return (await followers.states(tx, [follower(plugin)]))[follower(plugin)]


async def begun(house: House, process: PluginProcess) -> Floor:
    """A plugin that has been met, and the waiting room in which things now happen."""
    assert not await turn(house, process)
    return Floor(house)


async def test_it_is_told_what_happens_in_order(house: House, install: Install, notes: Notes) -> None:
    plugin = install("watch", NOTING + WATCHES)
    floor = await begun(house, plugin)
    await floor.enter("amina")
    await floor.call(desk="2")
    assert await turn(house, plugin)
    assert [(one["hook"], one.get("desk")) for one in notes()] == [("entered", None), ("turn", "2")]
    assert {one["facility"] for one in notes()} == {house.facility.slug}
    assert not await turn(house, plugin)
    assert len(notes()) == 2


async def test_what_happened_before_it_was_met_is_not_its_business(
    house: House, install: Install, notes: Notes
) -> None:
    await Floor(house).enter("amina")
    plugin = install("late", NOTING + WATCHES)
    await begun(house, plugin)
    assert not await turn(house, plugin)
    assert notes() == []


async def test_each_facility_is_followed_by_itself(
    house: House, services: Services, install: Install, notes: Notes
) -> None:
    plugin, other = install("both", NOTING + WATCHES), await found_house(services)
    floor, elsewhere = await begun(house, plugin), await begun(other, plugin)
    await floor.enter("amina")
    await elsewhere.enter("sam")
    await turn(other, plugin)
    assert [one["facility"] for one in notes()] == [other.facility.slug]
    await turn(house, plugin)
    assert len(notes()) == 2


BREAKS = """
class Plugin:
    @hookimpl
    def on_ticket_entered(self, happening):
        note(happening)
        raise RuntimeError("the other side is down")
"""


async def test_what_fails_is_tried_again_and_then_skipped_and_shown(
    house: House, install: Install, notes: Notes
) -> None:
    plugin = install("broken", NOTING + BREAKS)
    floor = await begun(house, plugin)
    await floor.enter("amina")
    for _ in range(TRIES):
        await turn(house, plugin)
        assert not await turn(house, plugin)  # it pauses
        await at_once(house, "broken")
    assert len(notes()) == TRIES
    assert len({one["id"] for one in notes()}) == 1
    assert (await state(house, "broken")).failures == 1
    async with house.services.db.read(house.facility.id) as tx:
        assert [one.error for one in await followers.failures(tx, follower("broken"))] == [
            "RuntimeError: the other side is down"
        ]


BREAKS_AT_FIRST = """
import pathlib
class Plugin:
    @hookimpl
    def on_ticket_entered(self, happening):
        note(happening)
        if not pathlib.Path(os.environ["DAWR_PLUGIN_NOTES"] + ".mended").exists():
            raise RuntimeError("the other side is down")
"""


async def test_what_was_skipped_is_told_again_when_somebody_asks(
    house: House, install: Install, notes: Notes, tmp_path: Path
) -> None:
    plugin = install("mended", NOTING + BREAKS_AT_FIRST)
    floor = await begun(house, plugin)
    await floor.enter("amina")
    for _ in range(TRIES):
        await turn(house, plugin)
        await at_once(house, "mended")
    (tmp_path / "notes.mended").touch()
    async with house.services.db.write(house.facility.id) as tx:
        await followers.ask_again(tx, follower("mended"))
    assert await turn(house, plugin)
    assert {one["id"] for one in notes()} == {"queue:lab:1"}
    assert len(notes()) == TRIES + 1
    assert (await state(house, "mended")).failures == 0


HANGS = """
import time
class Plugin:
    @hookimpl
    def on_ticket_entered(self, happening):
        note(happening)
        if happening.data["number"] == 1:
            time.sleep(3600)
"""


async def test_one_that_hangs_is_killed_and_started_again(house: House, install: Install, notes: Notes) -> None:
    plugin = install("hangs", NOTING + HANGS)
    floor = await begun(house, plugin)
    await floor.enter("amina")
    await floor.enter("bilal")
    assert await turn(house, plugin)
    assert (await state(house, "hangs")).attempts == 1
    await at_once(house, "hangs")
    await turn(house, plugin)
    assert len(notes()) == 2


SECRETS = """
import os
class Plugin:
    @hookimpl
    def on_ticket_entered(self, happening):
        print("this would break a careless protocol")
        note(happening, names=" ".join(os.environ))
"""


async def test_it_does_not_have_the_installation_s_secrets(
    house: House, install: Install, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "DAWR_KEYS", "DAWR_METRICS_TOKEN"):
        monkeypatch.setenv(name, "postgresql://secret")
    plugin = install("curious", NOTING + SECRETS)
    floor = await begun(house, plugin)
    await floor.enter("amina", name="Amina Canary")
    await turn(house, plugin)
    names = notes()[0]["names"].split()
    assert "DAWR_PLUGIN_NOTES" in names
    assert not {"DATABASE_URL", "DAWR_KEYS", "DAWR_METRICS_TOKEN"} & set(names)


async def test_one_that_is_switched_off_is_never_told_what_happens_meanwhile(
    house: House, install: Install, notes: Notes
) -> None:
    plugin = install("quiet", NOTING + WATCHES)
    floor = await begun(house, plugin)
    for enabled, who in ((False, "amina"), (True, "bilal")):
        async with house.services.db.write(house.facility.id) as tx:
            await followers.switch(tx, follower("quiet"), enabled=enabled)
        await until_settled(house)
        await floor.enter(who)
        await turn(house, plugin)
    assert len(notes()) == 1


async def test_two_processes_do_not_tell_it_twice(house: House, install: Install, notes: Notes) -> None:
    plugin = install("shared", NOTING + WATCHES)
    floor = await begun(house, plugin)
    await floor.enter("amina")
    async with house.services.db.write(house.facility.id) as tx:
        assert await followers.lease(tx, follower("shared")) is not None
    assert not await turn(house, plugin)
    assert notes() == []


async def test_what_is_not_installed_is_said_and_nothing_is_skipped(house: House, install: Install) -> None:
    missing = PluginProcess("missing")
    await begun(house, missing)
    await Floor(house).enter("amina")
    with pytest.raises(CannotStart):
        await turn(house, missing)
    wrong = install("wrong", NOTING + WATCHES.replace("on_your_turn", "on_your_trun"))
    await begun(house, wrong)
    await Floor(house).enter("bilal")
    with pytest.raises(CannotStart, match="on_your_trun"):
        await turn(house, wrong)


async def test_nobody_who_takes_a_ticket_waits_for_a_plugin(live: Live, house: House, install: Install) -> None:
    plugin = install("slow", NOTING + HANGS)
    await begun(house, plugin)
    worker = PluginWorker(house.services, [plugin])
    async with live.client(house) as client:
        started = house.services.clock.now()
        assert (await client.post("/api/v1/queue/enter", json={"clinic": "lab", "user": "amina"})).status_code == 201
        assert house.services.clock.now() - started < timedelta(seconds=1.5)
    await until_settled(house)
    assert await worker.turn(plugin, house.facility.id)
