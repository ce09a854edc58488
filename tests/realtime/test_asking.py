"""What may be asked for, and what a public stream never says."""

import pytest

from dawr.platform import events
from dawr.platform.cursors import Cursor
from dawr.platform.http.openapi import schema_of
from dawr.realtime.api import PATH
from tests.conftest import House, Live
from tests.realtime.conftest import hub_of
from tests.realtime.sse import connect
from tests.tickets.conftest import Floor

CANARIES = ("Zaynab Canary", "+97455500199", "visitor-canary")


@pytest.mark.parametrize(
    "asked",
    [{}, {"clinic": "lab", "facility": "mmc"}, {"clinic": "lab", "ticket": "x"}, {"last_event_id": "x"}],
    ids=str,
)
async def test_exactly_one_subject(base: str, asked: dict[str, str]) -> None:
    async with connect(base, headers=None, method="GET", **asked) as stream:
        assert stream.status == 422
        assert (await stream.json())["code"] == "one_subject"


@pytest.mark.parametrize("clinic", ["nowhere", "", "LAB", "lab ", "é", "../lab", "x" * 200])
async def test_an_unknown_clinic_is_not_found(base: str, clinic: str) -> None:
    async with connect(base, clinic=clinic) as stream:
        assert stream.status == 404
        assert (await stream.json())["code"] == "clinic_not_found"


async def test_an_unknown_clinic_is_not_found_with_a_cursor_either(base: str, floor: Floor) -> None:
    async with connect(base, clinic="lab") as stream:
        first = await stream.one("connected")
    async with connect(base, clinic="nowhere", last_event_id=first.id or "") as stream:
        assert stream.status == 404


async def test_a_cursor_made_up_for_an_unknown_clinic_breaks_no_reading(live: Live, base: str, house: House) -> None:
    async with live.services.db.read() as tx:
        made_up = Cursor(await events.epoch(tx), house.facility.id, {"nowhere": 0}).encode()
    async with connect(base, clinic="nowhere", last_event_id=made_up) as stream:
        assert stream.status == 404
    assert "reads_fail" not in hub_of(live).troubles


async def test_control_characters_are_refused(base: str) -> None:
    async with connect(base, clinic="lab\0") as stream:
        assert stream.status == 422


async def test_only_reading_is_possible(base: str) -> None:
    async with connect(base, method="POST", clinic="lab", headers={"Content-Length": "0"}) as stream:
        assert stream.status == 405


async def test_head_answers_without_a_stream(base: str) -> None:
    async with connect(base, method="HEAD", clinic="lab") as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert await stream.reader.read() == b""


async def test_nothing_in_a_public_stream_names_a_person(base: str, floor: Floor) -> None:
    name, phone, user = CANARIES
    async with connect(base, clinic="lab") as early:
        await early.one("connected")
        ticket = await floor.enter(user, name=f"{name} {phone}")
        await floor.call(desk="1")
        await early.one()
        await early.one()
        async with connect(base, clinic="lab") as late:
            await late.one("connected")
            for said in (early.raw, late.raw):
                assert "LAB-001" in said
                for secret in (*CANARIES, str(ticket.id), ticket.id.hex, "account:"):
                    assert secret not in said


async def test_is_described(live: Live, house: House) -> None:
    operation = schema_of(live.app)["paths"][PATH]["get"]
    assert {one.get("name") for one in operation["parameters"]} >= {"clinic", "ticket", "facility", "last_event_id"}
    assert set(operation["responses"]) >= {"200", "401", "403", "404", "422", "429", "503"}


async def test_is_counted(live: Live, base: str, floor: Floor) -> None:
    figures = live.services.metrics.registry.get_sample_value
    before = figures("stream_events_total") or 0
    async with connect(base, clinic="lab") as stream:
        await stream.one("connected")
        await floor.enter("amina")
        await stream.one()
        assert figures("streams_open") or 0 >= 1
        assert (figures("stream_events_total") or 0) >= before + 2


async def test_a_stream_begins_as_every_answer_does(base: str) -> None:
    async with connect(base, clinic="lab", headers={"X-Request-Id": "from-the-proxy-1"}) as stream:
        await stream.one("connected")
        assert stream.headers["x-request-id"] == "from-the-proxy-1"
        assert stream.headers["x-content-type-options"] == "nosniff"
        assert stream.headers["content-type"].startswith("text/event-stream")
