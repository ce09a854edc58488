"""What the pages need from the floors below, as types; ``bindings.py`` fulfils it.

Every function raises a ``dawr.platform.errors.Problem`` for what cannot be answered; the page shows it in the
reader's language. ``lang`` is the language the page is shown in, for names that are kept in several.
Tickets and queue states are plain mappings in exactly the shapes of ``/api/v1/queue/…``, because the scripts
of the pages read the same shapes from the API later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from starlette.requests import Request

ClinicState = Literal["open", "paused", "closed", "full"]
Entry = Literal["open", "qr", "verified", "staff"]
PatientVerb = Literal["cancel", "late"]
Ticket = Mapping[str, Any]
QueueState = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie a page sets; ``value`` None removes it. Always HttpOnly and SameSite=Lax, Secure over https."""

    name: str
    value: str | None
    path: str = "/"
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityCard:
    """``names`` by language; ``languages`` in the facility's own order, ``zone`` as in ``Asia/Qatar``."""

    facility: str
    names: Mapping[str, str]
    languages: tuple[str, ...]
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCard:
    doctor: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicCard:
    """``wait`` is the API's ``{"likely_minutes", "low_minutes", "high_minutes", "basis"}`` or None."""

    clinic: str
    name: str
    floor: str | None
    state: ClinicState
    entry: Entry = "open"
    waiting: int = 0
    wait: Mapping[str, Any] | None = None
    desks: tuple[str, ...] = ()
    doctors: tuple[DoctorCard, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinWish:
    """What the join form asks for. ``user`` is the device's random id, ``key`` its Idempotency-Key."""

    clinic: str
    user: str
    key: str
    doctor: str | None = None
    name: str | None = None
    phone: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """``cookies`` let the scripts of the page follow the ticket without carrying its secret."""

    ticket: Ticket
    clinic: ClinicCard
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffCard:
    """``csrf`` must come back with everything the session's cookie alone would allow.

    ``clinics`` are those whose queue this person may work.
    """

    name: str
    csrf: str
    clinics: tuple[ClinicCard, ...] = ()


class Views(Protocol):
    async def facility(self, request: Request) -> FacilityCard:
        """The facility of the request: prefix, else header, else the signed-in user's, else the default."""

    async def clinics(self, request: Request, lang: str) -> Sequence[ClinicCard]:
        """All clinics of the facility in the order they are shown."""

    async def clinic_card(self, request: Request, clinic: str, lang: str) -> ClinicCard:
        """One clinic; NotFound if there is none of that name."""

    async def enter(self, request: Request, wish: JoinWish) -> str:
        """Joins as ``POST /api/v1/queue/enter`` does and answers ``follow`` (``/t/<secret>``)."""

    async def ticket_page(self, request: Request, secret: str, lang: str) -> TicketPage:
        """The ticket this secret belongs to; NotFound when there is none or it is over for a day."""

    async def act(self, request: Request, secret: str, verb: PatientVerb) -> None:
        """The patient's own steps, by the ticket's secret."""

    async def staff(self, request: Request, lang: str) -> StaffCard | None:
        """Who is signed in by the session's cookie, None if nobody is."""

    async def sign_in(self, request: Request, email: str, password: str) -> Sequence[Cookie]:
        """Opens a session; Unauthenticated or TooManyRequests otherwise."""

    async def sign_out(self, request: Request) -> Sequence[Cookie]:
        """Ends the session of the request; the answer removes its cookies."""

    async def desk_queue(self, request: Request, clinic: str) -> Mapping[str, Any]:
        """What the desk shows, for signed-in staff of that clinic:
        ``{"items": [the API's ticket + {"name", "late"} …], "waiting": 12}``.

        Open tickets in the order they are called, then the last few that ended, latest first.
        """

    async def board(self, request: Request, clinic: str | None) -> Mapping[str, QueueState]:
        """Clinic → the answer of ``/api/v1/queue/status``: of all clinics, or of one (NotFound)."""
