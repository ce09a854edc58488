"""Three times what the product can do: what it still does, how soon the others are told, how soon it is well again.

The load generator shares the machine with the product, so it could not ask three times as often as the product can answer.
Therefore the store is made slow: a trigger sleeps for each ticket that is inserted. Then the processor is idle most of the
time, capacity is what the store gives (measured here, not assumed), and what is measured is admission, not the generator.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
import psycopg

from benchmarks.load import Answered, closed_loop, open_loop, per_second, quantile, request
from benchmarks.report import Line, Section
from dawr.platform.embedded_postgres_home import running_url
from tests.proof.program import PASSWORD, Program, program

SLEEP_SECONDS = 1 / 70
CLIENTS = 64
TIMES = 3
LEAST_SHARE = 0.8
REFUSED_WITHIN = 0.05
RECOVERED_WITHIN = 5.0
PATIENCE = 10.0
ASKING = 20
ENTER = "/api/v1/queue/enter"
_SLOW = """
CREATE FUNCTION slow_store() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END';
CREATE TRIGGER slow_store BEFORE INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION slow_store();
"""
Make = Callable[[int], bytes]


@dataclass
class Rush:
    """One program's story. ``seconds`` is how long the overload lasted; ``recovered`` how long after it everything was well."""

    seconds: float
    capacity: float = 0.0
    quiet: list[Answered] = field(default_factory=list)
    rushed: list[Answered] = field(default_factory=list)
    after: list[Answered] = field(default_factory=list)
    calls: list[Answered] = field(default_factory=list)
    reads: list[Answered] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The tickets that people got until the last of them had one, as a share of what the store could have given."""
        last = max((one.started + one.seconds for one in self.rushed if one.status == 201), default=0.0)
        return len(self.served) / max(last, self.seconds) / self.capacity

    @property
    def lost(self) -> int:
        return len(self.rushed) - len(self.served) - len(self.refused)

    @property
    def refused(self) -> list[float]:
        return [one.seconds for one in self.rushed if one.status == 503]

    @property
    def served(self) -> list[float]:
        return [one.seconds for one in self.rushed if one.status == 201]

    @property
    def recovered(self) -> float:
        """The end of the last second in which more than one in twenty was refused, or waited as nobody does in quiet times."""
        usual = max(0.1, 3 * quantile([one.seconds for one in self.quiet], 0.95))
        asked = Counter(int(one.started) for one in self.after)
        ill = Counter(int(one.started) for one in self.after if one.status != 201 or one.seconds > usual)
        return max((second + 1.0 for second, count in ill.items() if count > asked[second] / 20), default=0.0)


def _strangers(name: str) -> Make:
    return lambda n: request("POST", ENTER, json={"clinic": "lab", "user": f"{name}-{n}"})


def _look(_: int) -> bytes:
    return request("GET", "/api/v1/queue/status?clinic=xray")


async def _staff(server: Program) -> Make:
    """Calls at the clinic next door, by a desk that is signed in."""
    async with server.client() as client:
        login = {"email": "reception@mmc.demo", "password": PASSWORD}
        token = (await client.post("/api/v1/auth/login", json=login)).json()["access_token"]
    return lambda _: request(
        "POST", "/api/v1/queue/call", json={"clinic": "xray"}, headers={"Authorization": f"Bearer {token}"}
    )


async def _slow_down(server: Program) -> None:
    address = running_url(server.folder / "data" / "postgres")
    assert address is not None
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(_SLOW.format(seconds=SLEEP_SECONDS).encode())


async def _told(server: Program, seconds: float) -> list[int]:
    """The ``Retry-After`` of strangers who are refused meanwhile."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:

        async def ask(n: int) -> httpx2.Response:
            await asyncio.sleep(n * seconds / ASKING)
            return await client.post(ENTER, json={"clinic": "lab", "user": f"asking-{n}"})

        # Some may have lost patience.
        answers = await asyncio.gather(*(ask(n) for n in range(ASKING)), return_exceptions=True)
    refused = [one for one in answers if isinstance(one, httpx2.Response) and one.status_code == 503]
    assert {one.json()["code"] for one in refused} <= {"overloaded"}
    return [int(one.headers["retry-after"]) for one in refused]


async def _quiet_day(server: Program, rush: Rush, *, total: int) -> None:
    """What the slow store can do, and how it answers where only half of that is asked."""
    rush.capacity = per_second(await closed_loop(server.port, _strangers("all"), clients=CLIENTS, total=total))
    rush.quiet = await open_loop(server.port, _strangers("quiet"), rate=rush.capacity / 2, seconds=rush.seconds / 2)


