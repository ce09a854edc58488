"""Two houses in which everything there can be is there, and their people, each signed in once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2

from dawr.accounts.rules import Role
from dawr.notifications import jobs
from dawr.platform.schema import metadata
from tests.appointments.conftest import MONDAY, at
from tests.conftest import House, Live, found_house
from tests.journeys.matrix import ADMINISTRATOR, DOCTOR, HOURS, NAMES, ROLES, SMS, STRANGER, V1, Row

NO_ID = "018f0000-0000-7000-8000-000000000000"
# What a name of the table stands for in another house: names that this one has not.
ITS_OWN = {"clinic": "ward", "elsewhere": "ward", "doctor": "locum", "desk": "bed"}
NOBODYS = {"ward": "no-ward", "locum": "no-locum", "bed": "no-bed", "department": "no-wing", "facility": "no-house"}
PLAIN = frozenset({"channel", "plugin", "failure", "start", "email", "nowhere"})
"""Names of the table that mean nothing a facility owns."""

Client = httpx2.AsyncClient
Things = dict[str, str]


@dataclass
class Town:
    """A house, its people by role, and what the table's names mean there."""

    house: House
    people: Mapping[str, Client]
    things: Things

    async def ask(
        self, who: Client, row: Row, things: Mapping[str, str] | None = None, **headers: str
    ) -> httpx2.Response:
        """Sends the row's request; of a stream that begins only its head is waited for."""
        known = self.things | dict(things or {})
        path = row.path
        for name in names_in_path(row):
            path = path.replace(f"{{{name}}}", known[row.things.get(name, name)])
        query, body = filled(row.query, known), filled(row.body, known)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with who.stream(row.method, path, params=query, json=body, headers=named) as answer:
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                return httpx2.Response(answer.status_code)
            await answer.aread()
            return answer

    async def rows(self) -> dict[str, list[str]]:
        """Everything that is kept of this house."""
        tables = [table.name for table in metadata.tables.values() if table.info["scope"] == "facility"]
        async with self.house.here().read() as tx:
            return {
                name: [row["r"] for row in await tx.rows(f"SELECT t::text AS r FROM {name} t ORDER BY 1")]
                for name in tables
            }


def names_in_path(row: Row) -> list[str]:
    return [part[1:-1] for part in row.path.split("/") if part.startswith("{")]


