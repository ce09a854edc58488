"""The delivery log over HTTP: what reception reads, and sending a dead letter again."""

import json
from typing import Any

from dawr.accounts.rules import Role
from dawr.notifications.rules_channels import Outcome, Reason, Result
from tests.conftest import Live, found_house
from tests.notifications.conftest import PHONE, Desk

REFUSED = Result(Outcome.REFUSED, reason=Reason.BAD_ADDRESS, detail="400")
LOG = "/api/v1/deliveries"


async def told(desk: Desk, *results: Result) -> None:
    """Somebody is called for each result, and the message ends so."""
    for number in range(len(results)):
        ticket = await desk.enter(f"person-{number}", phone=f"+97455{number:02}4321")
        await desk.floor.call_ticket(ticket, desk="1")
    await desk.read()
    for ready, result in zip(await desk.claim(), results, strict=True):
        await desk.settle(ready, result)


async def test_reception_reads_what_was_sent_to_whom_with_what_result(live: Live, desk: Desk) -> None:
    await told(desk, Result(Outcome.SENT, "id-1"), REFUSED)
    async with live.staff(desk.house, Role.RECEPTION) as rui:
        items = (await rui.get(LOG, params={"total": "true"}, headers={"Accept-Language": "en"})).json()
    assert items["total"] == 2
    failed, sent = items["items"]
    assert (sent["to"], sent["about"], sent["result"]) == ("•••• 4321", "It is your turn", "Sent")
    assert (failed["result"], failed["why"]) == ("Could not be sent", "The phone number or address is wrong")
    assert (sent["resendable"], failed["resendable"]) == (False, True)


async def test_the_log_is_narrowed_and_paged(live: Live, desk: Desk) -> None:
    await told(desk, *[Result(Outcome.SENT)] * 3, REFUSED)
    async with live.staff(desk.house, Role.RECEPTION) as rui:
        assert len((await rui.get(LOG, params={"status": "sent"})).json()["items"]) == 3
        ticket = (await rui.get(LOG)).json()["items"][0]["ticket"]
        assert len((await rui.get(LOG, params={"ticket": ticket})).json()["items"]) == 1
        page = (await rui.get(LOG, params={"limit": 3})).json()
        rest = (await rui.get(LOG, params={"limit": 3, "cursor": page["next"]})).json()
    assert [len(page["items"]), len(rest["items"]), rest["next"]] == [3, 1, None]


async def test_a_dead_letter_is_sent_again_under_its_key(live: Live, desk: Desk) -> None:
    await told(desk, REFUSED)
    (dead,) = await desk.log()
    async with live.staff(desk.house, Role.RECEPTION) as rui:
        answer = await rui.post(f"{LOG}/{dead.delivery}/resend")
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        (message,) = await desk.send()
        assert message.key == f"dawr-{dead.delivery}"
        again = await rui.post(f"{LOG}/{dead.delivery}/resend")
        assert (again.status_code, again.json()["code"], again.json()["state"]) == (409, "not_resendable", "sent")


async def test_who_may_not_and_what_is_elsewhere(live: Live, desk: Desk) -> None:
    await told(desk, REFUSED)
    (dead,) = await desk.log()
    other = await found_house(desk.services)
    async with live.staff(other, Role.ADMINISTRATOR) as sam, live.staff(desk.house, Role.DOCTOR) as dana:
        assert (await sam.post(f"{LOG}/{dead.delivery}/resend")).status_code == 404
        assert (await sam.get(LOG)).json() == {"items": [], "next": None}
        assert (await dana.get(LOG)).status_code == 403


async def test_the_log_tells_no_address_and_no_name(live: Live, desk: Desk) -> None:
    await desk.floor.call_ticket(await desk.enter("amina", phone=PHONE), desk="1")
    await desk.read()
    async with live.staff(desk.house, Role.RECEPTION) as rui:
        found: dict[str, Any] = (await rui.get(LOG)).json()
    assert PHONE[-8:] not in json.dumps(found)
