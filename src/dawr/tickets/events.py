"""What happens to tickets, by the names the event log keeps. ``Change`` is one of them, before it is written."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from typing import Any

from dawr.platform.values import value
from dawr.tickets.rules import Placed, Status, Ticket, Verb, group

ENTERED = "ticket_entered"
UNDONE = "ticket_undone"
WITHDRAWN = "ticket_withdrawn"
SERIES_STARTED = "series_started"
SERVICE_DAY_TURNED = "service_day_turned"

TYPES: dict[Verb, str] = {
    Verb.CALL: "ticket_called",
    Verb.RECALL: "ticket_recalled",
    Verb.SERVE: "ticket_serving",
    Verb.DONE: "ticket_done",
    Verb.NO_SHOW: "ticket_no_show",
    Verb.REJOIN: "ticket_rejoined",
    Verb.HOLD: "ticket_held",
    Verb.RESUME: "ticket_resumed",
    Verb.CANCEL: "ticket_cancelled",
    Verb.LATE: "ticket_late",
    Verb.TRANSFER: "ticket_transferred",
    Verb.EXPIRE: "ticket_expired",
    Verb.RESET: "ticket_reset",
}
UNDOABLE = frozenset(TYPES[verb] for verb in Verb if verb not in {Verb.EXPIRE, Verb.RESET})
PUBLIC = ("code", "number", "desk", "from", "to", "ahead")
_TIMES = ("called_at", "started_at", "ended_at")
_KEPT = ("desk", "rank", "order_key", "calls", "changed_version")


@value(frozen=True, slots=True)
class Change:
    """One step of one ticket: what it was (``None`` before it existed), what it is, and the event's type.

    ``ahead`` counts those who wait before it, where the step leads into waiting; ``extra`` holds what one type adds: the
    ticket that a transfer made, the reason of a reset.
    """

    type: str
    before: Ticket | None
    after: Ticket
    ahead: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def data(self, today: date) -> dict[str, Any]:
        """The event's data: the public part, and what ``undo`` needs to restore the ticket as it was."""
        return {
            "ticket": str(self.after.id),
            "code": self.after.shown_code(today),
            "number": self.after.number,
            "desk": self.after.desk,
            "from": group(self.before.status) if self.before else None,
            "to": group(self.after.status),
            "ahead": self.ahead,
            "status": self.after.status,
            "before": _snapshot(self.before) if self.before else None,
        } | dict(self.extra)


def _snapshot(ticket: Ticket) -> dict[str, Any]:
    kept = {name: getattr(ticket, name) for name in _KEPT}
    moments = {name: getattr(ticket, name) for name in (*_TIMES, "ended_day")}
    times = {name: moment.isoformat() if moment else None for name, moment in moments.items()}
    return kept | times | {"status": ticket.status.value, "placed": ticket.placed.value}


def restored(snapshot: dict[str, Any]) -> dict[str, Any]:
    """The fields of ``Ticket`` that an event's ``before`` holds."""
    times = {name: datetime.fromisoformat(snapshot[name]) if snapshot[name] else None for name in _TIMES}
    day = date.fromisoformat(snapshot["ended_day"]) if snapshot["ended_day"] else None
    kept = {name: snapshot[name] for name in _KEPT}
    return kept | times | {"ended_day": day, "status": Status(snapshot["status"]), "placed": Placed(snapshot["placed"])}
