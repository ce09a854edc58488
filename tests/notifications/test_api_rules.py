"""The facility's rules over HTTP."""

from typing import Any

import pytest

from dawr.accounts.rules import Role
from tests.conftest import Live
from tests.notifications.conftest import Desk

RULES = "/api/v1/notification-rules"
NEAR: dict[str, Any] = {"moment": "near", "audience": "patient", "channel": "sms", "ahead": 5, "minutes": 20}


async def test_a_facility_goes_by_the_houses_rules_until_it_has_its_own(live: Live, desk: Desk) -> None:
    async with live.staff(desk.house, Role.ADMINISTRATOR) as ada:
        before = (await ada.get(RULES)).json()
        assert (before["own"], before["version"]) == (False, 0)
        changed = {"items": [NEAR], "quiet_hours": {"begins": "22:00", "ends": "07:00"}, "version": 0}
        answer = await ada.put(RULES, json=changed)
        assert answer.status_code == 200, answer.text
        after = (await ada.get(RULES)).json()
    assert after == answer.json()
    assert (after["own"], after["version"], after["quiet_hours"]) == (True, 1, {"begins": "22:00", "ends": "07:00"})
    assert after["items"] == [NEAR | {"enabled": True, "quiet": False, "template": "near"}]


async def test_what_was_read_can_be_sent_back(live: Live, desk: Desk) -> None:
    async with live.staff(desk.house, Role.ADMINISTRATOR) as ada:
        before = (await ada.get(RULES)).json()
        sent = {name: before[name] for name in ("items", "quiet_hours", "version")}
        assert (await ada.put(RULES, json=sent)).json()["items"] == before["items"]


async def test_who_read_an_earlier_version_changes_nothing(live: Live, desk: Desk) -> None:
    async with live.staff(desk.house, Role.ADMINISTRATOR) as ada:
        await ada.put(RULES, json={"items": [NEAR], "version": 0})
        answer = await ada.put(RULES, json={"items": [], "version": 0})
        assert (answer.status_code, answer.json()["code"]) == (409, "changed_meanwhile")
        assert len((await ada.get(RULES)).json()["items"]) == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"moment": "lunch"}, 422), ({"channel": "pigeon"}, 422), ({"ahead": 99}, 422), ({"colour": "red"}, 422)],
)
async def test_a_rule_that_cannot_be_is_refused(live: Live, desk: Desk, changes: dict[str, Any], status: int) -> None:
    async with live.staff(desk.house, Role.ADMINISTRATOR) as ada:
        assert (await ada.put(RULES, json={"items": [NEAR | changes]})).status_code == status


async def test_only_administrators_see_and_change_them(live: Live, desk: Desk) -> None:
    async with live.staff(desk.house, Role.RECEPTION) as rui:
        assert (await rui.get(RULES)).status_code == 403
        assert (await rui.put(RULES, json={"items": []})).status_code == 403
