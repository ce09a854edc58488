"""The same request again, whenever, wherever and however often: the same answer, one change, no number burnt."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dawr.accounts.rules import Role
from tests.conftest import PASSWORD, House, Live, found_house
from tests.journeys.steps import QUEUE, WAYS, act, enter
from tests.proof.houses import process_beside, reached
from tests.tickets.conftest import Floor

SAME = ("ticket", "clinic", "service_day", "series", "number", "code", "follow", "existing")
# What each verb needs: a ticket in this state.
FROM = {
    "call": "waiting",
    "recall": "called",
    "serve": "called",
    "done": "serving",
    "no_show": "called",
    "rejoin": "no_show",
    "hold": "serving",
    "resume": "held",
    "cancel": "waiting",
    "late": "called",
    "transfer": "waiting",
    "undo": "cancelled",
}
REPLAYED = "idempotent-replayed"


@dataclass(frozen=True, eq=False)
class Asked:
    """A request under a key; ``other`` is another body for the same path."""

    path: str
    body: dict[str, Any]
    other: dict[str, Any]

    @property
    def key(self) -> dict[str, str]:
        return {"Idempotency-Key": f"key-of-{self.path}-{sorted(self.body)}".replace(" ", "").replace("'", "")}

    async def send(self, client: httpx2.AsyncClient, **changed: Any) -> httpx2.Response:
        return await client.post(f"{QUEUE}/{self.path}", json=changed.get("body", self.body), headers=self.key)

    def same(self, answer: httpx2.Response) -> tuple[Any, ...]:
        """What every answer to this request must have in common."""
        content = answer.json()
        assert answer.status_code < 300, (self, content)
        if self.path == "reset":
            return answer.status_code, content["clinic"]
        return answer.status_code, *(content[name] for name in SAME)


async def every_request(client: httpx2.AsyncClient) -> list[Asked]:
    """One of every kind that changes the queue, each of which can be granted."""
    found = []
    for verb, state in FROM.items():
        ticket = await enter(client, f"for-{verb}")
        for step in WAYS[state]:
            assert (await act(client, step, ticket)).status_code == 200
        body = {"ticket": ticket["ticket"]} | ({"to": "xray"} if verb == "transfer" else {})
        found.append(Asked(verb, body, body | {"ticket": (await enter(client, f"not-for-{verb}"))["ticket"]}))
    found.append(Asked("call", {"clinic": "lab"}, {"clinic": "xray"}))
    found.append(Asked("enter", {"clinic": "lab", "user": "amina"}, {"clinic": "xray", "user": "amina"}))
    found.append(Asked("reset", {"clinic": "xray", "reason": "drill"}, {"clinic": "xray", "reason": "another"}))
    return found


@dataclass
class Hospital:
    """A house served by two processes; ``ada`` is signed in at each."""

    house: House
    live: Live
    folder: Path
    email: str
    ada: Sequence[httpx2.AsyncClient]
    firsts: dict[Asked, tuple[Any, ...]] = field(default_factory=dict)

    async def versions(self) -> dict[str, int]:
        """How much has happened in each queue."""
        floor = Floor(self.house)
        return {clinic: (await floor.status(clinic)).version for clinic in ("lab", "xray")}


@pytest.fixture
async def hospital(live: Live, house: House, tmp_path: Path) -> AsyncIterator[Hospital]:
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(process_beside(live, tmp_path / "other"))
        ada = await stack.enter_async_context(live.staff(house, Role.ADMINISTRATOR))
        email = (await ada.get("/api/v1/auth/me")).json()["email"]
        clients = await stack.enter_async_context(reached([live, other], ada))
        yield Hospital(house, live, tmp_path, email, clients)


async def asked_at_once(hospital: Hospital, one: Asked) -> None:
    """Six times, at both processes: one is granted, the others are told what it was told."""
    before = await hospital.versions()
    answers = await asyncio.gather(*(one.send(hospital.ada[n % 2]) for n in range(6)))
    assert len({one.same(answer) for answer in answers}) == 1, one
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1, one
    assert await hospital.versions() != before, one
    hospital.firsts[one] = one.same(answers[0])


async def asked_again(hospital: Hospital, clients: Sequence[httpx2.AsyncClient]) -> None:
    """Everything, once more at each process: nothing happens, and all is as it was told first."""
    before = await hospital.versions()
    for one, first in hospital.firsts.items():
        answers = await asyncio.gather(*(one.send(client) for client in clients))
        assert {one.same(answer) for answer in answers} == {first}, one
        assert all(answer.headers[REPLAYED] == "true" for answer in answers), one
    assert await hospital.versions() == before


async def signed_in_again(hospital: Hospital, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/auth/login", json={"email": hospital.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


async def test_every_request_is_granted_once_at_once_later_after_a_restart_and_after_a_year(hospital: Hospital) -> None:
    for one in await every_request(hospital.ada[0]):
        await asked_at_once(hospital, one)
    await asked_again(hospital, hospital.ada)
    async with process_beside(hospital.live, hospital.folder / "restarted") as restarted:
        async with reached([restarted, hospital.live], hospital.ada[0]) as clients:
            await asked_again(hospital, clients)
            hospital.house.clock.offset += timedelta(days=365)
            for client in clients:
                await signed_in_again(hospital, client)
            await asked_again(hospital, clients)
            for clinic in ("lab", "xray"):
                assert (await enter(clients[0], "of today", clinic))["number"] == 1
            await asked_again(hospital, clients)


async def test_no_number_is_burnt(hospital: Hospital) -> None:
    amina, next_one = Asked("enter", {"clinic": "lab", "user": "amina"}, {}), {"clinic": "lab", "user": "next"}
    await asked_at_once(hospital, amina)
    gone = Asked("transfer", {"ticket": hospital.firsts[amina][1], "to": "xray"}, {})
    await asked_at_once(hospital, gone)
    await asked_again(hospital, hospital.ada)
    numbers = [(await enter(hospital.ada[0], **next_one | {"clinic": clinic}))["number"] for clinic in ("lab", "xray")]
    assert numbers == [2, 2]


async def test_another_body_under_the_key_is_refused_and_changes_nothing(hospital: Hospital) -> None:
    requests = await every_request(hospital.ada[0])
    for one in requests:
        assert (await one.send(hospital.ada[0])).status_code < 300, one
    before = await hospital.versions()
    for one in requests:
        other = await one.send(hospital.ada[1], body=one.other)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused"), one
    assert await hospital.versions() == before


async def test_what_was_refused_leaves_the_key_free(hospital: Hospital) -> None:
    """Each verb is refused in the state that it leads to, and granted under the same key once the ticket is back."""
    for one in (request for request in await every_request(hospital.ada[0]) if "ticket" in request.body):
        if one.path == "recall":
            continue
        assert (await hospital.ada[0].post(f"{QUEUE}/{one.path}", json=one.body)).status_code == 200, one
        refused = await one.send(hospital.ada[0])
        assert refused.status_code == 409, one
        if one.path == "undo":
            assert (await hospital.ada[0].post(f"{QUEUE}/cancel", json=one.body)).status_code == 200
        else:
            assert (await hospital.ada[0].post(f"{QUEUE}/undo", json={"ticket": one.body["ticket"]})).status_code == 200
        granted = await one.send(hospital.ada[1])
        assert (granted.status_code, REPLAYED in granted.headers) == (200, False), (one, granted.text)


async def test_the_key_of_another_caller_is_another_key(hospital: Hospital) -> None:
    one = Asked("call", {"clinic": "lab"}, {})
    for user in ("first", "second", "third"):
        await enter(hospital.ada[0], user)
    async with (
        hospital.live.staff(hospital.house, Role.RECEPTION) as rui,
        hospital.live.client(hospital.house) as phone,
    ):
        numbers = [(await one.send(client)).json()["number"] for client in (*hospital.ada, rui, rui)]
        own = await phone.post(f"{QUEUE}/enter", json={"clinic": "lab", "user": "amina"}, headers=one.key)
    assert numbers == [1, 1, 2, 2]
    assert (own.status_code, own.json()["number"]) == (201, 4)


# Any mix

# A key, at which of two processes, and whether with its own body or with another.
tries = st.tuples(st.integers(0, 3), st.integers(0, 1), st.sampled_from([True, True, True, False]))
mixes = st.lists(st.lists(tries, min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.fixture
async def processes(live: Live, house: House, tmp_path: Path) -> AsyncIterator[list[Live]]:
    async with process_beside(live, tmp_path) as other:
        yield [live, other]


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(mixes)
async def test_any_mix_of_tries_gives_each_key_one_number(
    processes: list[Live], mix: list[list[tuple[int, int, bool]]]
) -> None:
    """People's own devices, which come together; those of one round at once."""
    house = await found_house(processes[0].services)
    told: dict[tuple[int, bool], list[tuple[Any, ...]]] = {}
    fresh: Counter[int] = Counter()
    async with processes[0].client(house) as phone, reached(processes, phone) as phones:

        async def once(key: int, process: int, own: bool) -> None:
            asked = Asked("enter", {"clinic": "lab", "user": f"{key}-{own}"}, {})
            headers = {"Idempotency-Key": f"key-0123456789-{key}"}
            answer = await phones[process].post(f"{QUEUE}/enter", json=asked.body, headers=headers)
            if answer.status_code == 422:
                assert answer.json()["code"] == "idempotency_key_reused"
                return
            told.setdefault((key, own), []).append(asked.same(answer))
            fresh[key] += REPLAYED not in answer.headers

        for at_once in mix:
            await asyncio.gather(*(once(*one) for one in at_once))
    assert {len(set(answers)) for answers in told.values()} == {1}
    assert set(fresh.values()) == {1}
    assert len({key for key, _ in told}) == len(told) == len({key for round_ in mix for key, _, _ in round_})
    numbers = sorted(answers[0][SAME.index("number") + 1] for answers in told.values())
    assert numbers == list(range(1, len(numbers) + 1))
