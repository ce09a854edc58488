"""The contract's sign-in from outside: who gets in, what each role may then do, and when it is over."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

import dawr.app
from dawr.accounts.commands import create_staff
from dawr.accounts.rules import Role
from tests.conftest import PASSWORD, PLAIN, House, Live, found_house, make_services, serving
from tests.journeys.steps import QUEUE, enter, refusal
from tests.proof.houses import services_beside

AUTH = "/api/v1/auth"
MAY = {
    # role: its own queue, all figures, the users, a reset
    Role.ADMINISTRATOR: (200, 200, 200, 200),
    Role.RECEPTION: (200, 200, 403, 403),
    Role.DOCTOR: (200, 200, 403, 403),
    Role.DISPLAY: (403, 403, 403, 403),
}


async def sign_in(client: httpx2.AsyncClient, email: str, password: str = PASSWORD) -> httpx2.Response:
    return await client.post(f"{AUTH}/login", json={"email": email, "password": password})


async def test_what_each_role_may(live: Live, house: House) -> None:
    for role, expected in MAY.items():
        async with live.staff(house, role, clinics=["lab"] if role is Role.DOCTOR else ()) as somebody:
            answers = [
                await somebody.get(f"{QUEUE}/tickets?clinic=lab"),
                await somebody.get("/api/v1/metrics"),
                await somebody.get("/api/v1/users"),
                await somebody.post(f"{QUEUE}/reset", json={"clinic": "xray", "reason": "test"}),
            ]
        assert tuple(one.status_code for one in answers) == expected, role


async def test_an_operator_works_no_queue(live: Live, house: House) -> None:
    email = f"operator-{house.facility.slug}@test.example"
    await create_staff(live.services, email=email, name="O", password=PASSWORD, facility_id=None, role=Role.OPERATOR)
    async with live.client(house) as client:
        ticket = await enter(client, "amina")
        client.headers["Authorization"] = f"Bearer {(await sign_in(client, email)).json()['access_token']}"
        assert refusal(await client.get(f"{QUEUE}/ticket/{ticket['ticket']}")) == (403, "forbidden")
        assert refusal(await client.post(f"{QUEUE}/call", json={"clinic": "lab"})) == (403, "forbidden")


async def test_an_access_token_ends_and_a_refresh_token_goes_on(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui:
        email = (await rui.get(f"{AUTH}/me")).json()["email"]
        tokens = (await sign_in(rui, email)).json()
        house.clock.offset += timedelta(seconds=tokens["expires_in"] + 1)
        rui.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert refusal(await rui.get(f"{AUTH}/me")) == (401, "unauthenticated")
        fresh = await rui.post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]})
        rui.headers["Authorization"] = f"Bearer {fresh.json()['access_token']}"
        assert (await rui.get(f"{AUTH}/me")).status_code == 200


async def test_signed_out_here_is_signed_out_on_every_server_within_a_second(
    live: Live, house: House, tmp_path: Path
) -> None:
    second = services_beside(live.services, tmp_path)
    async with serving(dawr.app.create_app(second)) as url, live.staff(house, Role.RECEPTION) as rui:
        async with httpx2.AsyncClient(base_url=url, headers=rui.headers, timeout=20, verify=PLAIN) as there:
            assert (await there.get(f"{AUTH}/me")).status_code == 200
            assert (await rui.post(f"{AUTH}/logout")).status_code == 204
            out = time.monotonic()
            while (await there.get(f"{AUTH}/me")).status_code == 200:
                await asyncio.sleep(0.02)
            assert time.monotonic() - out < 1.0


@pytest.fixture
async def guarded(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Live, str]]:
    """A server that counts attempts, and the address of somebody who works there."""
    services = make_services(database_url, tmp_path, rate_limits=True)
    app = dawr.app.create_app(services)
    async with serving(app) as url:
        home = (await found_house(services)).facility
        email = f"rui-{home.slug}@test.example"
        await create_staff(
            services, email=email, name="Rui", password=PASSWORD, facility_id=home.id, role=Role.RECEPTION
        )
        yield Live(url, app, services), email


async def test_guessing_is_slowed_down_and_locks_nobody_out(guarded: tuple[Live, str]) -> None:
    live, email = guarded
    async with live.client() as desk, live.client() as guesser:
        assert (await sign_in(desk, email)).status_code == 200
        guesses = [await sign_in(guesser, email, f"guess {number}") for number in range(11)]
        assert [one.status_code for one in guesses] == [401] * 10 + [429]
        assert (refusal(guesses[-1])[1], int(guesses[-1].headers["retry-after"]) > 0) == ("too_many_attempts", True)
        assert (await sign_in(guesser, email)).status_code == 429
        assert (await sign_in(desk, email)).status_code == 200


async def test_nobody_learns_who_works_here(guarded: tuple[Live, str]) -> None:
    live, email = guarded
    async with live.client() as guesser:
        known, unknown = await sign_in(guesser, email, "a wrong one"), await sign_in(guesser, "nobody@test.example")
    assert known.json() == unknown.json()
    assert known.status_code == unknown.status_code == 401
    assert {*known.headers} == {*unknown.headers}