async def _rush(server: Program, rush: Rush, call: Make) -> None:
    """The rush, and after its last request at once a time of half the capacity."""
    port, seconds = server.port, rush.seconds
    rate = TIMES * rush.capacity
    meanwhile = asyncio.gather(
        open_loop(port, _strangers("rush"), rate=rate, seconds=seconds, patience=PATIENCE),
        open_loop(port, call, rate=4, seconds=seconds),
        open_loop(port, _look, rate=20, seconds=seconds),
        _told(server, seconds),
    )
    await asyncio.sleep(seconds)
    rush.after = await open_loop(port, _strangers("after"), rate=rush.capacity / 2, seconds=max(6.0, seconds))
    rush.rushed, rush.calls, rush.reads, rush.told = await meanwhile


async def _measure(*, seconds: float, **settings: str) -> Rush:
    rush = Rush(seconds)
    async with program(**settings) as server:
        neighbours = [request("POST", ENTER, json={"clinic": "xray", "user": f"x-{n}"}) for n in range(150)]
        await closed_loop(server.port, neighbours.__getitem__, clients=16, total=len(neighbours))
        call = await _staff(server)
        await _slow_down(server)
        await _quiet_day(server, rush, total=int(seconds * 35))
        await _rush(server, rush, call)
    return rush


async def run(quick: bool) -> Section:
    section = Section("Overload (three times the capacity of a store made slow; floor: the same without admission)")
    guarded = await _measure(seconds=4 if quick else 20)
    bare = None if quick else await _measure(seconds=20, DAWR_REQUESTS_AT_ONCE="100000")
    section.lines = [*_strangers_lines(guarded, bare), *_others_lines(guarded, bare)]
    section.figures = {name: _figures(one) for name, one in (("guarded", guarded), ("bare", bare)) if one}
    return section


def _strangers_lines(rush: Rush, bare: Rush | None) -> list[Line]:
    told = quantile(rush.refused, 0.99)
    limit = f"<= {REFUSED_WITHIN * 1000:.0f} ms"
    kept = rush.share >= LEAST_SHARE
    return [
        Line("capacity, tickets a second", f"{rush.capacity:.1f}", f"{bare.capacity:.1f}" if bare else ""),
        Line(
            "goodput / capacity", f"{rush.share:.2f}", f"{bare.share:.2f}" if bare else "", limit=">= 0.80", kept=kept
        ),
        Line("tickets: p50, p99", _spread(rush.served), _spread(bare.served) if bare else ""),
        Line("refusals: p50, p99", _spread(rush.refused), limit=limit, kept=0 < told <= REFUSED_WITHIN),
        Line(
            "neither ticket nor refusal", f"{rush.lost}", f"{bare.lost}" if bare else "", limit="0", kept=rush.lost == 0
        ),
        Line("Retry-After, seconds", str(sorted(set(rush.told))), limit=">= 1", kept=min(rush.told, default=0) >= 1),
        Line(
            "well again after",
            f"{rush.recovered:.0f} s",
            f"{bare.recovered:.0f} s" if bare else "",
            limit=f"<= {RECOVERED_WITHIN:.0f} s",
            kept=rush.recovered <= RECOVERED_WITHIN,
        ),
    ]


def _others_lines(rush: Rush, bare: Rush | None) -> list[Line]:
    """Staff and readers next door: the crowd is none of their business."""
    lines = []
    for what, mine, other in (
        ("a desk's calls meanwhile: p50, p99", rush.calls, bare.calls if bare else []),
        ("readers meanwhile: p50, p99", rush.reads, bare.reads if bare else []),
    ):
        failed = sum(one.status != 200 for one in mine)
        spread = _spread([one.seconds for one in mine])
        beside = _spread([one.seconds for one in other]) if other else ""
        lines.append(Line(what, f"{spread}, {failed} refused", beside, limit="0 refused", kept=failed == 0))
    return lines


def _spread(seconds: list[float]) -> str:
    return f"{quantile(seconds, 0.5) * 1000:.0f}, {quantile(seconds, 0.99) * 1000:.0f} ms"


def _figures(rush: Rush) -> dict[str, object]:
    return {
        "capacity_per_second": rush.capacity,
        "goodput_share": rush.share,
        "served_p99_seconds": quantile(rush.served, 0.99),
        "refused": len(rush.refused),
        "refused_p99_seconds": quantile(rush.refused, 0.99),
        "lost": rush.lost,
        "recovered_after_seconds": rush.recovered,
        "calls_p99_seconds": quantile([one.seconds for one in rush.calls], 0.99),
        "reads_p99_seconds": quantile([one.seconds for one in rush.reads], 0.99),
    }
