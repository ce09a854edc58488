"""A consultation that breaks in the middle leaves nothing: not the ticket's end, not the notes, not the average, not the
referral. Each step is broken in the database itself, where it is written."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest

from dawr.tickets.rules import Status
from tests.conftest import House
from tests.consultations.conftest import Room

STEPS = {
    "the ticket": ("ticket", "UPDATE", "NEW.status IN ('done', 'transferred')"),
    "the ticket there": ("ticket", "INSERT", "true"),
    "its number": ("counter", "INSERT", "true"),
    "its place in the visit": ("visit_ticket", "INSERT", "true"),
    "the queue": ("queue", "UPDATE", "true"),
    "the visit": ("visit", "UPDATE", "true"),
    "the consultation": ("consultation", "INSERT", "true"),
    "its notes": ("consultation_note", "INSERT", "true"),
    "the average": ("doctor_average", "INSERT", "true"),
    "the log": ("event", "INSERT", "NEW.type = 'consultation_completed'"),
    "the key": ("idempotency_claim", "UPDATE", "true"),
}
ONLY_REFERRED = {"the ticket there", "its number", "its place in the visit"}
ONLY_ENDED = {"the visit"}
REFUSED = "RAISE EXCEPTION 'broken here' USING ERRCODE = 'check_violation';"
CUT = "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5);"
HOW = {"a constraint": REFUSED, "the connection": CUT}


@contextmanager
def broken(url: str, house: House, step: str, how: str) -> Iterator[None]:
    """While a write of this step fails in this house: by a constraint, or because the server ends the connection."""
    table, event, when = STEPS[step]
    name = f"broken_{secrets.token_hex(6)}"
    only = f"NEW.facility_id = '{house.facility.id}' AND {when}"
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            f" AS $$ BEGIN {HOW[how]} RETURN NEW; END $$"
        )
        owner.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN ({only}) EXECUTE FUNCTION {name}()"
        )
        try:
            yield
        finally:
            owner.execute(f"DROP FUNCTION {name} CASCADE")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("refer", [False, True], ids=["ended", "referred"])
async def test_whatever_breaks_nothing_stays(room: Room, database_url: str, how: str, refer: bool) -> None:
    patient, ticket = await room.patient()
    where = {"refer_to": "xray"} if refer else {}
    before, key = await room.kept(), uuid4().hex
    for step in STEPS.keys() - (ONLY_ENDED if refer else ONLY_REFERRED):
        with broken(database_url, room.house, step, how):
            answer = await room.consult(ticket, key=key, **where)
        assert answer.status_code == (503 if how == "the connection" else 500), (step, answer.text)
        assert await room.kept() == before, step
    made = await room.consult(ticket, key=key, **where)
    assert (made.status_code, made.json()["patient"]) == (201, str(patient))
    assert (await room.figures())[0] == 1


async def test_an_average_that_cannot_go_on_keeps_the_ticket_open(room: Room, database_url: str) -> None:
    """The table's own limit: a whole number that is full."""
    await room.consulted(await room.walk_in())
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            "UPDATE doctor_average SET consultations = 2147483647 WHERE facility_id = %s", [room.house.facility.id]
        )
    ticket = await room.walk_in()
    before = await room.kept()
    assert (await room.consult(ticket)).status_code == 500
    assert await room.kept() == before


@pytest.mark.parametrize(
    ("refer_to", "status", "code"),
    [("nowhere", 404, "clinic_not_found"), ("lab", 409, "already_in_queue"), ("xray", 409, "already_in_queue")],
    ids=["no such clinic", "the same clinic", "there already"],
)
async def test_a_referral_that_is_refused_ends_nothing(room: Room, refer_to: str, status: int, code: str) -> None:
    patient, ticket = await room.patient()
    await room.again(patient, clinic="xray")
    before = await room.kept()
    answer = await room.consult(ticket, refer_to=refer_to)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await room.kept() == before
    assert (await room.floor.ticket(ticket.id)).status is Status.SERVING


async def test_two_at_once_are_one_consultation(room: Room) -> None:
    ticket = await room.walk_in()
    answers = await asyncio.gather(*(room.consult(ticket) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    rows = await room.kept()
    assert (len(rows["consultation"]), len(rows["consultation_note"]), (await room.figures())[0]) == (1, 1, 1)
