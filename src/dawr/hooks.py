"""What a plugin sees of Dawr, and all that it sees: hooks, called after something has happened and was committed.

A plugin is a package with an entry point in the group ``dawr.plugins``; it implements some of the functions of ``Hooks``, with
``@hookimpl`` before each. It runs in a process of its own, without the database and the keys. Every happening is given at least
once, in the order of its facility's log; ``Happening.id`` is the same when it is given again. A hook that raises or takes
longer than ``SECONDS`` is called again later, a few times; then it is skipped and the failure is shown to administrators.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pluggy

GROUP = "dawr.plugins"
SECONDS = 10

hookspec = pluggy.HookspecMarker("dawr")
hookimpl = pluggy.HookimplMarker("dawr")


@dataclass(frozen=True, slots=True)
class Happening:
    """One row of the event log (docs/events.md). ``facility`` is its short name, ``entity`` what it is about (a ticket's id);
    ``data`` holds ids, codes and enums, nothing that describes a person."""

    id: str
    facility: str
    type: str
    entity: str
    at: datetime
    data: Mapping[str, Any]


class Hooks:
    """The functions that a plugin may have, each with the one argument ``happening``."""

    @hookspec
    def on_ticket_entered(self, happening: Happening) -> None:
        """Somebody took a ticket, or was sent on from another clinic."""

    @hookspec
    def on_your_turn(self, happening: Happening) -> None:
        """A ticket was called; ``data["desk"]`` says where to."""

    @hookspec
    def on_ticket_no_show(self, happening: Happening) -> None:
        """Somebody was called and did not come."""

    @hookspec
    def on_ticket_done(self, happening: Happening) -> None:
        """A service ended."""

    @hookspec
    def on_ticket_cancelled(self, happening: Happening) -> None:
        """A ticket was given back."""

    @hookspec
    def on_visit_created(self, happening: Happening) -> None:
        """A registered patient's visit began."""

    @hookspec
    def on_visit_completed(self, happening: Happening) -> None:
        """A visit ended."""

    @hookspec
    def on_visit_cancelled(self, happening: Happening) -> None:
        """A visit was called off."""

    @hookspec
    def on_appointment_booked(self, happening: Happening) -> None:
        """A slot was booked."""

    @hookspec
    def on_appointment_cancelled(self, happening: Happening) -> None:
        """A booked slot was given back."""

    @hookspec
    def on_anything(self, happening: Happening) -> None:
        """Whatever happened, after the hook that names it."""


OF_TYPE: Mapping[str, str] = {
    "ticket_entered": "on_ticket_entered",
    "ticket_called": "on_your_turn",
    "ticket_no_show": "on_ticket_no_show",
    "ticket_done": "on_ticket_done",
    "ticket_cancelled": "on_ticket_cancelled",
    "visit_created": "on_visit_created",
    "visit_completed": "on_visit_completed",
    "visit_cancelled": "on_visit_cancelled",
    "appointment_booked": "on_appointment_booked",
    "appointment_cancelled": "on_appointment_cancelled",
}
EVERYTHING = "on_anything"
