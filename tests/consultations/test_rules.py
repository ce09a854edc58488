"""How long a consultation took, and who may add to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.consultations.rules import (
    Consultation,
    ConsultationWithdrawn,
    NotTheAuthor,
    Standing,
    amended,
    seconds_between,
    withdrawn,
)

NOON = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DANA, OMAR = UUID(int=1), UUID(int=2)
FIRST = Consultation(
    id=UUID(int=9),
    ticket=UUID(int=8),
    clinic="lab",
    author=DANA,
    doctor="dana",
    visit=None,
    patient=None,
    started_at=NOON,
    ended_at=NOON + timedelta(minutes=9),
    duration_seconds=540,
    outcome="treated",
    referred_to=None,
    standing=Standing.FINAL,
    version=1,
)


@given(st.timedeltas(timedelta(days=-1), timedelta(days=1)))
def test_a_duration_is_whole_seconds_and_never_below_none(took: timedelta) -> None:
    assert seconds_between(NOON, NOON + took) == max(0, int(took.total_seconds()))


def test_an_amendment_is_the_next_version() -> None:
    after = amended(FIRST, author=DANA, outcome=None)
    assert after == replace(FIRST, outcome=None, standing=Standing.AMENDED, version=2)


def test_what_is_withdrawn_keeps_what_it_was() -> None:
    after = withdrawn(FIRST, author=DANA)
    assert after == replace(FIRST, standing=Standing.ENTERED_IN_ERROR, version=2)


@pytest.mark.parametrize("author", [OMAR, None])
def test_nobody_changes_what_another_wrote(author: UUID | None) -> None:
    with pytest.raises(NotTheAuthor):
        amended(FIRST, author=author, outcome="treated")
    with pytest.raises(NotTheAuthor):
        withdrawn(FIRST, author=author)


def test_what_was_withdrawn_stays_so() -> None:
    gone = withdrawn(FIRST, author=DANA)
    with pytest.raises(ConsultationWithdrawn):
        amended(gone, author=DANA, outcome="treated")
    with pytest.raises(ConsultationWithdrawn):
        withdrawn(gone, author=DANA)
