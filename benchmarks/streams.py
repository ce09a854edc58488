"""Live streams: ten thousand people who watch one clinic, beside a bare fan-out with as many in the same run."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.load import closed_loop, connect, open_loop, quantile, request
from benchmarks.report import Line, Section
from benchmarks.streams_parts import (
    ENTER,
    STREAM,
    Desks,
    Process,
    Watchers,
    allow_many_files,
    changes,
    floor_change,
    floor_on,
    product_change,
    signed_in,
    watchers,
)
from tests.proof.program import Program, program

MOST_KILOBYTES = 25.0
MOST_STORM_SECONDS = 10.0
MOST_DELAY = 1.5
MOST_AT_DESKS = 2.0
MOST_BESIDE_SLOW = 1.25
# What the outlet and the server keep for one client at most before it is given up: twice 64 KiB, and a chunk on its way.
MOST_SLOW_KILOBYTES = 256.0
# Connections to the database that the app may have opened meanwhile.
OTHER_FILES = 5


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. ``cut_seconds``: by when those who do not read are to be cut off; 0 does not wait for that."""

    streams: int = 10_000
    at_once: int = 500
    rounds: int = 5
    changes: int = 24
    pause: float = 0.5
    desk_seconds: float = 40.0
    slow: int = 200
    burst: int = 1500
    burst_seconds: float = 12.0
    cut_seconds: float = 120.0


QUICK = Size(
    streams=300, rounds=1, changes=6, pause=0.1, desk_seconds=2, slow=20, burst=600, burst_seconds=2, cut_seconds=0
)


@dataclass
class Told:
    """How long after a change the streams had it, one figure a round; ``short``: arrivals that are missing."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    last_p99: list[float] = field(default_factory=list)
    short: int = 0

    def add(self, found: dict[str, Any]) -> None:
        self.p50.append(found["p50"])
        self.p99.append(found["p99"])
        self.last.append(median(found["lasts"]))
        self.last_p99.append(quantile(found["lasts"], 0.99))
        self.short += found["short"]


async def run(quick: bool) -> Section:
    size = QUICK if quick else Size()
    section = Section(f"Live streams ({size.streams} watch one clinic; clients on the same cores)")
    allow_many_files()
    # A stream lives longer here than the measurement, so that no figure holds a client's coming back.
    async with program(DAWR_STREAM_SECONDS="3600") as server:
        await _measure(section, server, size)
    return section


async def _measure(section: Section, server: Program, size: Size) -> None:
    assert server.process is not None
    app, desks = Process(server.process), Desks(server.port, await signed_in(server.port))
    asks = _crowd("early", "lab")
    await closed_loop(server.port, asks, clients=2, total=100 + int(4 * size.desk_seconds))
    await desks.work(min(5.0, size.desk_seconds))
    quiet = await desks.work(size.desk_seconds / 2)
    files = app.files
    async with floor_on(server) as (bare, floor_port), watchers(server.port) as ours, watchers(floor_port) as theirs:
        await _open(section, size, (app, ours), (bare, theirs))
        await _tell(section, size, (server.port, ours), (floor_port, theirs))
        beside = await desks.work(size.desk_seconds)
        await _slow(section, size, server.port, (app, ours))
    # Half of the quiet before and half after, as the machine's other work comes and goes.
    await _until_files(app, files)
    _at_desks(section, quiet + await desks.work(size.desk_seconds / 2), beside)


async def _open(
    section: Section, size: Size, product: tuple[Process, Watchers], bare: tuple[Process, Watchers]
) -> None:
    """The storm, and what a client costs; the product's streams come first, then the floor's."""
    seconds, kilobytes = {}, {}
    for who, (process, crowd) in (("product", product), ("floor", bare)):
        before = process.kilobytes
        opened = await crowd.do("open", size.streams, STREAM.format("lab"), size.at_once)
        seconds[who] = opened["seconds"]
        kilobytes[who] = (process.kilobytes - before) / size.streams
    section.lines += [
        Line(
            "memory a client",
            f"{kilobytes['product']:.1f} KB",
            f"{kilobytes['floor']:.1f} KB",
            kilobytes["product"] / kilobytes["floor"],
            f"<= {MOST_KILOBYTES:.0f} KB",
            kilobytes["product"] <= MOST_KILOBYTES,
        ),
        Line(
            f"{size.streams} connect at once, until each has its first event",
            f"{seconds['product']:.1f} s",
            f"{seconds['floor']:.1f} s",
            seconds["product"] / seconds["floor"],
            f"<= {MOST_STORM_SECONDS:.0f} s",
            seconds["product"] <= MOST_STORM_SECONDS,
        ),
    ]
    section.figures["opened"] = {"seconds": seconds, "kilobytes_a_client": kilobytes}


async def _tell(section: Section, size: Size, product: tuple[int, Watchers], bare: tuple[int, Watchers]) -> None:
    """From ``at``, which a change bears and which lies before its commit, until it has arrived.

    The floor commits a row, too, before it tells; its ``at`` is when it was asked.
    """
    told = {"product": Told(), "floor": Told()}
    for n in range(size.rounds):
        for who, make, (port, crowd) in (("floor", floor_change, bare), ("product", product_change, product)):
            line = await connect(port)
            made = await changes(make(line, f"told-{n}"), size.changes, pause=size.pause)
            line.close()
            told[who].add(await crowd.do("delays", made))
    assert not told["product"].short, f"{told['product'].short} arrivals are missing"
    assert not told["floor"].short
    section.lines += [
        _delay("half of the arrivals", told["product"].p50, told["floor"].p50, limited=False),
        _delay("p99 of all arrivals", told["product"].p99, told["floor"].p99),
        _delay("everybody has it, half of the changes", told["product"].last, told["floor"].last, limited=False),
        _delay("everybody has it, p99 of the changes", told["product"].last_p99, told["floor"].last_p99),
    ]
    section.figures["told"] = {who: vars(one) for who, one in told.items()}


def _delay(what: str, product: list[float], bare: list[float], *, limited: bool = True) -> Line:
    measured, floor = median(product), median(bare)
    ratio = measured / floor
    limit, kept = (f"<= {MOST_DELAY}", ratio <= MOST_DELAY) if limited else ("", None)
    return Line(f"change told: {what}", f"{measured * 1000:.0f} ms", f"{floor * 1000:.0f} ms", ratio, limit, kept)


def _at_desks(section: Section, quiet: Sequence[float], live: Sequence[float]) -> None:
    """The floor of this one is the product itself, with nobody watching."""
    for share in (0.50, 0.95):
        alone, beside = quantile(quiet, share), quantile(live, share)
        section.lines.append(
            Line(
                f"call, serve, done while all watch: p{share * 100:.0f}",
                f"{beside * 1000:.1f} ms",
                f"{alone * 1000:.1f} ms quiet",
                beside / alone,
                f"<= {MOST_AT_DESKS:.0f}",
                beside <= MOST_AT_DESKS * alone,
            )
        )
    section.figures["desks"] = {"quiet": list(quiet), "live": list(live)}


async def _slow(section: Section, size: Size, port: int, product: tuple[Process, Watchers]) -> None:
    """A busy clinic beside: first its watchers read, then as many who do not. The others' delay, and what becomes of those."""
    app, others = product
    files = app.files
    async with watchers(port) as readers:
        await readers.do("open", size.slow, STREAM.format("xray"), 50)
        reading = await _beside_a_burst(size, port, others, "reading")
    await _until_files(app, files)
    async with watchers(port) as stalled:
        before = app.kilobytes
        await stalled.do("stall", size.slow, STREAM.format("xray"))
        stalling = await _beside_a_burst(size, port, others, "stalling")
        stalling["kilobytes"] = (app.kilobytes - before) / size.slow
        stalling["cut_seconds"] = await _until_files(app, files) if size.cut_seconds else None
    stalling["others_closed"] = (await others.do("closed"))["closed"]
    section.figures["slow"] = {"reading": reading, "stalling": stalling}
    section.lines += _slow_lines(size, reading, stalling)


