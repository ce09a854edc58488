"""After the visit: one rating a ticket, by whoever holds its secret, for a day."""

from datetime import timedelta
from uuid import uuid4

from dawr.accounts.rules import Role
from dawr.tickets.rules import SECRET_OUTLIVES, Status
from tests.conftest import House, Live, found_house
from tests.records.conftest import rate, secret, served
from tests.tickets.conftest import Floor

WORD = "Schnell und sehr freundlich, danke"


async def test_a_tap_rates_the_visit(live: Live, floor: Floor) -> None:
    ticket = await served(floor)
    async with live.client(floor.house) as phone:
        answer = await rate(phone, floor.house, ticket, 4)
    assert answer.status_code == 201, answer.text
    assert answer.json() | {"at": None} == {
        "ticket": str(ticket.id),
        "clinic": "lab",
        "stars": 4,
        "word": None,
        "at": None,
    }


async def test_a_second_thought_takes_the_place_of_the_first(live: Live, floor: Floor) -> None:
    """The word comes after the tap; another number of stars does not take it away."""
    ticket = await served(floor)
    async with live.client(floor.house) as phone:
        answers = [
            await rate(phone, floor.house, ticket, 3),
            await rate(phone, floor.house, ticket, 4, word=WORD),
            await rate(phone, floor.house, ticket, 5),
        ]
    assert [one.status_code for one in answers] == [201, 200, 200]
    assert (answers[-1].json()["stars"], answers[-1].json()["word"]) == (5, WORD)
    assert await history(floor, ticket.id) == ["rating_given", "rating_changed", "rating_changed"]


async def history(floor: Floor, ticket: object) -> list[str]:
    async with floor.house.here().read() as tx:
        rows = await tx.rows("SELECT type FROM event WHERE stream = %(s)s ORDER BY version", s=f"rating:{ticket}")
    return [row["type"] for row in rows]


async def test_the_same_request_again_is_one_rating(live: Live, floor: Floor) -> None:
    ticket, headers = await served(floor), {"Idempotency-Key": uuid4().hex}
    async with live.client(floor.house) as phone:
        first = await rate(phone, floor.house, ticket, 4, headers=headers)
        again = await rate(phone, floor.house, ticket, 4, headers=headers)
        other = await rate(phone, floor.house, ticket, 1, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert other.json()["code"] == "idempotency_key_reused"
    assert await history(floor, ticket.id) == ["rating_given"]


async def test_what_is_not_over_is_not_rated(live: Live, floor: Floor) -> None:
    async with live.client(floor.house) as phone:
        for status in set(Status) - {Status.DONE}:
            answer = await rate(phone, floor.house, await floor.in_state(status.value, status))
            assert (answer.status_code, answer.json()["code"]) == (409, "not_served_yet")
            assert answer.json()["state"] == status


async def test_after_a_day_it_is_too_late(live: Live, floor: Floor) -> None:
    ticket = await served(floor)
    async with live.client(floor.house) as phone:
        floor.house.clock.offset += SECRET_OUTLIVES - timedelta(minutes=5)
        assert (await rate(phone, floor.house, ticket)).status_code == 201
        floor.house.clock.offset += timedelta(minutes=6)
        assert (await rate(phone, floor.house, ticket)).json()["code"] == "ticket_not_found"


async def test_nobody_else_rates_it(live: Live, floor: Floor) -> None:
    ticket, other = await served(floor), await served(floor, "other")
    body = {"ticket": str(ticket.id), "stars": 1}
    async with live.client(floor.house) as phone, live.staff(floor.house, Role.ADMINISTRATOR) as ada:
        for client, headers, status in (
            (phone, {}, 401),
            (phone, secret(floor.house, other.id), 404),
            (ada, {}, 403),
        ):
            answer = await client.post("/api/v1/queue/rating", json=body, headers=headers)
            assert answer.status_code == status


async def test_another_facilitys_ticket_is_not_there(live: Live, floor: Floor) -> None:
    ticket = await served(floor)
    elsewhere = await found_house(floor.house.services)
    async with live.client(elsewhere) as phone:
        answer = await rate(phone, floor.house, ticket)
    assert answer.status_code == 404


async def test_there_are_one_to_five_stars(live: Live, floor: Floor) -> None:
    ticket = await served(floor)
    async with live.client(floor.house) as phone:
        for wrong in (0, 6, 4.5, "5", True, None):
            body = {"ticket": str(ticket.id), "stars": wrong}
            answer = await phone.post("/api/v1/queue/rating", json=body, headers=secret(floor.house, ticket.id))
            assert answer.status_code == 422, wrong


async def test_a_word_is_kept_unreadable_and_out_of_the_log(live: Live, floor: Floor, house: House) -> None:
    ticket = await served(floor)
    async with live.client(house) as phone:
        await rate(phone, house, ticket, 2, word=WORD)
    async with house.here().read() as tx:
        kept = await tx.value("SELECT word_sealed FROM rating WHERE ticket = %(id)s", id=ticket.id)
        log = await tx.value("SELECT string_agg(e::text, ' ') FROM event e WHERE stream LIKE 'rating:%%'")
    assert WORD.encode() not in bytes(kept)
    assert str(ticket.id) in log
    assert [one for one in ("freundlich", bytes(kept).hex(), "stars") if one in log] == []
