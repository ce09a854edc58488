"""What people say of their visit, pure: the marks they may give, and how many marks become one figure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from dawr.platform.errors import N_, Conflict, Invalid

STARS = (1, 2, 3, 4, 5)
LONGEST_WORD = 280
LONGEST_SPAN = timedelta(days=366)
USUAL_SPAN = timedelta(days=29)
MOST_WORDS = 200


class NotServedYet(Conflict):
    """``extra["state"]`` is the ticket's."""

    code = "not_served_yet"
    title = N_("This can be rated once the visit is over")


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each number of stars was given."""

    given: Mapping[int, int]

    @classmethod
    def of(cls, counts: Iterable[tuple[int, int]]) -> "Tally":
        """From pairs of stars and how often, the same stars any number of times."""
        given = dict.fromkeys(STARS, 0)
        for stars, times in counts:
            given[stars] += times
        return cls(given)

    @property
    def count(self) -> int:
        return sum(self.given.values())

    @property
    def mean(self) -> float | None:
        """To two decimals; ``None`` where nobody gave any."""
        total = sum(stars * times for stars, times in self.given.items())
        return round(total / self.count, 2) if self.count else None


def span(first: date | None, last: date | None, *, today: date) -> tuple[date, date]:
    """The service days asked for, both included; what is not said is today and the 29 days before the last."""
    until = last or today
    since = first or (until - USUAL_SPAN if until.toordinal() > USUAL_SPAN.days else date.min)
    if since > until or until - since > LONGEST_SPAN:
        raise Invalid(N_("Ask for a span of at most 366 days, the earlier day first"))
    return since, until
