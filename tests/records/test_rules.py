"""How many marks become one figure, and which days are asked for."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.platform.errors import Invalid
from dawr.records.rules import LONGEST_SPAN, STARS, Tally, span

TODAY = date(2026, 11, 21)


@given(st.lists(st.sampled_from(STARS)))
def test_a_tally_counts_what_was_given(marks: list[int]) -> None:
    tally = Tally.of((mark, 1) for mark in marks)
    assert tally.count == len(marks)
    assert tally.given == {stars: marks.count(stars) for stars in STARS}
    assert tally.mean == (round(sum(marks) / len(marks), 2) if marks else None)


def test_the_same_stars_may_come_in_parts() -> None:
    assert Tally.of([(5, 2), (4, 1), (5, 3)]).given == {1: 0, 2: 0, 3: 0, 4: 1, 5: 5}


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        (None, None, (date(2026, 10, 23), TODAY)),
        (TODAY, None, (TODAY, TODAY)),
        (None, date(2026, 1, 31), (date(2026, 1, 2), date(2026, 1, 31))),
        (None, date.min, (date.min, date.min)),
        (TODAY - LONGEST_SPAN, TODAY, (TODAY - LONGEST_SPAN, TODAY)),
    ],
)
def test_what_is_not_said_is_the_last_thirty_days(
    first: date | None, last: date | None, found: tuple[date, date]
) -> None:
    assert span(first, last, today=TODAY) == found


@pytest.mark.parametrize("first", [TODAY + timedelta(days=1), TODAY - LONGEST_SPAN - timedelta(days=1)])
def test_a_span_has_an_order_and_an_end(first: date) -> None:
    with pytest.raises(Invalid):
        span(first, TODAY, today=TODAY)
