"""Many strangers at one moment share a transaction, and nothing else."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from dawr.platform.batching import BESIDE, Tray
from tests.conftest import House, Live

ENTER = "/api/v1/queue/enter"
KEY = "0123456789abcdef-of-somebody-else"
CLAIMED = """
INSERT INTO idempotency_claim (facility_id, caller, key, key_id, fingerprint, at)
VALUES (%(facility_id)s, 'public', %(key)s, 1, 'another request', now())
"""

STANDING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


async def test_each_of_a_crowd_is_told_their_own_ticket(live: Live, house: House) -> None:
    """Whoever asks once more is shown what they hold; some are refused in between, so that places and answers differ."""
    users = [f"person-{n}" for n in range(30)]
    wrong = [{"clinic": "lab", "user": f"{user}-lost", "doctor": "nobody"} for user in users[::3]]
    async with live.client(house) as phone:
        await phone.post(ENTER, json={"clinic": "xray", "user": "whose phone it is"})
        asked = [phone.post(ENTER, json={"clinic": "lab", "user": user}) for user in users]
        refused = [phone.post(ENTER, json=one) for one in wrong]
        told = [one.json() for one in (await asyncio.gather(*asked[:15], *refused, *asked[15:]))]
        told = [one for one in told if "ticket" in one]
        held = [(await phone.post(ENTER, json={"clinic": "lab", "user": user})).json() for user in users]
    assert [(one["ticket"], one["number"], one["follow"]) for one in told] == [
        (one["ticket"], one["number"], one["follow"]) for one in held
    ]
    assert [one["existing"] for one in (*told, *held)] == [False] * 30 + [True] * 30


async def test_a_crowd_that_fails_together_is_served_one_by_one(live: Live, house: House) -> None:
    """One comes with a key that somebody else is just claiming: the batch cannot be kept, and only that one is refused."""
    async with live.client(house) as phone, house.services.db.write(house.facility.id) as elsewhere:
        await elsewhere.execute(CLAIMED, key=hashlib.sha256(KEY.encode()).digest())
        headers = [{"Idempotency-Key": KEY} if n == 5 else {} for n in range(12)]
        asked = [
            phone.post(ENTER, json={"clinic": "lab", "user": f"p{n}"}, headers=one) for n, one in enumerate(headers)
        ]
        asking = asyncio.gather(*asked)
        while not await elsewhere.value(STANDING):
            await asyncio.sleep(0.005)
        await elsewhere.connection.execute("COMMIT")
        answers = await asking
    assert Counter(one.status_code for one in answers) == {201: 11, 422: 1}
    assert answers[5].json()["code"] == "idempotency_key_reused"
    assert sorted(one.json()["number"] for one in answers if one.status_code == 201) == list(range(1, 12))


async def test_a_crowd_and_whoever_claimed_a_key_first_do_not_wait_in_a_circle(live: Live, house: House) -> None:
    """Who goes alone claims the key and waits for the queue; the crowd holds the queue when it comes to the keys."""
    async with live.client(house) as phone, house.services.db.write(house.facility.id) as alone:
        await phone.post(ENTER, json={"clinic": "lab", "user": "opens the counter"})
        await alone.execute(CLAIMED, key=hashlib.sha256(KEY.encode()).digest())
        headers = [{"Idempotency-Key": KEY}, *({} for _ in range(8))]
        asked = [
            phone.post(ENTER, json={"clinic": "lab", "user": f"p{n}"}, headers=one) for n, one in enumerate(headers)
        ]
        asking = asyncio.gather(*asked)
        while not await alone.value(STANDING):
            await asyncio.sleep(0.005)
        await alone.execute("SELECT FROM queue WHERE facility_id = %(facility_id)s FOR UPDATE")
        await alone.connection.execute("COMMIT")
        refused, *others = [one.json() for one in await asking]
    assert refused["code"] == "idempotency_key_reused"
    assert sorted(one["number"] for one in others) == list(range(2, 10))


async def test_a_key_used_again_while_its_crowd_is_written_leaves_the_next_crowd_whole(
    live: Live, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """The next crowd begins before the first is committed; it looks at keys and people only behind that one's locks."""
    key = {"Idempotency-Key": KEY}
    async with live.client(house) as phone, house.services.db.write(house.facility.id) as elsewhere:
        await phone.post(ENTER, json={"clinic": "lab", "user": "opens the counter"})
        await elsewhere.execute("SELECT FROM counter WHERE facility_id = %(facility_id)s FOR UPDATE")
        first = asyncio.ensure_future(phone.post(ENTER, json={"clinic": "lab", "user": "first"}, headers=key))
        while await elsewhere.value(STANDING) < 1:
            await asyncio.sleep(0.005)
        asked = [phone.post(ENTER, json={"clinic": "lab", "user": "another"}, headers=key)]
        asked += [phone.post(ENTER, json={"clinic": "lab", "user": f"p{n}"}) for n in range(BESIDE)]
        following = asyncio.gather(*asked)
        while await elsewhere.value(STANDING) < 2:
            await asyncio.sleep(0.005)
        await elsewhere.connection.execute("COMMIT")
        told, (refused, *others) = (await first).json(), [one.json() for one in await following]
    assert refused["code"] == "idempotency_key_reused"
    assert sorted(one["number"] for one in (told, *others)) == list(range(2, BESIDE + 3))
    assert "crowd_not_entered" not in caplog.text


async def test_whoever_hangs_up_leaves_the_others_their_answers() -> None:
    gate = asyncio.Event()

    async def doubled(_: str, asked: Sequence[int], __: Callable[[], None]) -> list[int | Exception]:
        await gate.wait()
        return [one * 2 for one in asked]

    tray: Tray[str, int, int] = Tray(doubled)
    asked = [asyncio.ensure_future(tray.ask("lab", number)) for number in range(6)]
    await asyncio.sleep(0)
    asked[0].cancel()
    asked[3].cancel()
    gate.set()
    done, late = await asyncio.wait(asked, timeout=5)
    for one in late:
        one.cancel()
    assert sorted(one.result() for one in done if not one.cancelled()) == [2, 4, 8, 10]