def _slow_lines(size: Size, reading: dict[str, Any], stalling: dict[str, Any]) -> list[Line]:
    each, cut, ratio = stalling["kilobytes"], stalling["cut_seconds"], stalling["p99"] / reading["p99"]
    lines = [
        Line(
            f"others beside {size.slow} who do not read: p99",
            f"{stalling['p99'] * 1000:.0f} ms",
            f"{reading['p99'] * 1000:.0f} ms if they do",
            ratio,
            f"<= {MOST_BESIDE_SLOW}",
            ratio <= MOST_BESIDE_SLOW and not stalling["short"] and not stalling["others_closed"],
        ),
        Line(
            "memory for one who does not read",
            f"{each:.0f} KB",
            limit=f"<= {MOST_SLOW_KILOBYTES:.0f} KB",
            kept=each <= MOST_SLOW_KILOBYTES,
        ),
    ]
    if cut is not None:
        limit = f"<= {size.cut_seconds:.0f} s"
        lines.append(Line("all of them cut off after", f"{cut:.0f} s", limit=limit, kept=cut <= size.cut_seconds))
    return lines


async def _beside_a_burst(size: Size, port: int, others: Watchers, name: str) -> dict[str, Any]:
    """How long the others' changes take while another clinic is busy."""
    line = await connect(port)
    burst = asyncio.create_task(
        open_loop(port, _crowd(name, "xray"), rate=size.burst / size.burst_seconds, seconds=size.burst_seconds)
    )
    made = await changes(product_change(line, f"beside-{name}"), int(size.burst_seconds / size.pause), pause=size.pause)
    assert {one.status for one in await burst} == {201}
    line.close()
    found: dict[str, Any] = await others.do("delays", made)
    return found


async def _until_files(app: Process, files: int) -> float:
    """The seconds until the app has closed what it opened since it held so many files; it gives up after 150."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while app.files > files + OTHER_FILES and loop.time() - begun < 150:
        await asyncio.sleep(0.2)
    return loop.time() - begun


def _crowd(name: str, clinic: str) -> Any:
    """Requests of strangers, each another."""

    def make(n: int) -> bytes:
        return request("POST", ENTER, json={"clinic": clinic, "user": f"{name}-{n}"})

    return make
