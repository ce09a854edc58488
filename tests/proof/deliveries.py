"""Everybody who was called is told, whatever is killed between commit, claim, send and mark; nobody twice without a reason.

People are called; the process that tells them is killed at each step in turn, again and again; the vendors (an SMTP server
and an HTTP gateway on loopback) lose their answers, delay them, refuse. In the end every message must have come at least once,
and twice only where its outcome was unknown, under the same key.
"""

import asyncio
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from dawr.accounts.rules import SYSTEM, Actor, Role
from dawr.notifications import commands, queries, store_channels
from dawr.notifications.rules import Audience, Moment, Rule, Status
from dawr.platform.ids import new_id
from dawr.tickets import commands as tickets
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_enter import enter
from dawr.tickets.people import keep_person
from dawr.tickets.rules import Priority
from tests.conftest import House, found_house, make_services, new_database
from tests.notifications.counterparts import CUT, Vendor, over_smtp
from tests.platform.servers import server
from tests.proof.deliveries_worker import LEASE, STEPS
from tests.proof.faults import Result

NAME = "tell-people"
WHAT = "the process that tells people is killed at each step"
LIVES = 60
LATER = "451 4.3.0 later"
TOOK, LOST, LATE, REFUSED = "took", "lost", "late", "refused"


class Mood(list[str]):
    """An endless list of what a vendor says, for whoever takes from it with ``pop(0)``."""

    def __init__(self, chance: random.Random, words: dict[str, float]) -> None:
        super().__init__([""])
        self._chance, self._words = chance, words
        self.said: list[str] = []
        self[0] = self._next()

    def pop(self, index: Any = 0) -> str:
        said, self[0] = self[0], self._next()
        self.said.append(said)
        return said

    def _next(self) -> str:
        return self._chance.choices(list(self._words), list(self._words.values()))[0]


@dataclass
class Gateway:
    """An HTTP gateway for text messages: ``taken`` counts each key it took, whatever it answered."""

    chance: random.Random
    url: str = ""
    taken: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = orjson.loads(await reader.readexactly(length))
        mood = self.chance.choices((TOOK, LOST, LATE, REFUSED), (84, 5, 1, 10))[0]
        self.said[mood] += 1
        if mood != REFUSED:
            self.taken[body["ref"]] += 1
        if mood == LOST:
            return False
        if mood == LATE:
            await asyncio.sleep(LEASE)
        status = b"503 Busy" if mood == REFUSED else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        return True


@asynccontextmanager
async def gateway(chance: random.Random) -> AsyncIterator[Gateway]:
    made = Gateway(chance)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/send"
    try:
        yield made
    finally:
        server.close()


@dataclass
class Campaign:
    """``kills`` by step; ``lost`` messages that never came; ``repeated`` ones that came more often than their unknown outcomes
    explain."""

    messages: int = 0
    arrivals: int = 0
    unknown: int = 0
    lost: int = 0
    repeated: int = 0
    wrong: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass
