"""An estimate of a wait: honest, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.waits.rules import ENOUGH, LONGEST_SECONDS, PRIOR_WEIGHT, SHORTEST_SECONDS, Pace, estimate, pace

plans = st.none() | st.floats(10, 28_800)
services = st.lists(st.floats(-10_000, 100_000), max_size=60)
desks = st.integers(0, 50)
paces = st.builds(
    Pace, st.floats(SHORTEST_SECONDS, LONGEST_SECONDS), st.integers(1, 50), st.integers(0, 60), st.booleans()
)
people = st.integers(0, 3_000)


def mean(planned: float | None, *observed: float) -> float:
    found = pace(planned_seconds=planned, observed=observed, desks_at_work=1, desks_planned=1)
    assert found is not None
    return found.mean_seconds


# Pace


@given(st.integers(0, ENOUGH - 1), desks)
def test_without_a_plan_a_few_services_say_nothing(seen: int, at_work: int) -> None:
    assert pace(planned_seconds=None, observed=[300.0] * seen, desks_at_work=at_work, desks_planned=2) is None


def test_without_a_plan_enough_services_do() -> None:
    assert mean(None, *[300.0] * ENOUGH) == 300


def test_without_any_desk_nothing_can_be_said() -> None:
    assert pace(planned_seconds=480, observed=[], desks_at_work=0, desks_planned=0) is None


def test_without_services_the_plan_stands() -> None:
    assert mean(480) == 480


@given(st.floats(60, 3600), st.floats(60, 3600), st.integers(1, 60))
def test_the_mean_moves_from_the_plan_towards_what_is_seen(planned: float, seen: float, count: int) -> None:
    fewer, more = mean(planned, *[seen] * (count - 1)), mean(planned, *[seen] * count)
    assert abs(more - seen) <= abs(fewer - seen) + 1e-6
    assert min(planned, seen) - 1e-6 <= more <= max(planned, seen) + 1e-6


def test_as_many_services_as_the_plan_weighs_are_worth_half() -> None:
    assert mean(400, *[800.0] * int(PRIOR_WEIGHT)) == pytest.approx(600)


def test_one_odd_service_does_not_swing_a_morning() -> None:
    assert mean(480, 4 * 3600.0) < 4 * 480
    assert mean(480, 100_000.0) == mean(480, LONGEST_SECONDS)


@given(st.lists(st.floats(-10_000, SHORTEST_SECONDS - 0.1), max_size=30))
def test_slips_of_the_finger_and_jumps_of_the_clock_are_no_services(slips: list[float]) -> None:
    assert mean(480, *slips) == 480


@given(plans, services, desks, desks)
def test_a_pace_is_always_possible(planned: float | None, seen: list[float], at_work: int, open_desks: int) -> None:
    found = pace(planned_seconds=planned, observed=seen, desks_at_work=at_work, desks_planned=open_desks)
    if found is not None:
        assert found.desks == (at_work or open_desks) > 0
        assert 10 <= found.mean_seconds <= 28_800


@pytest.mark.parametrize(
    ("seen", "at_work", "basis"),
    [(0, 0, "planned"), (0, 2, "planned"), (1, 2, "mixed"), (ENOUGH, 0, "mixed"), (ENOUGH, 2, "observed")],
)
def test_the_basis_is_told(seen: int, at_work: int, basis: str) -> None:
    found = pace(planned_seconds=480, observed=[300.0] * seen, desks_at_work=at_work, desks_planned=2)
    assert found is not None
    assert estimate(3, found).basis == basis


# Estimate


@given(people, paces)
def test_the_range_contains_what_is_likely(ahead: int, at: Pace) -> None:
    wait = estimate(ahead, at)
    assert 0 <= wait.low_minutes <= wait.likely_minutes <= wait.high_minutes


@given(people, paces)
def test_whoever_has_more_people_ahead_waits_no_less(ahead: int, at: Pace) -> None:
    one, next_one = estimate(ahead, at), estimate(ahead + 1, at)
    assert one.likely_minutes <= next_one.likely_minutes
    assert one.low_minutes <= next_one.low_minutes
    assert one.high_minutes <= next_one.high_minutes


@given(people, paces)
def test_more_desks_make_no_wait_longer(ahead: int, at: Pace) -> None:
    more = Pace(at.mean_seconds, at.desks + 1, at.observed, at.planned_desks)
    assert estimate(ahead, more).likely_minutes <= estimate(ahead, at).likely_minutes
    assert estimate(ahead, more).high_minutes <= estimate(ahead, at).high_minutes


@given(st.integers(1, 3_000), paces)
def test_what_is_better_known_has_a_narrower_range(ahead: int, at: Pace) -> None:
    known = Pace(at.mean_seconds, at.desks, at.observed + 50, at.planned_desks)
    wide, narrow = estimate(ahead, at), estimate(ahead, known)
    assert narrow.high_minutes - narrow.low_minutes <= wide.high_minutes - wide.low_minutes


def test_the_next_waits_for_a_desk_to_become_free() -> None:
    wait = estimate(0, Pace(480, 2, 0, planned_desks=False))
    assert (wait.low_minutes, wait.likely_minutes, wait.high_minutes) == (0, 0, 4)


def test_four_people_at_two_desks_of_eight_minutes() -> None:
    assert estimate(4, Pace(480, 2, 0, planned_desks=False)).likely_minutes == 16
