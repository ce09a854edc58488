"""The domain, pure: which verb leads from where to where, what a code looks like, in what order people are called."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.tickets.events import PUBLIC, TYPES, Change, restored
from dawr.tickets.rules import (
    BEHIND_AT_MOST,
    BY_PATIENT,
    OPEN,
    STEP,
    TRANSITIONS,
    Placed,
    Priority,
    Queue,
    Status,
    Ticket,
    Verb,
    WrongState,
    code,
    group,
    is_late,
    joining_key,
    nanoseconds,
    order_for,
    place_first,
    place_near_front,
    series_letter,
    step,
)

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
TODAY = date(2026, 11, 21)
KEY = nanoseconds(NOW)
STEPS = [(status, verb) for verb, (allowed, _) in TRANSITIONS.items() for status in allowed]
ENDED = [status for status in Status if status not in OPEN]

statuses = st.sampled_from(Status)
verbs = st.sampled_from(Verb)
instants = st.timedeltas(timedelta(days=-3000), timedelta(days=3000)).map(lambda passed: NOW + passed)
orders = st.tuples(st.integers(0, 1), st.integers(KEY - 40, KEY + 40) | st.integers(0, KEY))
rooms = st.lists(orders, max_size=12, unique=True).map(sorted)


def ticket(status: Status, *, order_key: int = KEY, day: date = TODAY) -> Ticket:
    """A ticket as the database would hold it in this state."""
    called = NOW if status in (Status.CALLED, Status.SERVING, Status.DONE, Status.NO_SHOW) else None
    ended = status in ENDED
    return Ticket(
        id=UUID(int=1),
        clinic="lab",
        service_day=day,
        series=1,
        number=31,
        code="LAB-031",
        status=status,
        priority=Priority.NORMAL,
        rank=1,
        order_key=order_key,
        placed=Placed.ARRIVAL,
        doctor=None,
        desk="1" if called else None,
        language=None,
        entered_at=NOW,
        called_at=called,
        started_at=NOW if status is Status.SERVING else None,
        ended_at=NOW if ended else None,
        ended_day=TODAY if ended else None,
        calls=1 if called else 0,
    )


def queue(last_key: int = 0) -> Queue:
    return Queue("lab", TODAY, 1, 1, last_key, True, 0)


# From where to where


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("status", list(Status))
def test_a_verb_leads_to_its_state_or_is_refused_with_the_present_one(status: Status, verb: Verb) -> None:
    allowed, target = TRANSITIONS[verb]
    if status in allowed:
        assert step(ticket(status), verb, now=NOW, today=TODAY).status is target
    else:
        with pytest.raises(WrongState) as refused:
            step(ticket(status), verb, now=NOW, today=TODAY)
        assert refused.value.extra == {"state": status.value}


@given(st.sampled_from(OPEN), st.lists(verbs, max_size=20), instants)
def test_whatever_is_done_the_ticket_stays_whole(status: Status, story: list[Verb], now: datetime) -> None:
    one = ticket(status)
    for verb in story:
        if one.status in TRANSITIONS[verb][0]:
            one = step(one, verb, now=now, today=TODAY, desk="2")
        assert (one.status in OPEN) == (one.ended_at is None) == (one.ended_day is None)
        assert one.status not in (Status.CALLED, Status.SERVING) or one.called_at
        assert one.status is not Status.SERVING or one.started_at
        assert one.status is not Status.WAITING or not (one.desk or one.called_at or one.started_at)


@pytest.mark.parametrize(("status", "verb"), STEPS)
def test_who_it_is_and_their_number_never_change(status: Status, verb: Verb) -> None:
    before = ticket(status)
    after = step(before, verb, now=NOW, today=TODAY)
    kept = ("id", "clinic", "service_day", "series", "number", "code", "priority", "doctor", "entered_at", "order_key")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]


def test_every_state_can_be_reached_and_every_open_one_left() -> None:
    reached = {target for _, target in TRANSITIONS.values()} | {Status.WAITING}
    assert reached == set(Status)
    assert all(any(status in allowed for allowed, _ in TRANSITIONS.values()) for status in OPEN)


def test_of_what_has_ended_only_a_no_show_comes_back() -> None:
    assert [(verb, one) for verb, (allowed, _) in TRANSITIONS.items() for one in allowed if one in ENDED] == [
        (Verb.REJOIN, Status.NO_SHOW)
    ]


def test_only_who_was_called_can_be_timed_out() -> None:
    assert TRANSITIONS[Verb.NO_SHOW][0] == TRANSITIONS[Verb.LATE][0] == (Status.CALLED,)


def test_a_patient_may_cancel_and_be_late_and_nothing_else() -> None:
    assert {Verb.CANCEL, Verb.LATE} == BY_PATIENT


def test_every_verb_has_its_event() -> None:
    assert set(TYPES) == set(Verb)
    assert len(set(TYPES.values())) == len(Verb)


@given(st.integers(1, 400))
def test_nobody_comes_back_once_their_service_day_is_over(days: int) -> None:
    with pytest.raises(WrongState):
        step(ticket(Status.NO_SHOW), Verb.REJOIN, now=NOW, today=TODAY + timedelta(days=days))


@pytest.mark.parametrize(("status", "verb"), STEPS)
def test_what_an_event_keeps_restores_the_ticket(status: Status, verb: Verb) -> None:
    before = ticket(status)
    after = step(before, verb, now=NOW + timedelta(minutes=1), today=TODAY, desk="2")
    data = Change(TYPES[verb], before, after).data(TODAY)
    assert {name: getattr(before, name) for name in restored(data["before"])} == restored(data["before"])
    assert set(PUBLIC) <= set(data)


@pytest.mark.parametrize("status", list(Status))
def test_a_screen_knows_six_groups(status: Status) -> None:
    assert group(status) == (status.value if status in (*OPEN, Status.DONE) else "gone")
    assert group(None) is None


# Late


@given(statuses, st.timedeltas(timedelta(0), timedelta(hours=2)), st.integers(1, 7200))
def test_late_are_only_the_called_whose_time_has_passed(status: Status, passed: timedelta, patience: int) -> None:
    late = is_late(ticket(status), now=NOW + passed, after=timedelta(seconds=patience))
    assert late == (status is Status.CALLED and passed > timedelta(seconds=patience))


def test_where_patience_is_endless_nobody_is_late() -> None:
    assert not is_late(ticket(Status.CALLED), now=NOW + timedelta(days=9), after=None)


# Codes


@pytest.mark.parametrize(
    ("series", "number", "text"),
    [
        (1, 1, "LAB-001"),
        (1, 31, "LAB-031"),
        (1, 1000, "LAB-1000"),
        (2, 1, "LAB-B001"),
        (3, 12, "LAB-C012"),
        (26, 1, "LAB-Z001"),
        (27, 1, "LAB-AA001"),
        (52, 1, "LAB-AZ001"),
        (703, 1, "LAB-AAA001"),
    ],
)
def test_a_code_reads(series: int, number: int, text: str) -> None:
    assert code("LAB", series, number) == text


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 20_000), st.integers(1, 20_000))
def test_two_tickets_never_share_a_code(one: int, other: int, number: int, another: int) -> None:
    assert (code("LAB", one, number) == code("LAB", other, another)) == ((one, number) == (other, another))


@given(st.integers(1, 10_000))
def test_letters_count_like_the_columns_of_a_spreadsheet(series: int) -> None:
    value = 0
    for letter in series_letter(series):
        value = value * 26 + ord(letter) - ord("A") + 1
    assert value == series


def test_a_ticket_of_an_earlier_day_is_marked() -> None:
    assert ticket(Status.WAITING, day=date(2026, 11, 9)).shown_code(TODAY) == "LAB-031/09"
    assert ticket(Status.WAITING).shown_code(TODAY) == "LAB-031"


# The order of joining


@given(st.lists(instants, min_size=1, max_size=30))
def test_whatever_the_clock_does_arrival_keeps_its_order(clock: list[datetime]) -> None:
    keys, last = [], 0
    for now in clock:
        last = joining_key(queue(last), now)
        keys.append(last)
    assert keys == sorted(set(keys))


credits = st.timedeltas(timedelta(0), timedelta(days=1))


@given(instants, credits, st.timedeltas(timedelta(0), timedelta(days=1)), st.integers(1, 5000))
def test_a_credit_never_reaches_behind_the_start_of_the_day(
    start: datetime, credit: timedelta, after: timedelta, number: int
) -> None:
    key = nanoseconds(start + after) + number * STEP
    rank, order = order_for(Priority.PRIORITY, key=key, credit=credit, day_start=start, number=number)
    assert rank == 1
    assert nanoseconds(start) < order <= key


@given(st.lists(st.timedeltas(timedelta(0), timedelta(hours=20)), min_size=2, max_size=20), credits)
def test_people_of_one_class_keep_their_order(arrivals: list[timedelta], credit: timedelta) -> None:
    last, found = 0, []
    for number, after in enumerate(sorted(arrivals), 1):
        last = joining_key(queue(last), NOW + after)
        found.append(order_for(Priority.PRIORITY, key=last, credit=credit, day_start=NOW, number=number))
    assert found == sorted(set(found))


@given(credits, st.timedeltas(timedelta(microseconds=1), timedelta(days=2)))
def test_who_waits_longer_than_the_credit_beats_a_class(credit: timedelta, more: timedelta) -> None:
    preferred = order_for(Priority.PRIORITY, key=KEY, credit=credit, day_start=NOW - timedelta(days=9), number=2)
    assert preferred > (1, nanoseconds(NOW - credit - more))


@given(orders, st.integers(0, 2 * KEY))
def test_emergencies_come_before_all_others(other: tuple[int, int], key: int) -> None:
    emergency = order_for(Priority.EMERGENCY, key=key, credit=timedelta(), day_start=NOW, number=1)
    assert other[0] == 0 or emergency < other


# The order of those put back


@given(rooms)
def test_near_the_front_is_behind_at_most_two_and_the_front_where_there_is_room(room: list[tuple[int, int]]) -> None:
    place = place_near_front(room[:3], key=2 * KEY)
    ahead = sum(one <= place for one in room)
    assert ahead <= BEHIND_AT_MOST
    assert len(room) > BEHIND_AT_MOST or ahead == len(room)
    assert place not in room


@given(rooms, st.integers(1, 60))
def test_however_many_come_back_each_stands_behind_at_most_two(room: list[tuple[int, int]], count: int) -> None:
    for n in range(count):
        place = place_near_front(room[:3], key=2 * KEY + n * STEP)
        assert sum(one <= place for one in room) <= BEHIND_AT_MOST
        room = sorted([*room, place])
    assert len(set(room)) == len(room)


@pytest.mark.parametrize(
    "front", [[(1, 5), (1, 5), (1, 5)], [(1, 5), (1, 6), (1, 7)], [(0, 5), (1, 5), (1, 6)], [(0, 1), (0, 1), (1, 1)]]
)
def test_near_the_front_where_no_gap_is_left(front: list[tuple[int, int]]) -> None:
    assert sum(one <= place_near_front(front, key=KEY) for one in front) <= BEHIND_AT_MOST


@given(rooms)
def test_first_is_before_everybody(room: list[tuple[int, int]]) -> None:
    place = place_first(room[:3], key=2 * KEY)
    assert all(place < one for one in room)


# Durations


@given(st.timedeltas(timedelta(hours=-2), timedelta(hours=2)))
def test_no_service_takes_less_than_nothing(passed: timedelta) -> None:
    done = step(ticket(Status.SERVING), Verb.DONE, now=NOW + passed, today=TODAY)
    assert done.duration == max(passed, timedelta())


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.DONE])
def test_only_what_is_done_took_time(status: Status) -> None:
    assert ticket(status).duration is None
