"""Every value that an operation of patients, visits, appointments and consultations takes, in forms that nobody meant: the first
and the last day there is, numbers that fit nowhere, texts that are no text. Each is refused or done, and none breaks anything."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from dawr.platform.clock import ShiftedClock
from dawr.platform.http.openapi import schema_of
from tests.conftest import Live
from tests.depth import slice_or_whole
from tests.journeys.matrix import ADMINISTRATOR, DOCTOR, RECEPTION, STRANGER, TABLE, Row
from tests.journeys.matrix_stage import Town, filled, names_in_path, settle, town

SLICES = ("/appointments", "/doctors/{doctor}/", "/patients", "/visits", "/consultations", "/ratings", "/queue/rating")
MOMENTS = [
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "2099-12-31T23:00:00+23:59",
    "2000-01-01T00:00:00Z",
    "2031-03-04T10:00:00.1234567890Z",
]
TEXTS = ["", " ", "\0", "\ud800", "\u202ex", "a" * 300, "-1", "9" * 30, "[]", "e30", "W251bGxd", "WzFlNDAwXQ"]
NUMBERS: list[Any] = [-1, 0, 2**31, 2**63, 10**40, 1e308, 0.5, True, None, [], {}, [None], {"a": []}]
EVERY = slice_or_whole(4, 1)
turn = itertools.count()


def some(odd: Sequence[Any]) -> Sequence[Any]:
    """One of every few of them, others each time; all in the whole."""
    return odd[next(turn) % EVERY :: EVERY]


def operations(live: Live) -> Iterator[tuple[Row, dict[str, Any], dict[str, Any]]]:
    """The rows of the table that are asked here, each with its operation and the members of its body."""
    document, seen = schema_of(live.app), set[str]()
    for row in TABLE:
        if row.path.removeprefix("/api/v1").startswith(SLICES):
            operation = document["paths"][row.path][row.method.lower()]
            content = operation.get("requestBody", {}).get("content", {})
            shape = content.get("application/json", {}).get("schema", {})
            known = [one["$ref"].rsplit("/")[-1] for one in (shape, *shape.get("anyOf", ())) if "$ref" in one]
            # What two operations take in the same form is read by the same code.
            fresh = [one for one in known if one not in seen]
            seen |= set(known)
            yield row, operation, document["components"]["schemas"][fresh[0]]["properties"] if fresh else {}


def bodies(plain: Any, members: Mapping[str, Any]) -> Iterator[Any]:
    """The body with each of its values, and each that it could have, in turn in every odd form."""
    for name in {**(plain or {}), **members}:
        yield from (dict(plain or {}) | {name: odd} for odd in some((*MOMENTS, *TEXTS, *NUMBERS)))
        inside = (plain or {}).get(name)
        if isinstance(inside, list) and inside and isinstance(inside[0], dict):
            yield from (dict(plain) | {name: [one]} for one in bodies(inside[0], {"valid_from": None}))


def queries(plain: Mapping[str, str], operation: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for parameter in operation.get("parameters", ()):
        if parameter.get("in") == "query":
            yield from (
                dict(plain) | {parameter["name"]: odd.replace("\ud800", "?")} for odd in some((*MOMENTS, *TEXTS))
            )


@pytest.fixture(scope="module")
async def house(live: Live) -> AsyncIterator[Town]:
    async with town(live) as one:
        await settle(one)
        yield one
    assert isinstance(live.services.clock, ShiftedClock)
    live.services.clock.offset = timedelta()


def asker(one: Town, row: Row) -> Any:
    return one.people[
        next(role for role in (ADMINISTRATOR, RECEPTION, DOCTOR, STRANGER) if role in {*row.who, STRANGER})
    ]


def address(one: Town, row: Row, **odd: str) -> str:
    path = row.path
    for name in names_in_path(row):
        path = path.replace(f"{{{name}}}", odd.get(name, one.things[row.things.get(name, name)]))
    return path


async def test_no_odd_value_breaks_anything(house: Town, live: Live) -> None:
    broken, asked = [], 0
    for row, operation, members in operations(live):
        who, plain = asker(house, row), filled(row.body, house.things)
        asking: list[dict[str, Any]] = [{"params": one} for one in queries(filled(row.query, house.things), operation)]
        asking += [{"content": json.dumps(one).encode()} for one in bodies(plain, members) if members]
        for one in asking:
            answer = await who.request(row.method, address(house, row), **one)
            asked += 1
            if answer.status_code >= 500:
                broken.append(f"{row.operation} {str(one)[:200]}: {answer.status_code}")
    assert broken == []
    assert asked > 1200 / EVERY


async def test_no_odd_address_breaks_anything(house: Town, live: Live) -> None:
    broken = []
    for row, _, _ in operations(live):
        for name in names_in_path(row):
            for odd in ("\0", "\u202e", "a" * 300, "-1", "0001-01-01", "%", "é"):
                path = address(house, row, **{name: quote(odd, safe="")})
                answer = await asker(house, row).request(row.method, path, json=filled(row.body, house.things))
                if answer.status_code >= 500:
                    broken.append(f"{row.method} {path}: {answer.status_code}")
    assert broken == []
