"""Histories with priorities, doctors, desks, transfers and new series: such as are right, and such as a faulty queue leaves."""

import random
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests.proof.linearizability import Operation, Outcome, Verdict
from tests.proof.queue_model import STEPS, QueueModel, check_queues
from tests.proof.test_queue_model import LAB, did, entered, line, looked, lost

DESKS = {"lab": ("1", "2"), "xray": ("1",)}


def verdicts(operations: Iterable[Operation], **model: Any) -> dict[str, Verdict]:
    return check_queues(operations, deadline=20, model=QueueModel(**({"desks": DESKS} | model)))


def brought(number: int, call: float, priority: str, **more: Any) -> Operation:
    one = entered(number, call, call + 1, **more)
    return replace(one, input=dict(one.input) | {"priority": priority})


def named(number: int, call: float, doctor: str) -> Operation:
    one = entered(number, call, call + 1)
    return replace(one, input=dict(one.input) | {"doctor": doctor})


def by_doctor(number: int, call: float, doctor: str = "dana") -> Operation:
    one = did("call_next", number, call, call + 1)
    return replace(one, input=LAB | {"by": doctor})


def at_xray(number: int, call: float, returned: float) -> Operation:
    """Person 100 + n takes ticket xn of the other clinic."""
    one = entered(number, call, returned, ticket=f"x{number}")
    return replace(one, input={"clinic": "xray", "user": f"p{100 + number}"})


def passed_on(ticket: str, number: int, call: float, place: str = "end", to: str = "xray", **more: Any) -> Operation:
    """The ticket there is ``xn``."""
    seen = {"http": 200, "ticket": f"x{number}", "number": number, "status": "waiting"}
    return Operation(400, call, call + 1, "transfer", {"ticket": ticket, "to": to, "place": place}, seen | more)


def there(verb: str, number: int, call: float, **seen: Any) -> Operation:
    """A verb with ticket xn of the other clinic."""
    ticket = f"x{number}"
    return replace(did(verb, number, call, call + 1, ticket=ticket, **seen), input={"ticket": ticket})


def undone(ticket: str, call: float, status: str) -> Operation:
    return Operation(400, call, call + 1, "undo", {"ticket": ticket}, {"http": 200, "ticket": ticket, "status": status})


def not_undone(ticket: str, call: float, state: str) -> Operation:
    answer = {"http": 409, "code": "nothing_to_undo", "state": state}
    return Operation(400, call, call + 1, "undo", {"ticket": ticket}, answer)


def reset(call: float, clinic: str = "lab", **board: Any) -> Operation:
    seen = replace(looked(call, clinic, **board), verb="reset")
    return replace(seen, input={"clinic": clinic, "reason": "drill"})


EMPTY: dict[str, Any] = {"waiting": [], "called": [], "serving": [], "held": [], "last_number": 0}
THERE = [*line(2), at_xray(1, 10, 11), at_xray(2, 12, 13)]
URGENT = [*line(2), brought(3, 10, "emergency"), brought(4, 12, "emergency"), brought(5, 14, "priority")]
# Ticket x2 stands there by when its person joined the lab, which overlaps with when x1 joined; x3 is before both.
SAME_INSTANT = [
    entered(1, 0, 5),
    at_xray(1, 1, 4),
    passed_on("t1", 2, 10, "by_arrival"),
    replace(at_xray(3, 12, 13), input={"clinic": "xray", "user": "p103", "priority": "emergency"}),
    at_xray(4, 14, 15),
    there("call", 4, 16),
]
# 1 and 2 are put between 5 and 6, the one while the other is on hold; then 5 is the first in line.
SAME_PLACE = [
    *line(7),
    *(did(verb, n, 20 + n, 20.5 + n) for verb in ("call", "no_show") for n in (1, 2, 3)),
    did("rejoin", 1, 30, 31, ahead=2),
    did("hold", 1, 32, 33),
    did("rejoin", 2, 34, 35, ahead=2),
    did("resume", 1, 36, 37),
    did("call", 4, 38, 39),
]

