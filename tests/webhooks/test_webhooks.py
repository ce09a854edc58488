"""Webhooks against real servers on loopback: signed, in order, never lost while the other side is away."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

import dawr.app
from dawr.accounts.rules import Role
from dawr.platform.services import Services
from dawr.webhooks.jobs import WebhookWorker
from dawr.webhooks.rules import MOST, TRIES
from tests.conftest import House, Live, found_house, make_services, serving
from tests.platform.test_outgoing import server
from tests.plugins.conftest import until_settled
from tests.tickets.conftest import Floor

CANARY = "Amina Canary"


@dataclass
class Receiver:
    """The other side: what it heard, and what it answers."""

    url: str = ""
    statuses: list[str] = field(default_factory=list)
    heard: list[tuple[dict[str, str], str]] = field(default_factory=list)
    hangs_at: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        body = (await reader.readexactly(int(headers["content-length"]))).decode()
        self.heard.append((headers, body))
        if len(self.heard) == self.hangs_at:
            return
        status = self.statuses.pop(0) if self.statuses else "204 No Content"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.heard]


@dataclass
class Desk:
    """An administrator of a house, its waiting room, the other side and the worker between."""

    house: House
    ada: httpx2.AsyncClient
    receiver: Receiver
    worker: WebhookWorker

    @property
    def floor(self) -> Floor:
        return Floor(self.house)

    async def hook(self, **asked: Any) -> dict[str, Any]:
        answer = await self.ada.post("/api/v1/webhooks", json={"url": self.receiver.url} | asked)
        assert answer.status_code == 201, answer.text
        await until_settled(self.house)
        made: dict[str, Any] = answer.json()
        return made

    async def turn(self, *, again: bool = False) -> None:
        if again:
            async with self.house.services.db.write(self.house.facility.id) as tx:
                await tx.execute("UPDATE follower SET due = now() WHERE enabled")
        await until_settled(self.house)
        await self.worker.turn(self.house.facility.id)

    async def state(self, made: dict[str, Any]) -> dict[str, Any]:
        items = (await self.ada.get("/api/v1/webhooks")).json()["items"]
        found: dict[str, Any] = next(one for one in items if one["webhook"] == made["webhook"])
        return found


@pytest.fixture(scope="module")
async def lan(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """The product where loopback may be asked."""
    data = tmp_path_factory.mktemp("lan")
    services = make_services(database_url, data, outgoing_networks=(ip_network("127.0.0.0/8"),))
    app = dawr.app.create_app(services)
    async with serving(app) as url:
        yield Live(url, app, services)


@asynccontextmanager
async def desk_of(live: Live) -> AsyncIterator[Desk]:
    house, receiver = await found_house(live.services), Receiver()
    async with live.staff(house, Role.ADMINISTRATOR) as ada, server(receiver.serve) as url:
        receiver.url = url
        yield Desk(house, ada, receiver, WebhookWorker(live.services))


@pytest.fixture
async def desk(lan: Live) -> AsyncIterator[Desk]:
    async with desk_of(lan) as found:
        yield found


async def test_what_happens_is_told_in_order_and_can_be_verified(desk: Desk) -> None:
    made = await desk.hook()
    await desk.floor.enter("amina", name=CANARY)
    await desk.floor.call(desk="2")
    await desk.turn()
    assert desk.receiver.types == ["ticket_entered", "ticket_called"]
    headers, body = desk.receiver.heard[1]
    told = Verifier(made["secret"]).verify(body, headers)
    assert told["data"]["desk"] == "2"
    assert told["data"]["facility"] == desk.house.facility.slug
    assert CANARY not in str(desk.receiver.heard)
    assert "before" not in told["data"]


async def test_another_secret_does_not_verify(desk: Desk) -> None:
    await desk.hook()
    other = await desk.hook()
    await desk.floor.enter("amina")
    await desk.turn()
    verified = 0
    for headers, body in desk.receiver.heard:
        try:
            Verifier(other["secret"]).verify(body, headers)
            verified += 1
        except WebhookVerificationError:
            pass
    assert (len(desk.receiver.heard), verified) == (2, 1)


async def test_only_the_events_it_wants(desk: Desk) -> None:
    await desk.hook(types=["ticket_called"])
    await desk.floor.enter("amina")
    await desk.floor.call()
    await desk.turn()
    assert desk.receiver.types == ["ticket_called"]


@pytest.mark.parametrize("status", ["500 Oops", "503 Later", "429 Slow", "302 Found"])
async def test_what_is_not_taken_comes_again_with_the_same_id(desk: Desk, status: str) -> None:
    made = await desk.hook()
    desk.receiver.statuses = [status]
    await desk.floor.enter("amina")
    await desk.floor.enter("bilal")
    await desk.turn()
    await desk.turn()  # it pauses
    assert len(desk.receiver.heard) == 1
    assert (await desk.state(made))["attempts"] == 1
    await desk.turn(again=True)
    assert len(desk.receiver.heard) == 3
    ids = [headers["webhook-id"] for headers, _ in desk.receiver.heard]
    assert ids[0] == ids[1] != ids[2]


async def test_nothing_is_skipped_while_the_other_side_is_away(desk: Desk) -> None:
    made = await desk.hook()
    desk.receiver.statuses = ["502 Away"] * (2 * TRIES)
    await desk.floor.enter("amina")
    for _ in range(2 * TRIES + 1):
        await desk.turn(again=True)
    assert (await desk.state(made))["failures"] == 0
    assert len(desk.receiver.heard) == 2 * TRIES + 1


async def test_what_is_refused_is_skipped_in_the_end_and_shown(desk: Desk) -> None:
    made = await desk.hook()
    desk.receiver.statuses = ["400 No"] * TRIES
    await desk.floor.enter("amina")
    await desk.floor.enter("bilal")
    for _ in range(TRIES + 1):
        await desk.turn(again=True)
    assert (await desk.state(made))["failures"] == 1
    shown = (await desk.ada.get(f"/api/v1/webhooks/{made['webhook']}/failures")).json()["items"]
    assert [(one["type"], one["error"]) for one in shown] == [("ticket_entered", "answered 400")]
    assert len(desk.receiver.heard) == TRIES + 1


async def refused(desk: Desk, made: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    """These people come while everything is refused; the dead letters."""
    desk.receiver.statuses = ["400 No"] * (TRIES + len(names) - 1)
    for name in names:
        await desk.floor.enter(name)
    for _ in range(TRIES + len(names) - 1):
        await desk.turn(again=True)
    shown: list[dict[str, Any]] = (await desk.ada.get(f"/api/v1/webhooks/{made['webhook']}/failures")).json()["items"]
    return shown


async def test_a_line_of_refusals_does_not_hold_back_what_follows(desk: Desk) -> None:
    made = await desk.hook()
    assert len(await refused(desk, made, "amina", "bilal", "chitra")) == 3
    await desk.floor.call()
    await desk.turn()
    assert desk.receiver.types[-1] == "ticket_called"
    assert len(desk.receiver.heard) == TRIES + 3


async def test_a_dead_letter_is_sent_again_under_its_id(desk: Desk) -> None:
    made = await desk.hook()
    (one,) = await refused(desk, made, "amina")
    path = f"/api/v1/webhooks/{made['webhook']}/failures"
    asked = (await desk.ada.post(f"{path}/{one['no']}/resend")).json()["items"]
    assert [each["again"] for each in asked] == [True]
    await desk.turn()
    assert len({headers["webhook-id"] for headers, _ in desk.receiver.heard}) == 1
    assert (await desk.ada.get(path)).json()["items"] == []


async def test_dead_letters_wait_while_the_other_side_is_away_and_stay_when_refused(desk: Desk) -> None:
    made = await desk.hook()
    await refused(desk, made, "amina", "bilal")
    path = f"/api/v1/webhooks/{made['webhook']}/failures"
    assert (await desk.ada.post(f"{path}/resend")).status_code == 200
    desk.receiver.statuses = ["503 Away", "400 No", "400 No"]
    await desk.turn()
    assert [one["again"] for one in (await desk.ada.get(path)).json()["items"]] == [True, True]
    await desk.turn(again=True)
    assert [one["again"] for one in (await desk.ada.get(path)).json()["items"]] == [False, False]


async def test_what_is_no_dead_letter_cannot_be_sent_again(desk: Desk) -> None:
    made = await desk.hook()
    answer = await desk.ada.post(f"/api/v1/webhooks/{made['webhook']}/failures/4711/resend")
    assert (answer.status_code, answer.json()["code"]) == (404, "failure_not_found")


async def test_an_ordinary_stop_keeps_the_place_that_was_reached(desk: Desk) -> None:
    await desk.hook()
    for name in ("amina", "bilal", "chitra"):
        await desk.floor.enter(name)
    await until_settled(desk.house)
    heard = desk.receiver.heard
    task = asyncio.create_task(desk.worker.run())
    async with asyncio.timeout(10):
        while not heard:
            await asyncio.sleep(0.005)
        desk.worker.stop()
        await task
    await WebhookWorker(desk.house.services).turn(desk.house.facility.id)
    ids = [headers["webhook-id"] for headers, _ in heard]
    assert len(ids) == len(set(ids)) == 3


async def test_a_turn_that_is_cut_short_keeps_its_place(desk: Desk) -> None:
    await desk.hook()
    for name in ("amina", "bilal"):
        await desk.floor.enter(name)
    await until_settled(desk.house)
    desk.receiver.hangs_at = 2
    task = asyncio.create_task(desk.worker.turn(desk.house.facility.id))
    async with asyncio.timeout(10):
        while len(desk.receiver.heard) < 2:
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(10):
        while len(desk.receiver.heard) < 3:
            await desk.turn()
    ids = [headers["webhook-id"] for headers, _ in desk.receiver.heard]
    assert ids[1:] == [ids[1]] * 2 != [ids[0]] * 2


async def test_gone_switches_it_off(desk: Desk) -> None:
    made = await desk.hook()
    desk.receiver.statuses = ["410 Gone"]
    await desk.floor.enter("amina")
    await desk.turn()
    assert (await desk.state(made))["enabled"] is False
    await desk.floor.enter("bilal")
    await desk.turn(again=True)
    assert len(desk.receiver.heard) == 1


async def test_a_private_address_is_not_asked(live: Live) -> None:
    async with desk_of(live) as desk:
        made = await desk.hook()
        await desk.floor.enter("amina")
        await desk.turn()
        assert desk.receiver.heard == []
        assert (await desk.state(made))["attempts"] == 1


async def test_after_a_rotation_both_secrets_verify(desk: Desk) -> None:
    made = await desk.hook()
    rotated = (await desk.ada.post(f"/api/v1/webhooks/{made['webhook']}/rotate")).json()
    assert rotated["secret"] != made["secret"]
    await desk.floor.enter("amina")
    await desk.turn()
    headers, body = desk.receiver.heard[0]
    for secret in (made["secret"], rotated["secret"]):
        Verifier(secret).verify(body, headers)


async def test_the_secret_is_shown_once_and_sealed_at_rest(desk: Desk) -> None:
    made = await desk.hook()
    assert "secret" not in await desk.state(made)
    async with desk.house.services.db.read(desk.house.facility.id) as tx:
        rows = await tx.rows("SELECT webhook::text, url_sealed, secret_sealed FROM webhook")
    kept = b"".join(bytes(row["url_sealed"]) + bytes(row["secret_sealed"]) for row in rows)
    assert made["secret"].encode() not in kept
    assert desk.receiver.url.encode() not in kept


async def test_removing_and_changing_it(desk: Desk) -> None:
    made = await desk.hook()
    path = f"/api/v1/webhooks/{made['webhook']}"
    changed = await desk.ada.patch(path, json={"types": ["visit_created"], "enabled": False})
    assert (changed.json()["types"], changed.json()["enabled"]) == (["visit_created"], False)
    assert (await desk.ada.delete(path)).status_code == 204
    assert (await desk.ada.delete(path)).status_code == 404
    await desk.floor.enter("amina")
    await desk.turn()
    assert desk.receiver.heard == []


@pytest.mark.parametrize("url", ["ftp://example.org/", "http://user@example.org/", "example.org", "http:///x"])
async def test_only_web_addresses_without_a_login(desk: Desk, url: str) -> None:
    assert (await desk.ada.post("/api/v1/webhooks", json={"url": url})).status_code == 422


async def test_there_is_a_limit(desk: Desk) -> None:
    for _ in range(MOST):
        await desk.hook()
    answer = await desk.ada.post("/api/v1/webhooks", json={"url": desk.receiver.url})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhooks")


ASKS: list[Callable[[httpx2.AsyncClient, str], Any]] = [
    lambda client, _: client.get("/api/v1/webhooks"),
    lambda client, _: client.post("/api/v1/webhooks", json={"url": "https://example.org/"}),
    lambda client, path: client.patch(path, json={"enabled": False}),
    lambda client, path: client.post(f"{path}/rotate"),
    lambda client, path: client.delete(path),
    lambda client, path: client.get(f"{path}/failures"),
    lambda client, path: client.post(f"{path}/failures/resend"),
    lambda client, path: client.post(f"{path}/failures/1/resend"),
]


async def test_only_administrators_of_this_facility(desk: Desk, lan: Live, services: Services) -> None:
    made, other = await desk.hook(), await found_house(lan.services)
    path = f"/api/v1/webhooks/{made['webhook']}"
    async with (
        lan.staff(desk.house, Role.RECEPTION) as rui,
        lan.client(desk.house) as stranger,
        lan.staff(other, Role.ADMINISTRATOR) as sam,
    ):
        for ask in ASKS:
            assert (await ask(rui, path)).status_code == 403
            assert (await ask(stranger, path)).status_code == 401
        assert [(await ask(sam, path)).status_code for ask in ASKS[2:]] == [404] * 6
        assert (await sam.get("/api/v1/webhooks")).json()["items"] == []


async def test_a_message_to_try_it_is_signed_and_its_answer_shown(desk: Desk) -> None:
    made = await desk.hook()
    desk.receiver.statuses = ["403 Forbidden"]
    path = f"/api/v1/webhooks/{made['webhook']}/test"
    refused, taken = (await desk.ada.post(path)).json(), (await desk.ada.post(path)).json()
    assert (refused["status"], refused["accepted"]) == (403, False)
    assert (taken["status"], taken["accepted"], taken["reason"]) == (204, True, None)
    headers, body = desk.receiver.heard[1]
    assert Verifier(made["secret"]).verify(body, headers)["type"] == "test"