def filled(value: Any, things: Mapping[str, str]) -> Any:
    """The value with the things that its names stand for."""
    if isinstance(value, Mapping):
        return {name: filled(one, things) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, things) for one in value]
    return things[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def things_of(row: Row) -> set[str]:
    """The things that a request of this row names, which another house could have, too."""
    found = {row.things.get(name, name) for name in names_in_path(row)}
    found |= {text[1:] for text in _texts([row.query, row.body]) if text.startswith("$")}
    return found - PLAIN


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return _texts(list(value.values()))
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


@asynccontextmanager
async def town(live: Live) -> AsyncIterator[Town]:
    """A house with its people, in which nothing has happened yet. It is Monday morning."""
    house = await found_house(live.services)
    house.clock.offset += at("08:00") - house.clock.now()
    async with AsyncExitStack() as stack:
        people = {STRANGER: await stack.enter_async_context(live.client(house))}
        for role in ROLES[1:]:
            post: dict[str, Any] = {"clinics": ["lab"], "doctor": "dana"} if role == DOCTOR else {}
            people[role] = await stack.enter_async_context(live.staff(house, Role(role), **post))
        things = {"facility": house.facility.slug, "clinic": "lab", "elsewhere": "xray", "doctor": "dana", "desk": "1"}
        yield Town(
            house, people, things | {"channel": "sms", "plugin": "nothing", "failure": "1", "nowhere": "nowhere"}
        )


async def settle(one: Town) -> None:
    """Lets everything happen in a house that the table names, as its people do it."""
    mark = one.house.facility.slug.removeprefix("house-")
    one.things |= {"ward": f"ward-{mark}", "locum": f"dr.{mark}", "department": f"wing-{mark}", "bed": f"B{mark}"}
    one.things["email"] = f"new-{mark}@test.example"
    ada, rui, dana = one.people[ADMINISTRATOR], one.people["reception"], one.people[DOCTOR]
    await _furnish(one, ada)
    for name in ("patient", "merged", "leaving"):
        body = {"name": f"{name.title()} of {mark}", "phone": "+97455501234"}
        one.things[name] = await made(rui, "/patients", body, "patient")
    await _seen_before(one, rui, dana)
    await _comes_again(one, rui)
    await _told(one, rui)
    # What is kept for a few seconds, as a clinic's pace is, is read anew.
    one.house.clock.offset += timedelta(minutes=1)


async def _furnish(one: Town, ada: Client) -> None:
    things = one.things
    await made(ada, "/departments", {"department": things["department"], "names": NAMES})
    await made(ada, "/clinics", {"clinic": things["ward"], "names": NAMES, "prefix": "WD", "desks": ["1"]})
    await made(ada, f"/clinics/{things['ward']}/desks", {"desk": things["bed"]})
    await made(ada, "/doctors", {"doctor": things["locum"], "names": NAMES, "clinics": []})
    things["webhook"] = await made(ada, "/webhooks", {"url": "https://127.0.0.1:9/dawr"}, "webhook")
    colleague = {"email": f"old-{things['email']}", "name": "A colleague", "role": "display"}
    things["user"] = await made(ada, "/users", colleague, "user")
    leave = {"from": "2039-01-01", "until": "2039-01-02"}
    things["leave"] = await made(ada, "/doctors/dana/leave", leave, "leave")
    days = [HOURS | {"weekday": day, "clinic": "lab"} for day in ("mon", "tue", "wed")]
    for path, body in (("/doctors/dana/schedule", {"windows": days}), ("/channels/sms", SMS)):
        answer = await ada.put(V1 + path, json=body)
        assert answer.status_code == 200, answer.text


async def _seen_before(one: Town, rui: Client, dana: Client) -> None:
    visit = {"patient": one.things["patient"], "clinic": "lab"}
    await made(rui, "/visits", visit)
    called = await dana.post(f"{V1}/queue/call", json={"clinic": "lab", "desk": "1"})
    found = {"ticket": called.json()["ticket"], "notes": "Well."}
    one.things["consultation"] = await made(dana, "/consultations", found, "consultation")


async def _comes_again(one: Town, rui: Client) -> None:
    things, patient = one.things, {"patient": one.things["patient"]}
    answer = await rui.post(f"{V1}/visits", json=patient | {"clinic": "lab"})
    things["visit"], things["ticket"] = answer.json()["visit"], answer.json()["tickets"][0]["ticket"]
    day = MONDAY + timedelta(days=1)
    things["start"] = at("12:00", day).isoformat()
    booking = patient | {"doctor": "dana", "start": at("10:00", day).isoformat()}
    things["appointment"] = await made(rui, "/appointments", booking, "appointment")
    things["waiting"] = await made(rui, "/appointments/waiting", patient | {"doctor": "dana"}, "waiting")


async def _told(one: Town, rui: Client) -> None:
    """What the workers do after it."""
    services, facility = one.house.services, one.house.facility.id
    await jobs.visit_events(services, facility, [{"visit": one.things["visit"], "type": "visit_created"}])
    booked = {"appointment": one.things["appointment"], "type": "appointment_booked"}
    await jobs.appointment_event(services, facility, booked)
    for name, path in (("notification", "/notifications"), ("delivery", "/deliveries")):
        (found,) = (await rui.get(V1 + path)).json()["items"]
        one.things[name] = str(UUID(found[name]))


async def made(who: Client, path: str, body: Any, name: str | None = None) -> str:
    """The id of something that is made."""
    answer = await who.post(V1 + path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()[name]) if name else ""
