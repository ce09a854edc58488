"""The judge sees what a faulty product would leave behind, and lets a good one pass."""

from dataclasses import replace
from typing import Any

import pytest

from tests.proof.faults import Result
from tests.proof.faults_judge import Kept, done_once, skipped
from tests.proof.linearizability import Operation
from tests.proof.report import table, total

SERIES = {"clinic": "lab", "service_day": "2026-11-22", "series": 1}


def did(verb: str, number: int, at: float, **asked: str) -> Operation:
    answer = {"http": 200, "ticket": f"t{number}", "number": number, "service_day": "2026-11-22"}
    if verb == "enter":
        answer |= {"http": 201}
    return Operation(1, at, at + 0.5, verb, {"clinic": "lab"} | asked, answer)


def event(version: int, number: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"stream": "queue:lab", "version": version, "entity": f"t{number}", "type": kind, "data": data}


GOOD = Kept(
    tickets=[SERIES | {"id": f"t{n}", "number": n, "status": "waiting"} for n in (1, 2)],
    events=[event(n, n, "ticket_entered", status="waiting") for n in (1, 2)],
    queues=[{"clinic": "lab", "version": 2, "waiting": 2}],
    counters=[{"scope": "lab", "service_day": "2026-11-22", "series": 1, "last": 2}],
)
BAD = {
    "a version left out": replace(GOOD, queues=[GOOD.queues[0] | {"version": 3}]),
    "somebody who waits not counted": replace(GOOD, queues=[GOOD.queues[0] | {"waiting": 1}]),
    "a ticket gone": replace(GOOD, tickets=GOOD.tickets[:1]),
    "a number twice": replace(GOOD, tickets=[GOOD.tickets[0], GOOD.tickets[1] | {"number": 1}]),
    "a counter ahead": replace(GOOD, counters=[GOOD.counters[0] | {"last": 3}]),
    "a counter behind": replace(GOOD, counters=[GOOD.counters[0] | {"last": 1}]),
    "no counter": replace(GOOD, counters=[]),
    "a status the log does not know": replace(GOOD, tickets=[GOOD.tickets[0], GOOD.tickets[1] | {"status": "done"}]),
}


def test_what_is_kept_is_right() -> None:
    assert GOOD.wrong() == []


@pytest.mark.parametrize("name", BAD)
def test_what_is_kept_is_wrong(name: str) -> None:
    assert BAD[name].wrong()


def turned(*days: str) -> Kept:
    return replace(GOOD, events=[event(n, 0, "service_day_turned", to=day) for n, day in enumerate(days)])


def test_a_day_turns_once_and_forwards() -> None:
    assert list(turned("2026-11-22", "2026-11-23").days_wrong()) == []
    for days in (["2026-11-23", "2026-11-22"], ["2026-11-22", "2026-11-22"], []):
        assert list(turned(*days).days_wrong())


def test_called_in_the_order_of_their_coming() -> None:
    calls = [did("call_next", n, n) for n in (1, 2, 3)]
    assert skipped(calls) == []
    assert skipped([calls[0], did("call_next", 3, 2), did("call_next", 2, 3)])


def test_overlapping_calls_have_no_order() -> None:
    assert skipped([did("call_next", 2, 1), did("call_next", 1, 1.2)]) == []


def test_whoever_was_put_back_in_line_has_another_place() -> None:
    history = [did("call_next", 1, 1), did("late", 1, 2, ticket="t1"), did("call_next", 2, 3), did("call_next", 1, 4)]
    assert skipped(history) == []


def test_what_was_answered_is_in_the_log_once() -> None:
    asked = [did("enter", 1, 1), did("call_next", 1, 2), did("done", 1, 3, ticket="t1")]
    kinds = ["ticket_entered", "ticket_called", "ticket_done"]
    log = [event(n, 1, kind) for n, kind in enumerate(kinds, 1)]
    assert done_once(asked, log) == ([], [])
    lost, again = done_once(asked, log[:2])
    assert (len(lost), again) == (1, [])
    lost, again = done_once(asked, [*log, event(4, 1, "ticket_done")])
    assert (lost, len(again)) == ([], 1)


def test_an_unknown_outcome_may_be_in_the_log_or_not() -> None:
    asked = [did("enter", 1, 1), replace(did("done", 1, 3, ticket="t1"), returned=None, output=None)]
    log = [event(1, 1, "ticket_entered"), event(2, 1, "ticket_done")]
    assert done_once(asked, log) == done_once(asked, log[:1]) == ([], [])


def test_the_table_has_a_line_for_each_and_a_sum() -> None:
    good = Result("a", "kill -9", times=2, operations=10, acknowledged=9, slowest=0.25)
    red = Result("b", "full disk", times=1, operations=5, lost=1, findings=("lost: t1",))
    absent = Result("c", "no fsync", skipped="strace is not here")
    lines = table([good, red, absent]).splitlines()
    assert len(lines) == 7
    assert [line.rstrip().rpartition("  ")[2].strip() for line in lines[2:5]] == [
        "ok",
        "RED",
        "skipped: strace is not here",
    ]
    assert (total([good, red, absent]).operations, total([good, red, absent]).verdict) == (15, "RED")
    assert total([good, absent]).verdict == "ok"
