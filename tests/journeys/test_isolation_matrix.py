"""Every operation × every role × this house and another: who may, may; who may not, changes nothing; and nobody finds out what
another house has."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from dawr.platform.clock import ShiftedClock
from dawr.platform.http.openapi import ANYWHERE, schema_of
from tests.conftest import Live
from tests.journeys.matrix import ADMINISTRATOR, DISPLAY, DOCTOR, OPERATOR, RECEPTION, ROLES, STRANGER, TABLE, Row
from tests.journeys.matrix_stage import ITS_OWN, NO_ID, NOBODYS, PLAIN, Town, settle, things_of, town

# What differs between two answers a moment apart.
_MOMENT = re.compile(r'"(as_of|cursor|timestamp|age_seconds)":("[^"]*"|[0-9.]+)')
# Members of a body that name something a facility owns, by whatever operation they are taken.
NAMING = frozenset(
    {"patient", "into", "ticket", "visit", "clinic", "clinics", "doctor", "department", "refer_to", "desk"}
)
# Parameters that name nothing of a facility's.
NAMELESS = frozenset(
    {"limit", "cursor", "total", "date", "day", "status", "purpose", "unread", "ended", "from", "to", "last_event_id"}
    | {"needs_rebooking"}
)


@dataclass(frozen=True)
class Stage:
    """``away`` lists what was answered to the other house's people before anything had happened at ``home``."""

    home: Town
    away: Town
    before: Mapping[str, str]


@pytest.fixture(scope="module")
async def stage(live: Live) -> AsyncIterator[Stage]:
    async with town(live) as away, town(live) as home:
        await settle(away)
        before = await lists(away)
        await settle(home)
        yield Stage(home, away, before)
    assert isinstance(live.services.clock, ShiftedClock)
    live.services.clock.offset = timedelta()


async def lists(one: Town) -> dict[str, str]:
    """What everybody in a house is answered who asks for a list, a status, a figure: whatever needs no id."""
    rows = [row for row in TABLE if row.method == "GET" and "{" not in row.path and not row.path.startswith(ANYWHERE)]
    return {
        f"{row.operation} {role}": same(await one.ask(one.people[role], row))
        for row in rows
        for role in ROLES
        if role in row.who - {OPERATOR}
    }


def same(answer: httpx2.Response, *names: str) -> str:
    """Status and body without the moment and without the names that were asked for."""
    text = answer.text
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "…")
    return f"{answer.status_code} {_MOMENT.sub('', text)}"


# The table and the document


@pytest.fixture(scope="module")
def document(live: Live) -> dict[str, Any]:
    return schema_of(live.app)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        yield from ((f"{method.upper()} {path}", operation) for method, operation in item.items())


def members(document: Mapping[str, Any], operation: Mapping[str, Any]) -> set[str]:
    """The members of an operation's body that are named so, or are ids."""
    content = operation.get("requestBody", {}).get("content", {})
    shape = content.get("application/json", {}).get("schema", {})
    references = [one["$ref"] for one in (shape, *shape.get("anyOf", ())) if "$ref" in one]
    known = document["components"]["schemas"]
    found = {name: one for ref in references for name, one in known[ref.rsplit("/")[-1]]["properties"].items()}
    return {name for name, one in found.items() if name in NAMING or '"uuid"' in str(one).replace("'", '"')}


def test_every_operation_has_its_row_and_every_row_its_operation(document: dict[str, Any]) -> None:
    documented, listed = {name for name, _ in operations(document)}, {row.operation for row in TABLE}
    assert (documented - listed, listed - documented) == (set(), set())


def test_the_rows_name_all_that_an_operation_can_be_asked_about(document: dict[str, Any]) -> None:
    """A parameter or a member that is added to an operation is asked across the wall, or said to name nothing."""
    missing = []
    for name, operation in operations(document):
        rows = [row for row in TABLE if row.operation == name]
        queries = {one["name"] for one in operation.get("parameters", ()) if one.get("in") == "query"} - NAMELESS
        given = {member for row in rows for member in {**row.query, **(row.body or {})}}
        missing += [f"{name} {member}" for member in (queries - PLAIN | members(document, operation)) - given]
    assert missing == []


# At home


async def test_who_may_not_is_told_so_and_changes_nothing(stage: Stage) -> None:
    home, wrong = stage.home, []
    before = await home.rows()
    for row in TABLE:
        kept_out = [role for role in ROLES if role not in row.who]
        answers = await asyncio.gather(*(home.ask(home.people[role], row) for role in kept_out))
        wrong += [
            f"{row.operation} {role}: {answer.status_code} {answer.text[:200]}"
            for role, answer in zip(kept_out, answers, strict=True)
            if answer.status_code != (401 if role == STRANGER else 403)
        ]
    assert wrong == []
    assert await home.rows() == before


