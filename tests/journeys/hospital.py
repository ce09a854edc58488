"""A hospital at work for the journeys: the product on a socket, its workers, its mail server and text message gateway on
loopback, and its people, who sign in again whenever the clock has been moved."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from ipaddress import ip_network
from typing import Any, TypeVar
from unittest.mock import patch

import httpx2
import psycopg

from dawr.accounts.rules import Role
from dawr.notifications.channel import channels_of, use
from dawr.notifications.channels.registry import configured
from dawr.notifications.jobs_send import Sender
from dawr.notifications.jobs_tail import QueueReader
from dawr.platform.outbox import OutboxWorker
from dawr.platform.services import Services
from tests.appointments.conftest import MONDAY, at
from tests.conftest import PASSWORD, House, Live
from tests.notifications.counterparts import Vendor, over_http, over_smtp

T = TypeVar("T")
V1 = "/api/v1"
INBOX_SECONDS = 5.0
"""Within this much everybody concerned has a new visit in their inbox."""
PATIENCE = 30.0
MAIL = {
    "host": "127.0.0.1",
    "security": "none",
    "user": "dawr",
    "password": "right",
    "sender": "queue@hospital.example",
}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPENED = {"from": "09:00", "to": "17:00", "slot_minutes": 30}
# Reminders wait for the machine's clock, which does not jump: what is due by the house's clock is due.
_CATCH_UP = "UPDATE outbox SET due = clock_timestamp() WHERE facility_id = %s AND dead_at IS NULL AND due <= %s"


_UNDER_WAY = """
SELECT count(*) FROM outbox WHERE facility_id = %(facility_id)s AND dead_at IS NULL
  AND (attempts > 0 OR due <= clock_timestamp())
"""


@dataclass
class Hospital:
    """``rui`` is reception, ``dana`` a doctor of the lab, ``ada`` the administrator; ``phone`` a patient's, not signed in."""

    live: Live
    house: House
    gateway: Vendor
    mail: Vendor
    rui: httpx2.AsyncClient
    dana: httpx2.AsyncClient
    ada: httpx2.AsyncClient
    phone: httpx2.AsyncClient
    emails: dict[int, str]

    # Time

    async def set_clock(self, clock: str, day: date = MONDAY) -> None:
        """It is so late now; everybody signs in again, and what has become due happens."""
        self.house.clock.offset += at(clock, day) - self.house.clock.now()
        await asyncio.gather(*(self._sign_in(one) for one in (self.rui, self.dana, self.ada)))
        async with await psycopg.AsyncConnection.connect(self.live.services.settings.database_url or "") as owner:
            await owner.execute(_CATCH_UP, [self.house.facility.id, self.house.clock.now()])

    async def _sign_in(self, who: httpx2.AsyncClient) -> None:
        who.headers.pop("Authorization", None)
        login = {"email": self.emails[id(who)], "password": PASSWORD}
        tokens = (await who.post(f"{V1}/auth/login", json=login)).json()
        who.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    # What people do

    async def post(self, who: httpx2.AsyncClient, path: str, /, **body: Any) -> dict[str, Any]:
        """Something that is possible; members as ``Appointment_Secret`` are headers."""
        headers = {name.replace("_", "-"): body.pop(name) for name in list(body) if name.endswith("_Secret")}
        answer = await who.post(V1 + path, json=body or None, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, who: httpx2.AsyncClient, path: str, **headers: str) -> dict[str, Any]:
        answer = await who.get(V1 + path, headers={name.replace("_", "-"): one for name, one in headers.items()})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def patient(self, name: str = "Amina Noor", **known: Any) -> dict[str, Any]:
        body = {"name": name, "phone": "+97455504321", "language": "en"} | known
        return await self.post(self.rui, "/patients", **body)

    async def book(self, patient: str, clock: str, day: date = MONDAY) -> dict[str, Any]:
        wish = {"patient": patient, "doctor": "dana", "start": at(clock, day).isoformat()}
        return await self.post(self.rui, "/appointments", **wish)

    # What people see

    async def inbox(self, who: httpx2.AsyncClient) -> list[str]:
        return [one["text"] for one in (await self.get(who, "/notifications"))["items"]]

    async def log(self) -> list[tuple[str, str, str | None, str]]:
        """The delivery log as reception reads it, oldest first: about what, by which channel, to whom, with what result."""
        items = (await self.get(self.rui, "/deliveries"))["items"]
        return [(one["type"], one["channel"], one["to"], one["status"]) for one in reversed(items)]

    async def page(self, follow: str) -> str:
        """The patient's page behind an address of theirs, as the browser shows it."""
        answer = await self.phone.get(follow)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def ticket(self, ticket: dict[str, Any]) -> dict[str, Any]:
        """The patient's own ticket, as their phone is answered."""
        secret = ticket["follow"].removeprefix("/t/")
        return await self.get(self.phone, f"/queue/ticket/{ticket['ticket']}", Ticket_Secret=secret)

    @property
    def texts(self) -> list[str]:
        """The text messages that went out, oldest first."""
        return [json.loads(body)["text"] for _, body in self.gateway.heard]

    def texts_to(self, phone: str) -> list[str]:
        messages = [json.loads(body) for _, body in self.gateway.heard]
        return [one["text"] for one in messages if one["to"] == phone]

    @property
    def mails(self) -> list[str]:
        return [one.get_content().strip() for one in self.mail.mails]

    async def soon(
        self, ask: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], *, within: float = PATIENCE
    ) -> T:
        """What is answered once it is as wanted, which must be so within so many seconds."""
        begun = time.monotonic()
        while not wanted(found := await ask()):
            assert time.monotonic() - begun < within, found
            await asyncio.sleep(0.05)
        return found

    async def told(self, *, texts: int, mails: int = 0) -> None:
        """Once all that is due has been done, so many messages have gone out in all."""

        async def settled() -> bool:
            async with self.house.here().read() as tx:
                under_way = await tx.value(_UNDER_WAY)
            return not under_way and not {"pending", "sending"} & {one[3] for one in await self.log()}

        await self.soon(settled, lambda done: done and len(self.texts) >= texts and len(self.mails) >= mails)
        assert (len(self.texts), len(self.mails)) == (texts, mails), (self.texts, self.mails)


