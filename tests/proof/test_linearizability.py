"""The checker knows good histories from bad ones; the register is the literature's example (Herlihy and Wing 1990)."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proof.linearizability import Operation, Outcome, Verdict, check, check_parts


class Register:
    """Holds one value, 0 at first."""

    def initial(self) -> int:
        return 0

    def step(self, state: int, operation: Operation) -> Sequence[int]:
        if operation.verb == "write":
            return [operation.input["value"]]
        return [state] if operation.output is None or operation.output["value"] == state else []

    def only_looks(self, operation: Operation) -> bool:
        return operation.verb == "read"


def write(process: int, value: int, call: float, returned: float | None) -> Operation:
    return Operation(process, call, returned, "write", {"value": value}, None if returned is None else {})


def read(process: int, value: int, call: float, returned: float | None, **where: Any) -> Operation:
    return Operation(process, call, returned, "read", where, {"value": value})


def verdict(*operations: Operation) -> Verdict:
    return check(Register(), operations, deadline=10)


GOOD = {
    "nothing": [],
    "one after the other": [write(1, 1, 0, 1), read(2, 1, 2, 3)],
    "reads during a write see either value": [write(1, 1, 0, 9), read(2, 0, 1, 2), read(3, 1, 3, 4)],
    "read both ways at once": [write(1, 1, 0, 9), read(2, 1, 1, 5), read(3, 0, 1, 5)],
    "writes at once in either order": [write(1, 1, 0, 5), write(2, 2, 0, 5), read(3, 2, 6, 7), read(3, 2, 8, 9)],
    "a read that began early sees a later write": [read(1, 2, 0, 9), write(2, 1, 1, 2), write(2, 2, 3, 4)],
    "a write that returned last came first": [write(1, 1, 0, 9), write(2, 2, 1, 3), read(3, 2, 4, 5)],
    "the same instant overlaps": [write(1, 1, 0, 5), read(2, 0, 5, 6)],
}
BAD = {
    "a value nobody wrote": [write(1, 1, 0, 1), read(2, 2, 0, 3)],
    "a read after the write sees the old value": [write(1, 1, 0, 1), read(2, 0, 2, 3)],
    "seen, then not seen any more": [write(1, 1, 0, 9), read(2, 1, 1, 2), read(3, 0, 3, 4)],
    "two readers disagree on the order": [
        write(1, 1, 0, 3),
        write(2, 2, 0, 3),
        read(3, 1, 4, 5),
        read(4, 2, 6, 7),
        read(3, 1, 8, 9),
    ],
    "seen before it was asked for": [read(1, 1, 0, 1), write(2, 1, 2, 3)],
}


@pytest.mark.parametrize("name", GOOD)
def test_known_good(name: str) -> None:
    found = verdict(*GOOD[name])
    assert found.ok, found.report()
    assert sorted(found.longest, key=str) == sorted(GOOD[name], key=str)


@pytest.mark.parametrize("name", BAD)
def test_known_bad(name: str) -> None:
    found = verdict(*BAD[name])
    assert found.outcome is Outcome.VIOLATED
    assert len(found.longest) < len(BAD[name])


def test_the_report_shows_what_fits_and_what_does_not() -> None:
    early, late = write(1, 1, 0, 1), read(2, 0, 2, 3)
    found = verdict(early, late)
    assert (found.longest, found.stuck) == ((early,), late)
    assert f"fits nowhere: {late}" in found.report()


# Unknown outcomes


def test_an_unknown_write_may_have_happened() -> None:
    assert verdict(write(1, 1, 0, None), read(2, 1, 1, 2)).ok


def test_or_happen_much_later() -> None:
    assert verdict(write(1, 1, 0, None), read(2, 0, 1, 2), read(2, 0, 3, 4), read(2, 1, 5, 6)).ok


def test_or_never() -> None:
    found = verdict(write(1, 1, 0, None), read(2, 0, 1, 2))
    assert found.ok
    assert len([one for one in found.longest if one.verb == "read"]) == 1


def test_even_where_the_model_would_not_allow_it_at_the_end() -> None:
    class Once(Register):
        def step(self, state: int, operation: Operation) -> Sequence[int]:
            return super().step(state, operation) if operation.verb == "read" or not state else []

    lost, done = write(1, 1, 0, None), write(2, 2, 1, 2)
    assert check(Once(), [lost, done, read(2, 2, 3, 4)], deadline=10).ok


@pytest.mark.parametrize(
    "history",
    [
        [write(1, 1, 5, None), read(2, 1, 1, 2)],
        [write(1, 1, 0, None), read(2, 1, 1, 2), read(2, 0, 3, 4)],
        [write(1, 1, 0, None), write(2, 0, 3, 4), read(2, 1, 1, 2), read(2, 0, 5, 6), read(2, 1, 7, 8)],
    ],
    ids=["before it was asked", "and then not any more", "twice"],
)
def test_but_neither_early_nor_twice_nor_undone(history: list[Operation]) -> None:
    assert verdict(*history).outcome is Outcome.VIOLATED


# Objects, states, time


def test_each_object_is_judged_by_itself() -> None:
    operations = [
        Operation(1, 0, 1, "write", {"value": 1, "in": "x"}, {}),
        read(2, 0, 2, 3, **{"in": "y"}),
        read(2, 0, 4, 5, **{"in": "x"}),
    ]
    found = check_parts(Register(), operations, part=lambda one: str(one.input["in"]), deadline=10)
    assert {name: one.outcome for name, one in found.items()} == {"x": Outcome.VIOLATED, "y": Outcome.LINEARIZABLE}


class Coin:
    """A toss leaves either side up; a look decides which."""

    def initial(self) -> str:
        return "heads"

    def step(self, state: str, operation: Operation) -> Sequence[str]:
        if operation.verb == "toss":
            return ["heads", "tails"]
        return [state] if operation.output == {"up": state} else []

    def only_looks(self, operation: Operation) -> bool:
        return False


def test_a_model_may_leave_several_states_open() -> None:
    toss = Operation(1, 0, 1, "toss", {}, {})
    looks = [Operation(1, 2 * n, 2 * n + 1, "look", {}, {"up": up}) for n, up in enumerate(("tails", "heads"), 1)]
    assert check(Coin(), [toss, looks[0]], deadline=10).ok
    assert check(Coin(), [toss, looks[1]], deadline=10).ok
    assert check(Coin(), [toss, *looks], deadline=10).outcome is Outcome.VIOLATED


def test_a_look_that_decides_what_was_open_may_also_come_later() -> None:
    """The coin lay tails up; then it was turned, and then looked at, all at once with the first look."""

    class Turned(Coin):
        def step(self, state: str, operation: Operation) -> Sequence[str]:
            if operation.verb == "turn":
                return ["tails" if state == "heads" else "heads"]
            return super().step(state, operation)

        def only_looks(self, operation: Operation) -> bool:
            return operation.verb == "look"

    late = Operation(1, 2, 9, "look", {}, {"up": "heads"})
    early = Operation(2, 2.5, 9.5, "look", {}, {"up": "tails"})
    turn = Operation(3, 3, 9, "turn", {}, {})
    toss, last = Operation(1, 0, 1, "toss", {}, {}), Operation(1, 10, 11, "look", {}, {"up": "heads"})
    assert check(Turned(), [toss, late, early, turn, last], deadline=10).ok


def test_it_gives_up_in_time() -> None:
    found = check(Register(), [write(1, 1, 0, 1)], deadline=0)
    assert found.outcome is Outcome.TIMED_OUT
    assert found.stuck


def test_what_was_tried_is_not_tried_again() -> None:
    """Twelve writes at once have 479 million orders, but only 12 x 2^11 pairs of who wrote and who wrote last."""
    writes = [write(n, n, 0, 100) for n in range(1, 13)]
    found = verdict(*writes, read(99, 99, 101, 102))
    assert found.outcome is Outcome.VIOLATED
    assert found.tried < 12 * 12 * 2**11


times = st.integers(0, 12)
operations = st.builds(
    lambda verb, value, call, length: (
        write(0, value, call, call + length) if verb else read(0, value, call, call + length)
    ),
    st.booleans(),
    st.integers(0, 2),
    times,
    times,
)


def by_trying_all(left: list[Operation], value: int = 0) -> bool:
    """Linearizability as it is defined, for few operations."""
    first_return = min((one.returned or 0 for one in left), default=0)
    return not left or any(
        by_trying_all([other for other in left if other is not one], after)
        for one in left
        if one.call <= first_return
        for after in Register().step(value, one)
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(operations, max_size=6))
def test_it_finds_what_trying_all_orders_finds(history: list[Operation]) -> None:
    assert verdict(*history).ok is by_trying_all(history)