# Across the wall


async def test_no_list_no_count_and_no_figure_knows_of_the_other_house(stage: Stage) -> None:
    """They are what they were before anything happened there."""
    after = await lists(stage.away)
    assert {name: (stage.before[name], text) for name, text in after.items() if text != stage.before[name]} == {}


async def test_a_member_of_another_house_has_no_role_here(stage: Stage) -> None:
    """Whoever names a house in which they are nothing, finds none: with every operation that is a facility's at all."""
    wrong = []
    for row in TABLE:
        if row.path.startswith(ANYWHERE):
            continue
        answer = await stage.home.ask(stage.away.people[ADMINISTRATOR], row, X_Facility=stage.home.things["facility"])
        if (answer.status_code, "facility_not_found" in answer.text) != (404, True):
            wrong.append(f"{row.operation}: {same(answer)[:200]}")
    assert wrong == []


def asked_across() -> Iterator[tuple[Row, str]]:
    for row in TABLE:
        fresh = row.fresh if row.method == "POST" else frozenset()
        yield from ((row, thing) for thing in sorted(things_of(row)) if thing not in fresh)


def askers(row: Row) -> list[str]:
    """Doctors, and who may do the most of the others; administrators also where nobody of a house may."""
    others = [role for role in (ADMINISTRATOR, RECEPTION, DISPLAY) if role in row.who]
    return [role for role in (DOCTOR, *others[:1]) if role in row.who] or [ADMINISTRATOR]


async def test_what_another_house_has_is_as_what_nobody_has(stage: Stage) -> None:
    """Asked at home about each thing of the other house, the answer is the one about a thing that does not exist."""
    wrong, asked = [], 0
    for row, thing in asked_across():
        theirs = stage.home.things[ITS_OWN.get(thing, thing)]
        nobodys = NOBODYS.get(ITS_OWN.get(thing, thing), NO_ID)
        for role in askers(row):
            who = stage.away.people[role]
            answers = [await stage.away.ask(who, row, {thing: one}) for one in (theirs, nobodys)]
            first, second = (same(one, theirs, nobodys) for one in answers)
            asked += 1
            if first != second:
                wrong.append(f"{row.operation} {thing} {role}: {first[:300]} | {second[:300]}")
    assert wrong == []
    assert asked > 150


async def test_a_statement_that_forgets_the_house_sees_no_other(stage: Stage) -> None:
    """In every table of facilities: under no house nothing, under one its own rows alone, however many there are."""
    home, away = await stage.home.rows(), await stage.away.rows()
    async with stage.home.house.services.db.read() as tx:
        nowhere = {name: await tx.value(f"SELECT count(*) FROM {name}") for name in home}
    assert {name: count for name, count in nowhere.items() if count} == {}
    ours, theirs = str(stage.home.house.facility.id), str(stage.away.house.facility.id)
    assert [name for name, rows in home.items() if any(theirs in row for row in rows)] == []
    assert [name for name, rows in away.items() if any(ours in row for row in rows)] == []
    assert len([name for name, rows in home.items() if rows and away[name]]) > 25


@pytest.mark.parametrize("kind", ["ticket", "appointment"])
async def test_a_secret_opens_nothing_in_another_house(stage: Stage, kind: str) -> None:
    home, away = stage.home, stage.away
    staff = home.people[ADMINISTRATOR]
    path = {"ticket": "/api/v1/queue/ticket/", "appointment": "/api/v1/appointments/"}[kind]
    follow = (await staff.get(path + home.things[kind])).json()["follow"]
    secret = {f"{kind.title()}-Secret": follow.rpartition("/")[2]}
    assert (await home.people[STRANGER].get(path + home.things[kind], headers=secret)).status_code == 200
    told = []
    for thing in (home.things[kind], away.things[kind], NO_ID):
        answer = await away.people[STRANGER].get(path + thing, headers=secret)
        told.append(same(answer, thing))
    assert len(set(told)) == 1, told
    assert told[0].startswith("404")


# At home again: last, since what is allowed is done


async def test_who_may_is_not_kept_from_it(stage: Stage) -> None:
    home, wrong = stage.home, []
    for row in TABLE:
        for role in (role for role in ROLES if role in row.who):
            answer = await home.ask(home.people[role], row)
            if answer.status_code not in row.answers:
                wrong.append(f"{row.operation} {role}: {answer.status_code} {answer.text[:300]}")
    assert wrong == []