GOOD = {
    "emergencies first, then priorities": [*URGENT, entered(6, 16, 17), looked(20, waiting=[3, 4, 5, 1, 2, 6])],
    "an emergency keeps its place on hold": [
        *URGENT,
        did("hold", 3, 20, 21),
        did("resume", 3, 22, 23, ahead=0),
    ],
    "priorities in the order in which they came": [
        *line(1),
        brought(2, 10, "priority"),
        brought(3, 12, "priority", ahead=1),
    ],
    "back near the front, behind two emergencies": [
        *URGENT,
        did("call", 1, 20, 21),
        did("late", 1, 22, 23, ahead=2),
        looked(24, waiting=[3, 4, 1, 5, 2]),
    ],
    "back between two who may have come at one instant": [*SAME_INSTANT, there("late", 4, 18, ahead=2)],
    "back before two who may have come at one instant": [*SAME_INSTANT, there("late", 4, 18, ahead=1)],
    "back between two who may stand at one place": [*SAME_PLACE, did("rejoin", 3, 40, 41, ahead=2)],
    "back before two who may stand at one place": [*SAME_PLACE, did("rejoin", 3, 40, 41, ahead=1)],
    "a doctor takes their own and nobody's": [
        named(1, 0, "omar"),
        named(2, 2, "dana"),
        entered(3, 4, 5),
        by_doctor(2, 10),
        by_doctor(3, 12),
    ],
    "the only desk need not be named": [
        at_xray(1, 0, 1),
        replace(did("call_next", 1, 2, 3, ticket="x1", desk="1"), input={"clinic": "xray"}),
    ],
    "a recall leads to another desk, and its undoing back": [
        *line(1),
        replace(did("call_next", 1, 10, 11, desk="1"), input=LAB | {"desk": "1"}),
        replace(did("recall", 1, 12, 13, desk="2"), input={"ticket": "t1", "desk": "2"}),
        undone("t1", 14, "called"),
        looked(16, called=[1], desks={"001": "1"}),
    ],
    "passed on to the end": [
        *THERE,
        passed_on("t1", 3, 20),
        looked(22, "xray", waiting=[1, 2, 3]),
        looked(23, waiting=[2]),
    ],
    "to the front": [*THERE, passed_on("t1", 3, 20, "front"), looked(22, "xray", waiting=[3, 1, 2])],
    "by arrival": [*THERE, passed_on("t1", 3, 20, "by_arrival"), looked(22, "xray", waiting=[3, 1, 2])],
    "by an arrival that overlapped, before": [
        entered(1, 0, 5),
        at_xray(1, 1, 4),
        passed_on("t1", 2, 20, "by_arrival", ahead=0),
    ],
    "by an arrival that overlapped, behind": [
        entered(1, 0, 5),
        at_xray(1, 1, 4),
        passed_on("t1", 2, 20, "by_arrival", ahead=1),
    ],
    "a transfer taken back": [
        *THERE,
        passed_on("t1", 3, 20),
        undone("t1", 22, "waiting"),
        looked(24, waiting=[1, 2]),
        looked(25, "xray", waiting=[1, 2], gone=1, last_number=3),
    ],
    "a transfer that somebody went on with stays": [
        *THERE,
        passed_on("t1", 3, 20),
        there("hold", 3, 22),
        not_undone("t1", 24, "transferred"),
    ],
    "a lost transfer left a gap": [*THERE, lost(passed_on("t1", 3, 20)), at_xray(4, 22, 23), looked(24, waiting=[2])],
    "a new series begins at 1": [
        *line(2),
        reset(10, **EMPTY, gone=2, series=2),
        entered(1, 12, 13, ticket="u1", series=2),
    ],
    "who comes back after a new series has the old code": [
        *line(2),
        did("call", 1, 10, 11),
        did("no_show", 1, 12, 13),
        reset(14, **EMPTY, gone=2),
        replace(entered(1, 16, 17, ticket="u1"), input=LAB | {"user": "p9"}),
        did("rejoin", 1, 18, 19, ahead=1),
        looked(20, waiting=["B001", "001"]),
    ],
}