class Telling:
    """One house whose called people are told by processes that die; ``together``: how many are called during each life,
    ``at_once``: how many messages each channel is sending then."""

    house: House
    people: int
    together: int
    at_once: int
    chance: random.Random
    called: int = 0
    found: Campaign = field(default_factory=Campaign)

    async def run(self, *, within: float, kill_every: tuple[int, int]) -> Campaign:
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            sms = await stack.enter_async_context(gateway(self.chance))
            mail = await stack.enter_async_context(over_smtp())
            mail.says = mood = Mood(self.chance, {"250 2.0.0 OK": 90, CUT: 4, LATER: 6})
            await self._set_up(sms, mail)
            await self._lives(kill_every, ends=started + within)
            arrived = sms.taken + _mails(mail, mood)
            await self._judge(arrived)
            self.found.said = sms.said + Counter(mood.said)
        self.found.seconds = time.monotonic() - started
        return self.found

    async def _set_up(self, sms: Gateway, mail: Vendor) -> None:
        ada = Actor(kind="staff", account_id=uuid4(), role=Role.ADMINISTRATOR)
        services = self.house.services
        post = {"url": sms.url, "body": {"to": "{to}", "text": "{text}", "ref": "{key}"}}
        smtp = {"host": "127.0.0.1", "port": mail.port, "security": "none", "user": "dawr", "password": "right"}
        smtp |= {"sender": "queue@hospital.example"}
        async with self.house.here().write() as tx:
            await store_channels.save(tx, services.keyring, ada, "sms", post)
            await store_channels.save(tx, services.keyring, ada, "email", smtp)
            rules = [Rule(Moment.YOUR_TURN, Audience.PATIENT, channel) for channel in ("sms", "email")]
            await commands.set_rules(tx, services, ada, rules=rules, quiet=None)

    async def _call_more(self) -> None:
        """The next people come and are called, as reception and desks would do it."""
        here = self.house.here()
        numbers = range(self.called, min(self.called + self.together, self.people))
        self.called = numbers.stop
        async with here.write() as tx:
            for number in numbers:
                ticket_id = new_id(tx.now)
                personal = keep_person(here, ticket_id, user=f"p{number}", name=None, phone=f"+9745{number:07}")
                arrival = Arrival(ticket_id, None, Priority.NORMAL, "en", personal)
                await enter(tx, SYSTEM, here.facility, "lab", arrival)
                await tickets.call(tx, SYSTEM, here.facility, ticket_id=ticket_id, desk="1")

    async def _lives(self, kill_every: tuple[int, int], *, ends: float) -> None:
        """One life after the other, each killed at the next step, until everything has ended."""
        services = self.house.services
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.proof.deliveries_worker"),
            *(services.db.url, services.keyring.to_setting()),
            *(str(self.house.clock.offset.total_seconds()), str(self.at_once)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert worker.stdin is not None
        try:
            for turn in range(10_000):
                if await self._ended():
                    break
                if time.monotonic() > ends:
                    self.found.wrong.append("not done in time")
                    break
                steps = STEPS if self.called < self.people else STEPS[2:]
                step = steps[turn % len(steps)]
                self.found.kills[step] += await self._life(worker, step, self.chance.randint(*kill_every))
        finally:
            worker.stdin.close()
            await worker.wait()

    async def _life(self, worker: asyncio.subprocess.Process, step: str, after: int) -> bool:
        """Whether it died at its step; one that finds nothing to do any more is told to end."""
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(f"{step} {after}\n".encode())
        await worker.stdin.drain()
        pid = int(await worker.stdout.readline())
        ended = asyncio.create_task(worker.stdout.readline())
        if self.called < self.people:
            await self._call_more()
        while not ended.done():
            await asyncio.wait({ended}, timeout=0.3)
            if ended.done() or not await self._told():
                continue
            if step in STEPS[:2] and self.called < self.people:
                # It dies when it reads on: there has to be something.
                await self._call_more()
                continue
            os.kill(pid, signal.SIGTERM)
            break
        return int(await ended) == 9

    async def _ended(self) -> bool:
        return self.called >= self.people and await self._told()

    async def _told(self) -> bool:
        """Whether there is a message for everybody called, and nothing is left to do about any."""
        async with self.house.here().read() as tx:
            whole = await queries.deliveries_count(tx, {})
            left = [await queries.deliveries_count(tx, {"status": one}) for one in (Status.PENDING, Status.SENDING)]
        return whole >= 2 * self.called and not any(left)

    async def _judge(self, arrived: Counter[str]) -> None:
        sql = """SELECT delivery, ticket, channel, status, unknown FROM delivery WHERE facility_id = %(facility_id)s"""
        async with self.house.here().read() as tx:
            rows = await tx.rows(sql)
        found = self.found
        found.messages, found.arrivals = len(rows), arrived.total()
        found.unknown = sum(row["unknown"] for row in rows)
        if len(rows) != 2 * self.people or len({(row["ticket"], row["channel"]) for row in rows}) != len(rows):
            found.wrong.append(f"{len(rows)} messages for {self.people} people")
        for row in rows:
            times = arrived.pop(f"dawr-{row['delivery']}", 0)
            found.lost += times == 0
            found.repeated += max(0, times - 1 - row["unknown"])
            if row["status"] not in (Status.SENT, Status.DELIVERED):
                found.wrong.append(f"{row['channel']} ended {row['status']}")
        if arrived:
            found.wrong.append(f"{len(arrived)} arrivals under a key that no message has")


def _mails(mail: Vendor, mood: Mood) -> Counter[str]:
    """How often each message came by mail: everything but what the server put off, whether its answer was lost or not."""
    keys = [str(one["Message-ID"]).strip("<>").partition("@")[0] for one in mail.mails]
    return Counter(key for key, said in zip(keys, mood.said, strict=True) if said != LATER)


def as_result(found: Campaign) -> Result:
    """The campaign as a line of the table: operations are arrivals at the vendors."""
    return Result(
        NAME,
        WHAT,
        times=found.kills.total(),
        operations=found.arrivals,
        acknowledged=found.messages,
        unknown=found.unknown,
        resolved=found.unknown,
        lost=found.lost,
        repeated=found.repeated,
        seconds=round(found.seconds, 1),
        findings=tuple(dict.fromkeys(found.wrong)),
    )


async def play(*, people: int, within: float = 900, seed: int | None = None) -> Result:
    """The campaign on a server of its own: two messages for each of the people."""
    chance = random.Random(seed)
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    with server() as postgres, tempfile.TemporaryDirectory(prefix="dawr-proof-") as folder:
        services = make_services(new_database(postgres.url), Path(folder))
        await services.db.open()
        try:
            telling = Telling(await found_house(services), people, -(-people // LIVES), 16, chance)
            found = await telling.run(within=within, kill_every=(20, 150))
        finally:
            await services.db.close()
    return as_result(found)
