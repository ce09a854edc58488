"""Who is first among thousands who wait is looked up, not searched for, whatever they wait for; see ``rules_waiting``."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dawr.appointments import store_waiting
from dawr.appointments.commands import cancel
from dawr.appointments.rules_schedule import GRAIN
from dawr.appointments.rules_waiting import CELLS, LEVELS, cell, nodes
from tests.appointments.conftest import MONDAY, Practice, at, daily
from tests.proof.test_query_plans import nodes as plan_nodes

MANY, MOST_BLOCKS = 5000, 300
# They want any time of the next day, the whole list, or, every hundredth, what lies far ahead.
_MANY = """
CREATE TEMP TABLE many ON COMMIT DROP AS
  SELECT gen_random_uuid() AS patient, gen_random_uuid() AS waiting, n FROM generate_series(1, %(many)s) n;
INSERT INTO patient (facility_id, patient, survivor, created_at, version) SELECT %(f)s, patient, patient, now(), 1 FROM many;
INSERT INTO appointment_waiting (facility_id, waiting, patient, doctor, earliest, latest, status, created_at, version)
  SELECT %(f)s, waiting, patient, 'dana', %(from)s, %(until)s, 'waiting', now(), 1 FROM many;
INSERT INTO appointment_wanted (facility_id, doctor, node, created_at, waiting)
  SELECT %(f)s, 'dana', node, now(), waiting FROM many, unnest(%(nodes)s::int[]) AS node;
"""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
instants = st.timedeltas(timedelta(days=400), timedelta(days=36_000)).map(lambda since: EPOCH + since)


def above(moment: datetime) -> set[int]:
    return {(CELLS + cell(moment)) >> level for level in range(LEVELS + 1)}


@given(instants, st.timedeltas(timedelta(), timedelta(days=400)), instants)
@example(at("10:00"), timedelta(), at("10:00"))
def test_a_slot_meets_a_span_exactly_where_it_begins_in_it(first: datetime, long: timedelta, start: datetime) -> None:
    before = first - (first - EPOCH) % GRAIN
    for begins in (start - (start - EPOCH) % GRAIN, before, before + GRAIN):
        met = above(begins) & set(nodes(first, first + long))
        assert len(met) == (1 if first <= begins <= first + long else 0)


@given(instants, instants)
def test_no_span_takes_many_nodes(one: datetime, other: datetime) -> None:
    assert len(list(nodes(min(one, other), max(one, other)))) <= 2 * LEVELS


def test_who_takes_any_time_is_written_once() -> None:
    assert list(nodes(None, None)) == [1]


# A server that looked at the table when only somebody else's list was in it expects nothing of any other facility.
_LOOKED = """
SET LOCAL session_replication_role = replica;
INSERT INTO appointment_wanted (facility_id, doctor, node, created_at, waiting)
  SELECT '00000000-0000-0000-0000-000000000000', 'dana', 1 + n %% 20, now(), gen_random_uuid() FROM generate_series(1, 3000) n;
ANALYZE appointment_wanted;
DELETE FROM appointment_wanted WHERE facility_id = '00000000-0000-0000-0000-000000000000';
SET LOCAL session_replication_role = origin;
"""


# One that looked at the table while the list was being written, before it was committed, takes it for many empty pages.
_LOOKED_MEANWHILE = """
DELETE FROM pg_statistic WHERE starelid = 'appointment_wanted'::regclass;
UPDATE pg_class SET reltuples = 0, relpages = pg_relation_size(oid) / 8192 WHERE oid = 'appointment_wanted'::regclass
  OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'appointment_wanted'::regclass);
"""


@pytest.fixture(
    params=[("", ""), (_LOOKED, ""), ("", _LOOKED_MEANWHILE)],
    ids=["never looked at", "looked at before", "looked at meanwhile"],
)
async def long_list(practice: Practice, database_url: str, request: pytest.FixtureRequest) -> Practice:
    """Dana has one slot a day, which is taken; thousands wait for the next day's."""
    await practice.hours(daily("10:00", "10:15"))
    tomorrow = MONDAY + timedelta(days=1)
    span = {"from": at("08:00", tomorrow), "until": at("20:00", tomorrow)}
    before, meanwhile = request.param
    params = span | {"f": practice.house.facility.id, "many": MANY, "nodes": list(nodes(*span.values()))}
    with psycopg.connect(database_url, cursor_factory=psycopg.ClientCursor) as owner:
        owner.execute(before + _MANY + meanwhile, params)
    return practice


def blocks(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def scans(plan: dict[str, Any]) -> Iterator[str]:
    return (node["Node Type"] for node in plan_nodes(plan) if node.get("Relation Name") == "appointment_wanted")


async def test_a_freed_slot_goes_to_the_one_who_wants_it(long_list: Practice) -> None:
    made = await long_list.book("10:00")
    last = await long_list.wait(earliest=at("08:00"), latest=at("20:00"))
    await long_list.step(cancel, made)
    offered = await long_list.offered(last)
    assert offered is not None
    assert offered.starts == at("10:00")


@pytest.mark.parametrize("day", [0, 1, 2], ids=["nobody wants it", "everybody wants it", "too late for them"])
async def test_it_costs_the_same_however_many_wait(long_list: Practice, day: int) -> None:
    [slot] = await long_list.slots(MONDAY + timedelta(days=day))
    asked = {"doctor": "dana", "starts": [slot.starts], "cells": [cell(slot.starts)], "who": [], "when": []}
    async with long_list.house.here().read() as tx:
        [report] = await tx.value("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + store_waiting.FIRST, **asked)
    assert blocks(report["Plan"]) < MOST_BLOCKS
    assert "Seq Scan" not in set(scans(report["Plan"]))