BAD = {
    "an emergency behind a priority": [*URGENT, looked(20, waiting=[5, 3, 4, 1, 2])],
    "the later emergency first": [*URGENT, looked(20, waiting=[4, 3, 5, 1, 2])],
    "a priority behind somebody who came before": [*line(1), brought(2, 10, "priority", ahead=1)],
    "the later priority first": [*line(1), brought(2, 10, "priority"), brought(3, 12, "priority", ahead=0)],
    "somebody without priority before one": [brought(1, 0, "priority"), entered(2, 2, 3, ahead=0)],
    "back before two emergencies": [*URGENT, did("call", 1, 20, 21), did("late", 1, 22, 23, ahead=0)],
    "back at the end": [*URGENT, did("call", 1, 20, 21), did("late", 1, 22, 23, ahead=4)],
    "back before two who did not come at one instant": [
        replace(SAME_INSTANT[0], returned=0.5),
        *SAME_INSTANT[1:],
        there("late", 4, 18, ahead=1),
    ],
    "back before an emergency, where there is room behind it": [*SAME_INSTANT, there("late", 4, 18, ahead=0)],
    "back before two who joined one queue at once": [
        *(entered(n, 0, 5) for n in (1, 2, 3, 4)),
        did("call", 4, 10, 11),
        did("late", 4, 12, 13, ahead=1),
    ],
    "a doctor takes another's": [named(1, 0, "omar"), named(2, 2, "dana"), by_doctor(1, 10)],
    "a doctor passes over nobody's": [entered(1, 0, 1), named(2, 2, "dana"), by_doctor(2, 10)],
    "the wrong desk": [*line(1), replace(did("call_next", 1, 10, 11, desk="2"), input=LAB | {"desk": "1"})],
    "a desk that is not there": [*line(1), replace(did("call_next", 1, 10, 11), input=LAB | {"desk": "9"})],
    "held, and still at a desk": [
        *line(1),
        replace(did("call_next", 1, 10, 11, desk="1"), input=LAB | {"desk": "1"}),
        did("hold", 1, 12, 13, desk="1"),
    ],
    "the called out of the order in which they were": [
        *line(2),
        did("call", 2, 10, 11),
        did("call", 1, 12, 13),
        looked(14, called=[1, 2]),
    ],
    "passed on, and still here": [*THERE, passed_on("t1", 3, 20), looked(22, waiting=[1, 2])],
    "passed on, and not there": [*THERE, passed_on("t1", 3, 20), looked(22, "xray", waiting=[1, 2])],
    "passed on twice": [*THERE, passed_on("t1", 3, 20), passed_on("t1", 4, 22)],
    "passed on to where the person waits": [
        *line(1),
        replace(at_xray(1, 10, 11), input={"clinic": "xray", "user": "p1"}),
        passed_on("t1", 2, 20),
    ],
    "passed on to the end, and not at the end": [*THERE, passed_on("t1", 3, 20, ahead=1)],
    "to the front, and not in front": [*THERE, passed_on("t1", 3, 20, "front", ahead=1)],
    "by arrival, and behind who came later": [*THERE, passed_on("t1", 3, 20, "by_arrival", ahead=1)],
    "by arrival, and before who came earlier": [
        at_xray(1, 0, 1),
        entered(1, 2, 3),
        passed_on("t1", 2, 20, "by_arrival", ahead=0),
    ],
    "half of a transfer": [
        *THERE,
        passed_on("t1", 3, 20),
        undone("t1", 22, "waiting"),
        looked(24, "xray", waiting=[1, 2, 3]),
    ],
    "a transfer taken back and its number used again": [
        *THERE,
        passed_on("t1", 3, 20),
        undone("t1", 22, "waiting"),
        at_xray(3, 24, 25),
    ],
    "a transfer taken back after somebody went on with it": [
        *THERE,
        passed_on("t1", 3, 20),
        there("hold", 3, 22),
        undone("t1", 24, "waiting"),
    ],
    "a number left out in the new series": [*line(2), reset(10), entered(2, 12, 13, ticket="u1")],
    "numbers that go on in the new series": [*line(2), reset(10), entered(3, 12, 13)],
    "somebody left over from the old series": [*line(2), reset(10), looked(12, waiting=[2])],
    "a reset taken back": [*line(1), reset(10), undone("t1", 12, "waiting")],
    "a person who must come again, and may not": [
        *line(1),
        reset(10),
        replace(entered(1, 12, 13, http=200, existing=True), input=LAB | {"user": "p1"}),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_known_good(name: str) -> None:
    for found in verdicts(GOOD[name]).values():
        assert found.ok, found.report()


@pytest.mark.parametrize("name", BAD)
def test_known_bad(name: str) -> None:
    assert Outcome.VIOLATED in {found.outcome for found in verdicts(BAD[name]).values()}


def test_clinics_that_people_are_passed_on_between_are_one_object() -> None:
    history = [
        *THERE,
        passed_on("t1", 3, 20),
        replace(entered(1, 0, 1, ticket="e1"), input={"clinic": "eyes", "user": "p7"}),
    ]
    assert set(verdicts(history)) == {"lab+xray", "eyes"}
    assert set(verdicts(THERE)) == {"lab", "xray"}


def test_a_ticket_that_nobody_was_shown_is_not_found() -> None:
    unknown = Operation(1, 0, 1, "serve", {"ticket": "t9"}, {"http": 404, "code": "ticket_not_found"})
    assert [found.ok for found in verdicts([unknown]).values()] == [True]


# Two thousand operations

CLIENTS, OPERATIONS = 16, 2_000
VERBS = [*STEPS, "enter", "enter", "enter", "enter", "enter", "call_next", "call_next", "transfer", "undo", "status"]


def long_history(seed: int) -> list[Operation]:
    """Sixteen clients of two clinics, who wait in line for a lock and are answered soon after having had it: the effect is at n,
    the question up to 12 before and the answer up to 4 after it."""
    chance, model = random.Random(seed), QueueModel(desks=DESKS)
    state, history, shown = model.initial(), [], ["nobody's"]
    free = [0.0] * CLIENTS
    for n in range(OPERATIONS):
        client = min(range(CLIENTS), key=free.__getitem__)
        verb, clinic = chance.choice(VERBS), chance.choice([*DESKS])
        asked = {"enter": {"clinic": clinic, "user": f"p{chance.randrange(400)}"}}
        asked |= {name: {"clinic": clinic} for name in ("status", "call_next")}
        place = {"to": clinic, "place": chance.choice(["end", "front", "by_arrival"])} if verb == "transfer" else {}
        body = asked.get(verb, {"ticket": chance.choice(shown[-60:])} | place)
        begun, done = max(free[client], n - 12 * chance.random()), n + 4 * chance.random()
        operation = Operation(client, begun, done, verb, body, None)
        answer = chance.choice(list(model.outcomes(state, operation)))[0]
        if answer.get("ticket", "") is None:
            answer = answer | {"ticket": f"id-{n}"}
        history.append(replace(operation, output=answer))
        state = chance.choice(list(model.step(state, history[-1])))
        shown += [answer["ticket"]] if "ticket" in answer else []
        free[client] = done
    return history


def test_two_thousand_operations_of_sixteen_clients_are_judged_in_seconds() -> None:
    history, begun = long_history(1), time.monotonic()
    found = verdicts(history)["lab+xray"]
    took = time.monotonic() - begun
    assert found.ok, found.report()
    print(f"{len(history)} operations, {found.tried} steps tried, {took:.1f} s")


def test_also_where_answers_are_lost() -> None:
    history = [lost(one) if n % 100 == 50 and one.verb != "enter" else one for n, one in enumerate(long_history(3))]
    found = verdicts(history)["lab+xray"]
    assert found.ok, found.report()


def test_one_wrong_answer_among_them_is_red() -> None:
    history = long_history(1)
    at, one = next((n, one) for n, one in enumerate(history) if n > 1_500 and one.verb == "status")
    assert one.output
    history[at] = replace(one, output=dict(one.output) | {"waiting": one.output["waiting"][1:]})
    found = check_queues(history, deadline=3, model=QueueModel(desks=DESKS))["lab+xray"]
    assert not found.ok
