"""An order of which not everything is known agrees with the list of all rows that it may be."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proof.order import Order

Rows = set[tuple[int, ...]]
PLACES = 5


def rows_of(order: Order) -> Rows:
    """All rows that agree with what is known."""
    known = [(one, other) for one in order.row for other in order.row if one != other and order.known(one, other)]
    return {row for row in permutations(order.row) if all(row.index(a) < row.index(b) for a, b in known)}


def test_what_is_appended_is_last() -> None:
    assert rows_of(Order().appended(1).appended(2)) == {(1, 2)}


def test_what_is_put_between_is_open_to_others_there() -> None:
    order = Order((1, 2, 3)).inserted(9, after=[1], before=[3])
    assert rows_of(order) == {(1, 2, 9, 3), (1, 9, 2, 3)}
    assert rows_of(order.learned(9, 2)) == {(1, 9, 2, 3)}
    assert rows_of(order.without(2)) == {(1, 9, 3)}


def test_what_follows_is_known() -> None:
    order = Order((1, 2, 3)).inserted(9, after=[1]).learned(9, 2)
    assert order.known(9, 3)


def test_the_contrary_of_what_is_known_cannot_be_learned() -> None:
    with pytest.raises(ValueError, match="is before"):
        Order((1, 2)).learned(2, 1)
    with pytest.raises(ValueError, match="on both sides"):
        Order((1, 2)).inserted(3, after=[2], before=[1])


steps = st.lists(st.tuples(st.sampled_from(["put", "learn", "drop"]), st.integers(0, 4), st.integers(0, 4)), max_size=9)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_it_is_what_the_list_of_all_rows_would_be(story: list[tuple[str, int, int]]) -> None:
    rows: Rows = {(0, 1)}
    order = Order((0, 1))
    for at, (step, one, other) in enumerate(story, 2):
        if step == "put" and len(order.row) < PLACES:
            after, before = [one] if one in order.row else [], [other] if other in order.row else []
            if one == other or (after and before and not _possible(rows, one, other)):
                continue
            order = order.inserted(at, after=after, before=before)
            wider = {row for old in rows for row in _with(old, at)}
            rows = {row for row in wider if _stands(row, at, after, before)}
        elif step == "learn" and one != other and _possible(rows, one, other):
            order = order.learned(one, other)
            rows = {row for row in rows if row.index(one) < row.index(other)}
        elif step == "drop":
            order, rows = order.without(one), {tuple(place for place in row if place != one) for row in rows}
        assert rows_of(order) == rows


def _possible(rows: Rows, one: int, other: int) -> bool:
    return any(one in row and other in row and row.index(one) < row.index(other) for row in rows)


def _with(row: tuple[int, ...], place: int) -> Rows:
    return {(*row[:index], place, *row[index:]) for index in range(len(row) + 1)}


def _stands(row: tuple[int, ...], place: int, after: list[int], before: list[int]) -> bool:
    index = row.index(place)
    return all(row.index(one) < index for one in after) and all(index < row.index(one) for one in before)
