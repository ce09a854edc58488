"""The states of a visit, pure."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dawr.tickets import rules as tickets
from dawr.tickets.rules import Status as Ticket
from dawr.visits import rules
from dawr.visits.events import TAKEN_BACK, type_of
from dawr.visits.rules import OPEN, TRANSITIONS, News, Status, Stop, Verb, Visit, WrongVisitState

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
TODAY = date(2026, 11, 21)
QUIET = News(came=False, taken_back=False)
CAME = News(came=True, taken_back=False)
BACK = News(came=True, taken_back=True)
stops = st.lists(st.builds(lambda status, begun: stop(status, begun=begun), st.sampled_from(Ticket), st.booleans()))


def visit(status: Status) -> Visit:
    started = NOW if status is Status.IN_PROGRESS else None
    ended = None if status in OPEN else NOW
    return Visit(UUID(int=1), UUID(int=2), TODAY, 7, status, NOW, started_at=started, ended_at=ended)


def stop(status: Ticket, *, clinic: str = "lab", begun: bool = False) -> Stop:
    return Stop(UUID(int=3), clinic, status, begun)


def followed(status: Status, *states: Ticket, news: News = QUIET) -> Status:
    return rules.followed(visit(status), [stop(one) for one in states], news, now=NOW).status


def test_the_number_reads_with_its_day() -> None:
    assert visit(Status.WAITING).shown_number == "V-20261121-0007"
    assert rules.shown_number(TODAY, 12345) == "V-20261121-12345"


@pytest.mark.parametrize(
    ("before", "states", "after"),
    [
        (Status.WAITING, [Ticket.CALLED], Status.WAITING),
        (Status.WAITING, [Ticket.SERVING], Status.IN_PROGRESS),
        (Status.WAITING, [Ticket.DONE, Ticket.WAITING], Status.IN_PROGRESS),
        (Status.IN_PROGRESS, [Ticket.DONE], Status.COMPLETED),
        (Status.IN_PROGRESS, [Ticket.DONE, Ticket.NO_SHOW], Status.COMPLETED),
        (Status.WAITING, [Ticket.NO_SHOW, Ticket.CANCELLED], Status.NO_SHOW),
        (Status.WAITING, [Ticket.CANCELLED], Status.CANCELLED),
        (Status.WAITING, [Ticket.EXPIRED], Status.CANCELLED),
        (Status.IN_PROGRESS, [Ticket.TRANSFERRED, Ticket.DONE], Status.COMPLETED),
        (Status.IN_PROGRESS, [Ticket.HELD], Status.IN_PROGRESS),
    ],
)
def test_a_visit_follows_its_tickets(before: Status, states: list[Ticket], after: Status) -> None:
    assert followed(before, *states) is after


def test_what_reception_ended_stays_ended_until_somebody_comes_back() -> None:
    assert followed(Status.CANCELLED, Ticket.CANCELLED, Ticket.WAITING) is Status.CANCELLED
    assert followed(Status.CANCELLED, Ticket.CANCELLED, Ticket.WAITING, news=CAME) is Status.WAITING
    assert followed(Status.COMPLETED, Ticket.SERVING, news=BACK) is Status.IN_PROGRESS


def test_a_service_taken_back_takes_the_progress_back() -> None:
    assert followed(Status.IN_PROGRESS, Ticket.CALLED, news=QUIET) is Status.IN_PROGRESS
    assert followed(Status.IN_PROGRESS, Ticket.CALLED, news=BACK) is Status.WAITING
    assert type_of(Status.IN_PROGRESS, Status.WAITING) == TAKEN_BACK


@settings(max_examples=40)
@given(st.sampled_from(Status), stops, st.booleans(), st.booleans())
def test_times_belong_to_the_state(before: Status, seen: list[Stop], came: bool, taken_back: bool) -> None:
    after = rules.followed(visit(before), seen, News(came, taken_back), now=NOW)
    assert (after.ended_at is None) == (after.status in OPEN)
    assert after.started_at is not None or after.status is not Status.IN_PROGRESS


@settings(max_examples=40)
@given(stops.filter(bool))
def test_an_open_visit_has_an_open_ticket_and_an_ended_one_none(seen: list[Stop]) -> None:
    moving = [one for one in seen if one.status is not Ticket.TRANSFERRED]
    after = rules.followed(visit(Status.WAITING), seen, CAME, now=NOW)
    assert (after.status in OPEN) == any(one.status in tickets.OPEN for one in moving)


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("status", Status)
def test_a_verb_applies_where_the_table_says(verb: Verb, status: Status) -> None:
    if status in TRANSITIONS[verb][0]:
        after = rules.step(visit(status), verb, [], now=NOW, today=TODAY)
        assert after.status is TRANSITIONS[verb][1]
        return
    with pytest.raises(WrongVisitState) as refused:
        rules.step(visit(status), verb, [], now=NOW, today=TODAY)
    assert refused.value.extra == {"state": status.value}


@pytest.mark.parametrize("verb", [Verb.CANCEL, Verb.NO_SHOW])
def test_nobody_is_sent_away_from_a_desk(verb: Verb) -> None:
    with pytest.raises(WrongVisitState):
        rules.step(visit(Status.WAITING), verb, [stop(Ticket.SERVING)], now=NOW, today=TODAY)


def test_a_visit_of_yesterday_is_not_reopened() -> None:
    with pytest.raises(WrongVisitState):
        rules.step(visit(Status.CANCELLED), Verb.REOPEN, [], now=NOW, today=date(2026, 11, 22))


@settings(max_examples=40)
@given(st.sampled_from([Verb.CANCEL, Verb.NO_SHOW, Verb.COMPLETE]), stops)
def test_every_open_ticket_has_an_ending_that_the_queue_allows(verb: Verb, seen: list[Stop]) -> None:
    ending = rules.endings(verb, [one for one in seen if one.status is not Ticket.SERVING or verb is Verb.COMPLETE])
    assert all(one.status in tickets.TRANSITIONS[step][0] for one, step in ending)


def test_queues_are_locked_in_the_order_of_their_names() -> None:
    seen = [stop(Ticket.WAITING, clinic=clinic) for clinic in ("xray", "lab", "eyes")]
    assert [one.clinic for one, _ in rules.endings(Verb.CANCEL, seen)] == ["eyes", "lab", "xray"]
