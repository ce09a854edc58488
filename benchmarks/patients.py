"""Finding one patient among a million, over HTTP: by phone, by number, by the beginning of a name."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import orjson

from benchmarks.load import Answered, closed_loop, quantile, request
from benchmarks.patients_people import Bulk, Person
from benchmarks.report import Line, Section
from dawr.patients.rules_names import asked, begins
from tests.proof.program import PASSWORD, Program, program

ALL, FEW = 1_000_000, 20_000
PHONE_LIMIT, NAME_LIMIT = 0.020, 0.050
Query = Callable[[Person, int], str]


def _phone(one: Person, n: int) -> str:
    """As people type it: with and without the country's code, with spaces, in Arabic digits."""
    local = one.identity.phones[0][4:]
    spaced = f"{local[:4]} {local[4:]}"
    arabic = local.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    return (local, spaced, f"00974-{local}", f"+974 {spaced}", arabic)[n % 5]


def _number(one: Person, n: int) -> str:
    return (one.identity.record_number or "").lower()


def _three_letters(one: Person, n: int) -> str:
    return one.identity.name[:3]


def _arabic(one: Person, n: int) -> str:
    return one.identity.names.get("ar", "محمد")[:4]


def _two_words(one: Person, n: int) -> str:
    """The beginning of the first name and of the family's."""
    first, _, family = one.identity.name.split()
    return f"{family[:5]} {first[:4]}"


def _whole(one: Person, n: int) -> str:
    return one.identity.name


KINDS: dict[str, tuple[Query, float]] = {
    "phone, in five spellings": (_phone, PHONE_LIMIT),
    "record number": (_number, PHONE_LIMIT),
    "three letters of a name": (_three_letters, NAME_LIMIT),
    "beginning of an Arabic name": (_arabic, NAME_LIMIT),
    "beginnings of two words": (_two_words, NAME_LIMIT),
    "whole name of three words": (_whole, NAME_LIMIT),
}


async def run(quick: bool) -> Section:
    count, rounds = (FEW, 60) if quick else (ALL, 500)
    section = Section(f"Finding a patient among {count:,}")
    async with program() as served:
        bulk = Bulk(served, sample=rounds)
        started = time.perf_counter()
        bulk.write(count)
        seconds = time.perf_counter() - started
        assert bulk.differs() == []
        section.lines.append(Line("patients written in bulk", f"{seconds:.0f} s, {count / seconds:,.0f}/s"))
        headers = {"Authorization": f"Bearer {await _signed_in(served)}", "X-Facility": "mmc"}
        for kind, (query, limit) in KINDS.items():
            sent = [query(one, n) for n, one in enumerate(bulk.people[:rounds])]
            answered = await _ask(served, sent, headers)
            section.lines.append(_line(kind, answered, limit))
            section.figures[kind] = _figures(answered, sent, bulk.people[:rounds], exact=limit == PHONE_LIMIT)
    section.figures["written"] = {"count": count, "seconds": seconds}
    return section


async def _ask(served: Program, queries: list[str], headers: dict[str, str]) -> list[tuple[int, Answered]]:
    """The answers, each with the number of its query."""
    order: list[int] = []

    def make(n: int) -> bytes:
        order.append(n)
        return request("POST", "/api/v1/patients/search", json={"query": queries[n]}, headers=headers)

    answered = await closed_loop(served.port, make, clients=1, total=len(queries))
    return list(zip(order, answered, strict=True))


def _line(kind: str, answered: list[tuple[int, Answered]], limit: float) -> Line:
    seconds = [one.seconds for _, one in answered]
    p50, p95, worst = (quantile(seconds, share) * 1000 for share in (0.5, 0.95, 1.0))
    return Line(
        kind,
        f"p95 {p95:.1f} ms (p50 {p50:.1f})",
        f"worst {worst:.0f} ms",
        limit=f"p95 {limit * 1000:.0f} ms",
        kept=p95 <= limit * 1000,
    )


def _figures(
    answered: list[tuple[int, Answered]], queries: list[str], people: list[Person], *, exact: bool
) -> dict[str, Any]:
    """Also whether each answer was right: the person found by a number, or a page of names that begin so."""
    wrong = [n for n, one in answered if not _right(one, queries[n], people[n], exact=exact)]
    assert not wrong, f"{len(wrong)} of {len(answered)} answers were wrong: {[queries[n] for n in wrong[:5]]}"
    seconds = [one.seconds for _, one in answered]
    return {f"p{int(share * 100)}": quantile(seconds, share) for share in (0.5, 0.95, 0.99)}


def _right(one: Answered, query: str, person: Person, *, exact: bool) -> bool:
    items = orjson.loads(one.body)["items"] if one.status == 200 else []
    if exact:
        return [item["patient"] for item in items] == [str(person.patient)]
    names = ([item["name"], *item["names"].values()] for item in items)
    return bool(items) and all(begins(asked(query), some) for some in names)


async def _signed_in(served: Program) -> str:
    async with httpx2.AsyncClient(base_url=served.url, timeout=15) as client:
        answer = await client.post("/api/v1/auth/login", json={"email": "reception@mmc.demo", "password": PASSWORD})
    token: str = answer.json()["access_token"]
    return token
