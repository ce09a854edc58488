"""The contract's demonstration, as whoever types one command and then curl meets it."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from tests.journeys.steps import QUEUE, enter, refusal
from tests.proof.program import PASSWORD, Program, program

MMC = "lab xray eyes internal ent surgery dental psychiatry derma bones vitals ecg audio women_internal women_derma women_eyes"
CITY = {
    "cardiology": ("C", {"dr.rao", "dr.sen"}),
    "general": ("G", {"dr.iyer", "dr.khan"}),
    "paediatrics": ("P", {"dr.das", "dr.joshi"}),
}

# Identifiers, times and durations: any four digits may come up in them.
_DRAWN = re.compile(r'"[0-9a-f]{8}[0-9a-f-]{24,28}"|"timestamp":"[^"]*"|"milliseconds":[0-9.]+')


@pytest.fixture(scope="module")
async def demo() -> AsyncIterator[Program]:
    async with program() as running:
        yield running


async def test_five_as_curl_sends_them_at_once_get_five_numbers_in_a_row(demo: Program) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies = [f'{{"clinic":"ecg","user":"TEST_{number}"}}' for number in range(5)]
    async with demo.client() as shell:
        posts = (shell.post(f"{QUEUE}/enter", content=body, headers=form) for body in bodies)
        answers = await asyncio.gather(*posts)
    assert sorted(one.json()["code"] for one in answers) == [f"ECG-00{number}" for number in range(1, 6)]


async def test_mmc_is_the_default_and_has_its_sixteen_clinics(demo: Program) -> None:
    async with demo.client() as stranger:
        clinics = (await stranger.get("/api/v1/clinics")).json()["items"]
        status = (await stranger.get(f"{QUEUE}/status?clinic=lab")).json()
    assert [one["clinic"] for one in clinics] == MMC.split()
    assert {(one["state"], one["entry"]) for one in clinics} == {("open", "open")}
    assert (status["series"], status["last_number"]) == (1, 0)


async def test_city_has_its_doctors_and_prefixes(demo: Program) -> None:
    async with demo.client() as stranger:
        clinics = (await stranger.get("/f/city/api/v1/clinics")).json()["items"]
        stranger.headers["X-Facility"] = "city"
        ticket = await enter(stranger, "amina", "cardiology", doctor="dr.rao")
    shown = {one["clinic"]: (one["prefix"], {doctor["doctor"] for doctor in one["doctors"]}) for one in clinics}
    assert shown == CITY
    assert (ticket["code"], ticket["doctor"]) == ("C-001", "dr.rao")


@pytest.mark.parametrize(
    ("email", "role", "clinics"),
    [
        ("admin@mmc.demo", "administrator", []),
        ("reception@mmc.demo", "reception", []),
        ("women_eyes@mmc.demo", "doctor", ["women_eyes"]),
        ("display@mmc.demo", "display", []),
        ("admin@city.demo", "administrator", []),
        ("dr.rao@city.demo", "doctor", ["cardiology"]),
    ],
)
async def test_its_staff_sign_in(demo: Program, email: str, role: str, clinics: list[str]) -> None:
    async with demo.client() as client:
        tokens = await client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        assert tokens.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
        client.headers["Authorization"] = f"Bearer {tokens.json()['access_token']}"
        me = (await client.get("/api/v1/auth/me")).json()
    assert (me["role"], me["clinics"], me["facility"]) == (role, clinics, email.partition("@")[2].partition(".")[0])


async def test_its_log_knows_neither_people_nor_secrets(demo: Program) -> None:
    async with demo.client() as phone:
        ticket = await enter(phone, "USER-4711-XYZ", "bones", name="Zubaida Unwritten", phone="+974 5551 2399")
        secret = ticket["follow"].removeprefix("/t/")
        for address in (ticket["follow"], f"/f/mmc{ticket['follow']}", f"{ticket['follow']}/nothing"):
            await phone.get(address)
        await phone.get(f"{QUEUE}/ticket/{ticket['ticket']}", headers={"Ticket-Secret": secret})
        await phone.post("/api/v1/auth/login", json={"email": "zubaida@mmc.demo", "password": "hunter2hunter2"})
        assert refusal(await phone.get(f"{QUEUE}/status?clinic=nowhere&name=Zubaida"))[0] == 404
    log = (demo.folder / "log").read_text()
    assert '"/t/{secret}"' in log
    assert secret not in log
    said = _DRAWN.sub("", log)
    for word in ("Zubaida", "zubaida", "2399", "4711", "hunter2", PASSWORD):
        assert word not in said, word


async def test_it_says_that_limits_are_off(demo: Program) -> None:
    assert "rate_limits_off" in (demo.folder / "log").read_text()
