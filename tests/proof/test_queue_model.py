"""Histories of one clinic's queue that are right, and such as a faulty queue would leave."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proof.linearizability import Operation, Outcome, Verdict, check
from tests.proof.queue_model import STEPS, QueueModel

LAB = {"clinic": "lab"}


def verdict(operations: Iterable[Operation], **model: Any) -> Verdict:
    return check(QueueModel(**model), operations, deadline=10)


def entered(number: int, call: float, returned: float, /, **more: Any) -> Operation:
    """Person n takes ticket tn with the number n."""
    output = {"http": 201, "ticket": f"t{number}", "number": number, "status": "waiting", "existing": False}
    return Operation(number, call, returned, "enter", LAB | {"user": f"p{number}"}, output | more)


def did(verb: str, number: int, call: float, returned: float, **output: Any) -> Operation:
    """A verb with ticket tn, or ``call_next`` that got it."""
    asked = LAB if verb == "call_next" else {"ticket": f"t{number}"}
    status = STEPS["call" if verb == "call_next" else verb][1] if verb != "undo" else output["status"]
    seen = {"http": 200, "ticket": f"t{number}", "number": number, "status": status}
    return Operation(100 + number, call, returned, verb, asked, seen | output)


def refused(verb: str, number: int, call: float, returned: float, **output: Any) -> Operation:
    asked = LAB if verb == "call_next" else {"ticket": f"t{number}"}
    return Operation(200, call, returned, verb, asked, {"http": 409} | output)


def lost(one: Operation) -> Operation:
    return replace(one, returned=None, output=None)


def line(count: int) -> list[Operation]:
    """People who came one after the other, at 0, 2, 4 …"""
    return [entered(n, 2 * n - 2, 2 * n - 1) for n in range(1, count + 1)]


def looked(call: float, clinic: str = "lab", **board: Any) -> Operation:
    """Groups of the board in numbers of the first series, or as the codes that are shown."""
    shown = {
        name: [one if isinstance(one, str) else f"{one:03d}" for one in group] if isinstance(group, list) else group
        for name, group in board.items()
    }
    return Operation(300, call, call + 0.5, "status", {"clinic": clinic}, {"http": 200} | shown)


GOOD = {
    "two at once, the later asker first": [entered(2, 0, 5), entered(1, 1, 5)],
    "two desks at once": [*line(2), did("call_next", 2, 10, 15), did("call_next", 1, 11, 15)],
    "empty before the other's entry counts": [entered(1, 0, 5), refused("call_next", 0, 1, 2, code="queue_empty")],
    "one of two wins": [*line(1), did("call_next", 1, 10, 15), refused("call_next", 0, 10, 15, code="queue_empty")],
    "gone, then in line again": [
        *line(1),
        did("call_next", 1, 10, 11),
        did("no_show", 1, 12, 13),
        did("rejoin", 1, 14, 15, ahead=0),
        did("call_next", 1, 16, 17),
    ],
    "a lost call was made": [*line(2), lost(did("call_next", 1, 10, 11)), did("call_next", 2, 12, 13)],
    "a lost call was not made": [*line(2), lost(did("call_next", 1, 10, 11)), did("call_next", 1, 12, 13)],
    "a lost entry left a gap": [lost(entered(1, 0, 1)), entered(2, 2, 3)],
    "a lost entry found again": [
        lost(entered(1, 0, 1)),
        entered(2, 2, 3),
        entered(1, 4, 5, http=200, existing=True),
        did("call_next", 1, 6, 7),
    ],
    "undo of a step that was taken meanwhile is refused": [
        *line(1),
        did("call_next", 1, 10, 20),
        refused("undo", 1, 11, 21, code="nothing_to_undo", state="called"),
    ],
}
BAD = {
    "a number twice": [entered(1, 0, 5), replace(entered(2, 0, 5), output=entered(1, 0, 5).output)],
    "a number twice, under two ids": [entered(1, 0, 5), entered(2, 0, 5, number=1)],
    "an id twice": [entered(1, 0, 5), entered(2, 0, 5, ticket="t1")],
    "a number left out": [entered(1, 0, 1), entered(3, 2, 3)],
    "numbers against the order of time": [entered(2, 0, 1), entered(1, 2, 3)],
    "a lost ticket": [*line(1), refused("call_next", 0, 10, 11, code="queue_empty")],
    "a lost ticket, seen from its person": [*line(1), looked(9, waiting=[], last_number=1)],
    "the same person twice": [*line(1), replace(entered(2, 4, 5), input=LAB | {"user": "p1"})],
    "called twice": [*line(2), did("call_next", 1, 10, 15), did("call_next", 1, 10, 15)],
    "called by number while called": [*line(1), did("call_next", 1, 10, 15), did("call", 1, 10, 15)],
    "the first skipped": [*line(2), did("call_next", 2, 10, 11), looked(12, waiting=[1])],
    "answered before it counted": [*line(1), did("call_next", 1, 10, 11), looked(12, waiting=[1])],
    "done before it was called": [*line(1), did("done", 1, 3, 4), did("call_next", 1, 5, 6)],
    "one behind in the count": [*line(2), entered(3, 10, 11, ahead=1)],
    "back at the wrong end": [
        *line(4),
        did("call_next", 1, 10, 11),
        did("late", 1, 12, 13),
        looked(14, waiting=[2, 3, 4, 1]),
    ],
    "resumed at the end": [*line(3), did("hold", 1, 10, 11), did("resume", 1, 12, 13), looked(14, waiting=[2, 3, 1])],
    "undone after a later step": [
        *line(1),
        did("call_next", 1, 10, 11),
        did("undo", 1, 12, 13, status="waiting"),
        did("undo", 1, 14, 15, status="waiting"),
    ],
    "undo refused without a reason": [
        *line(1),
        did("call_next", 1, 10, 11),
        refused("undo", 1, 12, 13, code="nothing_to_undo", state="called"),
    ],
    "the wrong refusal": [*line(1), refused("serve", 1, 10, 11, code="wrong_state", state="called")],
    "a lost call made two calls": [
        *line(3),
        lost(did("call_next", 1, 10, 11)),
        did("call_next", 3, 12, 13),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_known_good(name: str) -> None:
    found = verdict(GOOD[name])
    assert found.ok, found.report()


@pytest.mark.parametrize("name", BAD)
def test_known_bad(name: str) -> None:
    found = verdict(BAD[name])
    assert found.outcome is Outcome.VIOLATED, found.report()


def test_a_full_queue_refuses() -> None:
    full = refused("enter", 0, 10, 11, code="queue_full")
    history = [*line(2), replace(full, input=LAB | {"user": "p3"})]
    assert verdict(history, capacity=2).ok
    assert not verdict(history, capacity=3).ok


def held_where_another_comes_back() -> list[Operation]:
    """1 rejoins behind 2 and 3, before 5; 4 was on hold between 3 and 5, and comes back."""
    steps = [("hold", 4), ("call", 1), ("no_show", 1), ("rejoin", 1), ("resume", 4)]
    return [*line(5), *(did(verb, n, 20 + 2 * i, 21 + 2 * i) for i, (verb, n) in enumerate(steps))]


@pytest.mark.parametrize("waiting", [[2, 3, 1, 4, 5], [2, 3, 4, 1, 5]])
def test_an_order_that_nobody_could_see_is_open(waiting: list[int]) -> None:
    assert verdict([*held_where_another_comes_back(), looked(40, waiting=waiting)]).ok


def test_but_not_any_order() -> None:
    for waiting in ([2, 3, 1, 5, 4], [2, 4, 3, 1, 5], [4, 2, 3, 1, 5], [3, 2, 1, 4, 5]):
        assert not verdict([*held_where_another_comes_back(), looked(40, waiting=waiting)]).ok


@pytest.mark.parametrize("back", [[2, 3, 1, 4, 5], [2, 3, 4, 1, 5]])
def test_an_order_once_seen_stays(back: list[int]) -> None:
    once = [*held_where_another_comes_back(), looked(40, waiting=back)]
    again = [*once, did("hold", 4, 42, 43), did("resume", 4, 44, 45)]
    other = [2, 3, 4, 1, 5] if back[2] == 1 else [2, 3, 1, 4, 5]
    assert verdict([*again, looked(46, waiting=back)]).ok
    assert not verdict([*again, looked(46, waiting=other)]).ok


# Any history of the model

VERBS = [*STEPS, *STEPS, "undo", "undo", "status"]
Wish = tuple[str, int, float, float, bool]
wishes = st.tuples(
    st.one_of(st.sampled_from(["enter", "enter", "call_next"]), st.sampled_from(VERBS)),
    st.integers(0, 5),
    st.floats(0, 1),
    st.floats(0, 1),
    st.booleans(),
)


def played(story: list[Wish], *, overlap: float) -> list[Operation]:
    """A run of the model: step n happens at n, asked at most ``overlap`` before it and answered at most so much after."""
    model, state, history = QueueModel(), QueueModel().initial(), []
    for n, (verb, pick, early, late, named) in enumerate(story):
        ids = [one.id for one in state.queue("lab").tickets]
        if verb == "enter":
            asked = LAB | {"user": f"p{pick}"}
        elif verb in ("call_next", "status"):
            asked = LAB
        else:
            asked = {"ticket": str(ids[-1 - pick % len(ids)]) if ids else "unknown"}
        operation = Operation(n, n - early * overlap, n + late * overlap, verb, asked, None)
        # Of several answers the model may give, the first or the last.
        answer = list(model.outcomes(state, operation))[0 if named else -1][0]
        if answer.get("ticket", "") is None:
            answer = answer | {"ticket": f"t{answer['number']}"}
        operation = replace(operation, output=answer)
        (state, *_) = model.step(state, operation)
        history.append(operation)
    return history


stories = st.lists(wishes, min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(stories, st.randoms(use_true_random=False))
def test_a_run_of_the_model_is_linearizable_however_its_steps_overlap(story: list[Wish], chance: Any) -> None:
    history = played(story, overlap=1.8)
    chance.shuffle(history)
    found = verdict(history)
    assert found.ok, found.report()


@settings(max_examples=40, deadline=None)
@given(stories, st.sets(st.integers(0, 24), max_size=4))
def test_also_where_some_answers_are_lost(story: list[Wish], missing: set[int]) -> None:
    history = played(story, overlap=1.2)
    # Nobody can name a ticket that was never shown, so that entries are lost elsewhere.
    found = verdict([lost(one) if n in missing and one.verb != "enter" else one for n, one in enumerate(history)])
    assert found.ok, found.report()


WRONG: dict[str, Any] = {"number": 99, "ticket": "t99", "status": "expired", "ahead": 99, "http": 202, "code": "wrong"}
WRONG |= {"existing": None, "state": "expired", "waiting": [99], "last_number": 99, "done": 99, "held": [99]}


@settings(max_examples=80, deadline=None)
@given(stories, st.data())
def test_one_impossible_answer_is_found(story: list[Wish], data: Any) -> None:
    history = played(story, overlap=1.2)
    at = data.draw(st.integers(0, len(history) - 1))
    output = history[at].output
    assert output is not None
    # Whoever enters may be given any id that nobody has.
    wrong = WRONG.keys() - ({"ticket"} if output["http"] == 201 else set())
    member = data.draw(st.sampled_from(sorted(output.keys() & wrong)))
    history[at] = replace(history[at], output=output | {member: WRONG[member]})
    found = verdict(history)
    assert found.outcome is Outcome.VIOLATED, (member, found.report())


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.data())
def test_two_answers_exchanged_are_found(count: int, data: Any) -> None:
    """Where the requests did not overlap, each answer belongs to its own."""
    people = line(count)
    one, other = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=2, max_size=2)))
    first, second = people[one].output, people[other].output
    people[one], people[other] = replace(people[one], output=second), replace(people[other], output=first)
    assert verdict(people).outcome is Outcome.VIOLATED
