"""What happens to visits, by the names the event log keeps. Data holds ids and states, never a reason or a name."""

from dawr.visits.rules import OPEN, Status

CREATED = "visit_created"
STARTED = "visit_started"
COMPLETED = "visit_completed"
CANCELLED = "visit_cancelled"
NO_SHOW = "visit_no_show"
REOPENED = "visit_reopened"
TAKEN_BACK = "visit_taken_back"
TICKET_ADDED = "visit_ticket_added"
SET_ASIDE = "visit_ticket_set_aside"

TOLD = frozenset({CREATED})
"""Those that leave work behind: what else happens, people see on their screens."""

_LEADING_TO = {
    Status.IN_PROGRESS: STARTED,
    Status.COMPLETED: COMPLETED,
    Status.CANCELLED: CANCELLED,
    Status.NO_SHOW: NO_SHOW,
    Status.WAITING: TAKEN_BACK,
}


def type_of(before: Status, after: Status) -> str:
    """The event of a step between two states."""
    return REOPENED if before not in OPEN and after in OPEN else _LEADING_TO[after]
