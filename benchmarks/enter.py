"""Taking tickets: the product beside its floor, in turns, and what two app processes do together.

Both answer 64 clients that never pause, through the same load generator, on the same PostgreSQL server and cores. Where one
clinic is measured, each round has one of its own, so that no queue grows beyond what one round brings (thousands). What is
answered is judged, too: numbers that repeat or are missing end the measurement.

"Fresh" is a database that nobody has ever analysed, on a server that has written a log for a while.
"""

import asyncio
import shutil
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

import psycopg

from benchmarks import floor
from benchmarks.load import Answered, Make, closed_loop, per_second, quantile, request
from benchmarks.report import Line, Section
from dawr.platform.embedded_postgres_home import running_url
from tests.proof.program import Program, free_port, own_folder, program

ROUNDS = 3
CLIENTS = 64
LEAST_SHARE = 0.40
MOST_P99 = 3.0
TOGETHER = 0.95
# 16 MB each: what all rounds write.
LOG_FILES = 32


@dataclass
class Side:
    """One of the two that are compared: where it answers, and what each round brought."""

    port: int
    rounds: list[list[Answered]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return median(per_second(one) for one in self.rounds)

    @property
    def p99(self) -> float:
        return median(quantile([a.seconds for a in one], 0.99) for one in self.rounds)


async def run(quick: bool) -> Section:
    section = Section("Taking tickets (64 clients that never pause; client, server and PostgreSQL on the same cores)")
    total = 400 if quick else 6000
    async with program() as server, floor_on(server) as port:
        await asyncio.to_thread(_with_log_files, server)
        every = (await _clinics(server))[:16]
        fresh, analysed, shared = (every[n : n + ROUNDS] for n in (0, ROUNDS, 2 * ROUNDS))
        await _compare(
            section, "one clinic, fresh database", server, port, rounds=[[one] for one in fresh], total=total
        )
        await asyncio.to_thread(_analyse, server)
        await _compare(section, "one clinic", server, port, rounds=[[one] for one in analysed], total=total)
        await _compare(section, "sixteen clinics", server, port, rounds=[every] * ROUNDS, total=total)
        await _two_processes(section, server, shared, total=total)
        numbers = await asyncio.to_thread(_numbers, server)
    section.lines.append(
        Line("numbers repeated or missing, all of the above", str(numbers), limit="0", kept=numbers == 0)
    )
    return section


async def _compare(
    section: Section, name: str, server: Program, floor_port: int, *, rounds: Sequence[Sequence[str]], total: int
) -> None:
    product, bare = Side(server.port), Side(floor_port)
    for n, clinics in enumerate(rounds):
        spare = floor.CLINICS[n : n + len(clinics)] if len(clinics) == 1 else floor.CLINICS
        bare.rounds.append(await _round(floor_port, spare, f"{name}-{n}", total=total))
        product.rounds.append(await _round(server.port, clinics, f"{name}-{n}", total=total))
    share, slower = product.rate / bare.rate, product.p99 / bare.p99
    section.lines += [
        Line(
            f"{name}: tickets a second",
            f"{product.rate:.0f}",
            f"{bare.rate:.0f}",
            share,
            f">= {LEAST_SHARE:.2f}",
            share >= LEAST_SHARE,
        ),
        Line(
            f"{name}: p99",
            f"{product.p99 * 1000:.0f} ms",
            f"{bare.p99 * 1000:.0f} ms",
            slower,
            f"<= {MOST_P99:.0f}",
            slower <= MOST_P99,
        ),
    ]
    section.figures[name] = {
        who: {"a_second": [per_second(one) for one in side.rounds], "p99_seconds": side.p99}
        for who, side in (("product", product), ("floor", bare))
    }


async def _round(port: int, clinics: Sequence[str], round_: str, *, total: int) -> list[Answered]:
    answered = await closed_loop(port, asks(clinics, round_), clients=CLIENTS, total=total)
    refused = {one.status for one in answered} - {201}
    assert not refused, refused
    return answered


def asks(clinics: Sequence[str], round_: str) -> Make:
    """Requests for tickets, strangers all, each person once."""

    def make(n: int) -> bytes:
        body = {"clinic": clinics[n % len(clinics)], "user": f"{round_}-{n}"}
        return request("POST", "/api/v1/queue/enter", json=body)

    return make


async def _two_processes(section: Section, server: Program, clinics: Sequence[str], *, total: int) -> None:
    """The same clients on one process, and half of them on each of two."""
    alone, together = Side(server.port), Side(0)
    async with beside(server) as second:
        for n, clinic in enumerate(clinics):
            alone.rounds.append(await _round(server.port, [clinic], f"alone-{n}", total=total))
            halves = [
                closed_loop(port, asks([clinic], f"both-{n}-{port}"), clients=CLIENTS // 2, total=total // 2)
                for port in (server.port, second.port)
            ]
            together.rounds.append([one for half in await asyncio.gather(*halves) for one in half])
    ratio = together.rate / alone.rate
    limit = f">= {TOGETHER:.2f}"
    section.lines.append(
        Line("two processes", f"{together.rate:.0f}/s", f"{alone.rate:.0f}/s (one)", ratio, limit, ratio >= TOGETHER)
    )
    section.figures["two processes"] = {"together": together.rate, "alone": alone.rate}


@asynccontextmanager
async def beside(server: Program) -> AsyncIterator[Program]:
    """A second app process on the same database, with the same keys."""
    url = running_url(server.data_folder / "postgres")
    assert url is not None
    async with own_folder() as folder:
        second = Program(folder, settings={"DATABASE_URL": url, "DAWR_WORKER": "off"})
        second.data_folder.mkdir(parents=True)
        shutil.copy(server.data_folder / "keys.json", second.data_folder)
        try:
            await second.start()
            yield second
        finally:
            await second.stop()


@asynccontextmanager
async def floor_on(server: Program) -> AsyncIterator[int]:
    """The floor app as a process on the product's PostgreSQL server; its port."""
    address = running_url(server.data_folder / "postgres")
    assert address is not None
    url, port = await asyncio.to_thread(floor.furnish, address), free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.floor", url, str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _clinics(server: Program) -> list[str]:
    async with server.client() as client:
        items = (await client.get("/api/v1/clinics")).json()["items"]
    return [one["clinic"] for one in items]


def _with_log_files(server: Program) -> None:
    """A server that has run for some minutes writes into log files that it had; one that was made a moment ago makes a file of
    16 MB whenever one is full, for which product and floor wait 45 ms: as often as p99 looks, or just not."""
    with psycopg.connect(running_url(server.data_folder / "postgres") or "", autocommit=True) as connection:
        for _ in range(LOG_FILES):
            connection.execute("SELECT pg_logical_emit_message(false, 'bench', 'used')")
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")


def _analyse(server: Program) -> None:
    with psycopg.connect(running_url(server.data_folder / "postgres") or "", autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _numbers(server: Program) -> int:
    """How many numbers repeat or are missing in the product's own table."""
    given: dict[tuple[object, ...], list[int]] = defaultdict(list)
    with psycopg.connect(running_url(server.data_folder / "postgres") or "") as connection:
        for *scope, number in connection.execute("SELECT facility_id, clinic, service_day, series, number FROM ticket"):
            given[tuple(scope)].append(number)
    assert given
    return sum(len(set(range(1, max(one) + 1)) ^ set(one)) + len(one) - len(set(one)) for one in given.values())