@asynccontextmanager
async def hospital(live: Live, house: House) -> AsyncIterator[Hospital]:
    """Monday, 07:30: schedules and channels are set, the workers are at work."""
    house.clock.offset += at("07:30") - house.clock.now()
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(over_http())
        mail = await stack.enter_async_context(over_smtp())
        rui = await stack.enter_async_context(live.staff(house, Role.RECEPTION))
        dana = await stack.enter_async_context(live.staff(house, Role.DOCTOR, clinics=["lab"], doctor="dana"))
        ada = await stack.enter_async_context(live.staff(house, Role.ADMINISTRATOR))
        emails = {id(one): (await one.get(f"{V1}/auth/me")).json()["email"] for one in (rui, dana, ada)}
        phone = await stack.enter_async_context(live.client(house))
        for one in (rui, dana, ada, phone):
            one.headers["Accept-Language"] = "en"
        made = Hospital(live, house, gateway, mail, rui=rui, dana=dana, ada=ada, phone=phone, emails=emails)
        await _set_up(made)
        await stack.enter_async_context(_at_work(live.services))
        yield made


async def _set_up(one: Hospital) -> None:
    settings = {
        "/channels/sms": {"url": f"{one.gateway.url}/send"},
        "/channels/email": MAIL | {"port": one.mail.port},
        "/doctors/dana/schedule": {"windows": [OPENED | {"weekday": day} for day in DAYS]},
    }
    for path, body in settings.items():
        answer = await one.ada.put(V1 + path, json=body)
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def _at_work(services: Services) -> AsyncIterator[None]:
    """The workers, whose channels may reach vendors on loopback."""
    loopback = services.settings.model_copy(update={"outgoing_networks": (ip_network("127.0.0.0/8"),)})
    with patch.dict(services.additions):
        use(services, configured(replace(services, settings=loopback)))
        workers = (OutboxWorker(services), QueueReader(services), Sender(services))
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        try:
            yield
        finally:
            for worker in workers:
                worker.stop()
            await asyncio.gather(*(asyncio.wait_for(task, 10) for task in tasks))
            for channel in channels_of(services).values():
                await channel.close()
