"""The same load on the product and on how others hand out numbers: 64 clients, one clinic, everybody wants a ticket.

Each has two cores, this machine's disk and the same PostgreSQL server (or SQLite on the same disk). Product and peers take
turns, each turn on an empty queue; the median turn counts for speed, all turns for the numbers.
"""

import asyncio
import os
import secrets
import signal
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import psycopg

from benchmarks.load import Answered, Make, closed_loop, connect, quantile, request
from benchmarks.peers import count_under_lock, last_plus_one
from benchmarks.report import Line, Section
from dawr.platform.embedded_postgres_home import running_url
from tests.proof.program import Program, free_port, program

CLIENTS = 64
CLINICS = ("lab", "xray", "eyes")


@dataclass(frozen=True)
class Peer:
    """``app`` is what uvicorn serves, ``path`` chooses the style in which requests are answered."""

    name: str
    app: str
    path: str
    schema: str
    postgres: bool


_LAST, _COUNT = "benchmarks.peers.last_plus_one:app", "benchmarks.peers.count_under_lock:app"
PEERS = (
    Peer("last + 1, SQLite, 2 processes", _LAST, "/processes", last_plus_one.schema(postgres=False), False),
    Peer("last + 1, SQLite, 2 x threads", _LAST, "/threads", last_plus_one.schema(postgres=False), False),
    Peer("last + 1, PostgreSQL, 2 processes", _LAST, "/processes", last_plus_one.schema(postgres=True), True),
    Peer("last + 1, PostgreSQL, 2 x threads", _LAST, "/threads", last_plus_one.schema(postgres=True), True),
    Peer("count + 1 under lock, PostgreSQL", _COUNT, "/processes", count_under_lock.SCHEMA, True),
)


@dataclass(frozen=True)
class Turn:
    """The answers of one turn: two rounds of everybody to warm up, and those that are timed."""

    warm: list[Answered]
    timed: list[Answered]


@dataclass
class Tally:
    """What came out of several turns. ``twice`` counts tickets whose number somebody else has, ``missing`` numbers below the
    highest that nobody was given."""

    rates: list[float] = field(default_factory=list)
    tails: list[float] = field(default_factory=list)
    given: int = 0
    twice: int = 0
    missing: int = 0
    refused: int = 0

    def add(self, turn: "Turn") -> None:
        answered = turn.timed
        got = [one for one in answered if one.status == 201]
        span = max(one.started + one.seconds for one in answered) - min(one.started for one in answered)
        self.rates.append(len(got) / span)
        self.tails.append(quantile([one.seconds for one in got], 0.95) * 1000)
        everybody = [one for one in (*turn.warm, *answered) if one.status == 201]
        numbers = [orjson.loads(one.body)["number"] for one in everybody]
        self.given += len(numbers)
        self.twice += len(numbers) - len(set(numbers))
        self.missing += max(numbers, default=0) - len(set(numbers))
        self.refused += len(turn.warm) + len(answered) - len(numbers)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def speed(self) -> str:
        return f"{self.rate:.0f}/s p95 {statistics.median(self.tails):.0f} ms"

    def numbers(self) -> str:
        return f"{self.twice} twice {self.missing} missing"

    def json(self) -> dict[str, object]:
        figures = {"rates": [round(one, 1) for one in self.rates], "p95_ms": [round(one, 1) for one in self.tails]}
        counts = {name: getattr(self, name) for name in ("given", "twice", "missing", "refused")}
        return figures | counts


async def run(quick: bool) -> Section:
    turns, total = (1, 400) if quick else (3, 3_000)
    own = Tally()
    theirs = {peer.name: Tally() for peer in PEERS}
    async with program() as server:
        for turn in range(turns):
            own.add(await _product(server, CLINICS[turn], total))
            for peer in PEERS:
                theirs[peer.name].add(await _peer(server, peer, total))
    return _told(own, theirs)


def _told(own: Tally, theirs: dict[str, Tally]) -> Section:
    section = Section(f"Side by side: {CLIENTS} clients, one clinic; the product (measured) and its peers (floor)")
    for name, peer in theirs.items():
        section.lines += [
            Line(name, own.speed(), peer.speed(), own.rate / peer.rate if peer.rate else None),
            Line(
                f"  numbers of {peer.given}", own.numbers(), peer.numbers(), None, "0, 0", own.twice + own.missing == 0
            ),
            Line("  refused or failed", str(own.refused), str(peer.refused), None, "0", own.refused == 0),
        ]
    section.figures = {"product": own.json()} | {name: peer.json() for name, peer in theirs.items()}
    return section


async def _product(server: Program, clinic: str, total: int) -> Turn:
    def make(_: int) -> bytes:
        return request("POST", "/api/v1/queue/enter", json={"clinic": clinic, "user": secrets.token_hex(8)})

    return Turn(await _load([server.port], make, 2 * CLIENTS), await _load([server.port], make, total))


async def _load(ports: list[int], make: Make, total: int) -> list[Answered]:
    """Each process has its share of the clients, as behind a balancer: left to itself the first one up takes all."""
    clients, each = CLIENTS // len(ports), total // len(ports)
    shares = await asyncio.gather(*(closed_loop(port, make, clients=clients, total=each) for port in ports))
    return [answer for share in shares for answer in share]


async def _peer(server: Program, peer: Peer, total: int) -> Turn:
    def make(_: int) -> bytes:
        return request("POST", peer.path, json={"name": secrets.token_hex(8)})

    with tempfile.TemporaryDirectory(prefix="dawr-peer-") as folder:
        url = running_url(server.folder / "data" / "postgres")
        assert url is not None
        database = await asyncio.to_thread(_empty, peer, Path(folder), url)
        async with _serving(peer, database, Path(folder)) as one, _serving(peer, database, Path(folder)) as other:
            ports = [one, other]
            return Turn(await _load(ports, make, 2 * CLIENTS), await _load(ports, make, total))


def _empty(peer: Peer, folder: Path, server_url: str) -> str:
    """A database of its own with the peer's table."""
    if not peer.postgres:
        with sqlite3.connect(folder / "peer.db") as file:
            file.executescript(peer.schema)
        return str(folder / "peer.db")
    name = f"peer_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    url = server_url.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(url) as connection:
        connection.execute(peer.schema.encode())
    return url


@asynccontextmanager
async def _serving(peer: Peer, database: str, folder: Path) -> AsyncIterator[int]:
    """The port of one process of the peer."""
    port = free_port()
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "--factory", peer.app, "--port", str(port)),
            *("--log-level", "warning", "--no-access-log"),
            env=os.environ | {"PEER_DATABASE": database, "PEER_LOCK": str(folder / "lock")},
            stdout=log,
            stderr=log,
        )
    try:
        await _ready(process, port, folder / "log")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)


async def _ready(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    for _ in range(600):
        assert process.returncode is None, log.read_text()
        try:
            line = await connect(port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        status, _ = await line.ask(request("GET", "/"))
        line.close()
        if status == 404:
            return
    raise TimeoutError(log.read_text())
