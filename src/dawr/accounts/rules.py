"""Who may do what, and what sign-in asks for. An ``Actor`` is whoever a request or job acts for, already tied to one
facility; an ``Identity`` is who signed in, before a facility is chosen."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypedDict
from uuid import UUID

from dawr.platform.errors import N_, Conflict, Forbidden, Invalid, NotFound, TooManyRequests, Unauthenticated


class Role(StrEnum):
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"
    RECEPTION = "reception"
    DOCTOR = "doctor"
    DISPLAY = "display"


class Right(StrEnum):
    """What is asked before something is done. Rights of ``PER_CLINIC`` hold, for a doctor, in their own clinics alone.

    ``PATIENTS`` finds, makes and changes every patient of the facility; ``HISTORY`` opens those who have or had a visit in
    the doctor's clinics, and others with a reason; ``RECORDS`` exports and erases; ``CONSULT`` alone reads clinical notes.
    """

    INSTALLATION = "installation"
    SETTINGS = "settings"
    USERS = "users"
    QUEUE = "queue"
    QUEUE_RESET = "queue_reset"
    REPORTS = "reports"
    WATCH = "watch"
    PATIENTS = "patients"
    HISTORY = "history"
    RECORDS = "records"
    VISITS = "visits"
    APPOINTMENTS = "appointments"
    CONSULT = "consult"
    INBOX = "inbox"
    DELIVERIES = "deliveries"


PER_CLINIC = frozenset({Right.QUEUE, Right.CONSULT})
_RECEPTION = frozenset({Right.PATIENTS, Right.VISITS, Right.APPOINTMENTS, Right.INBOX, Right.DELIVERIES})

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.OPERATOR: frozenset({Right.INSTALLATION}),
    Role.ADMINISTRATOR: frozenset(
        {Right.SETTINGS, Right.USERS, Right.QUEUE, Right.QUEUE_RESET, Right.REPORTS, Right.WATCH, Right.RECORDS}
    )
    | _RECEPTION,
    Role.RECEPTION: frozenset({Right.QUEUE, Right.REPORTS, Right.WATCH}) | _RECEPTION,
    Role.DOCTOR: frozenset({Right.QUEUE, Right.REPORTS, Right.WATCH, Right.HISTORY, Right.CONSULT, Right.INBOX}),
    Role.DISPLAY: frozenset({Right.WATCH}),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """``kind`` tells staff (a role in this facility) from a patient (holds a ticket's secret), a stranger and the house itself.

    ``ticket`` is the one ticket whose secret a patient showed, ``appointment`` likewise; ``clinics`` and ``doctor`` are a
    doctor's own, ``desk`` is where this person usually sits. ``operator`` adds the installation's right to whatever the role
    gives.
    """

    kind: Literal["staff", "patient", "stranger", "system"]
    account_id: UUID | None = None
    session_id: UUID | None = None
    role: Role | None = None
    clinics: frozenset[str] = field(default_factory=frozenset)
    doctor: str | None = None
    ticket: UUID | None = None
    appointment: UUID | None = None
    desk: str | None = None
    operator: bool = False

    @property
    def label(self) -> str:
        """How the event log names the actor: an id or a kind, never a person."""
        return f"account:{self.account_id}" if self.kind == "staff" else self.kind

    @property
    def rights(self) -> frozenset[Right]:
        """What the role gives, without asking in which clinic."""
        own = RIGHTS[self.role] if self.role else frozenset()
        return own | RIGHTS[Role.OPERATOR] if self.operator else own

    def may(self, right: Right, clinic: str | None = None) -> bool:
        if self.kind == "system":
            return True
        if right not in self.rights:
            return False
        limited = self.role is Role.DOCTOR and right in PER_CLINIC and clinic is not None
        return not limited or clinic in self.clinics

    def require(self, right: Right, clinic: str | None = None) -> None:
        """Raises ``Unauthenticated`` for a stranger, ``Forbidden`` for anyone else without the right."""
        if self.may(right, clinic):
            return
        raise Unauthenticated if self.kind == "stranger" else Forbidden


STRANGER = Actor(kind="stranger")
SYSTEM = Actor(kind="system")


class WrongCredentials(Unauthenticated):
    code = "wrong_credentials"
    title = N_("E-mail or password is wrong")


class TooManyAttempts(TooManyRequests):
    code = "too_many_attempts"
    title = N_("Too many failed attempts; please wait a little")


class CsrfFailed(Forbidden):
    code = "csrf_failed"
    title = N_("This request did not come from a page of this site; please reload the page")


class WrongPassword(Forbidden):
    code = "wrong_password"
    title = N_("The current password is wrong")


class WeakPassword(Invalid):
    code = "weak_password"
    title = N_("Please choose another password")


class InvalidEmail(Invalid):
    code = "invalid_email"
    title = N_("This is not an e-mail address")


class UnknownAssignment(Invalid):
    code = "unknown_assignment"
    title = N_("There is no such clinic or doctor here")


class RoleNotAllowed(Forbidden):
    code = "role_not_allowed"
    title = N_("This role cannot be given here")


class AccountNotFound(NotFound):
    code = "account_not_found"
    title = N_("There is no such user")


class AccountExists(Conflict):
    code = "account_exists"
    title = N_("There is already a user with this e-mail")


class AccountShared(Conflict):
    code = "account_shared"
    title = N_("This user also works elsewhere; only they or the operator can change this")


class LastAdministrator(Conflict):
    code = "last_administrator"
    title = N_("A facility cannot be without an administrator")


class SessionKind(StrEnum):
    """A program holds tokens, a browser a cookie."""

    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in. ``facilities`` are those where the account has a role, the one it joined first at the front."""

    account_id: UUID
    session_id: UUID
    kind: SessionKind
    operator: bool
    language: str | None
    facilities: tuple[UUID, ...]

    @property
    def home(self) -> UUID | None:
        """The facility meant where a request names none."""
        return self.facilities[0] if self.facilities else None


REFRESH_LIFETIME = timedelta(days=30)
COOKIE_LIFETIME = timedelta(hours=24)
SESSION_LIFETIME = timedelta(days=180)
REFRESH_LEEWAY = timedelta(seconds=10)
DEVICE_LIFETIME = timedelta(days=365)


def lifetime(kind: SessionKind) -> timedelta:
    """How long a session lives without being used; being used, no longer than ``SESSION_LIFETIME``."""
    return COOKIE_LIFETIME if kind is SessionKind.COOKIE else REFRESH_LIFETIME


def cookie_name(*, secure: bool) -> str:
    """``__Host-`` makes a browser refuse the cookie from a subdomain, a path or plain http; http itself cannot have it."""
    return "__Host-dawr" if secure else "dawr"


def device_cookie_name(*, secure: bool) -> str:
    return "__Host-dawr-known" if secure else "dawr-known"


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def same_origin(*, fetch_site: str | None, origin: str | None, origins: Collection[str]) -> bool | None:
    """Whether a request came from a page of this site, by ``Sec-Fetch-Site``, else by ``Origin``; None if it says neither.

    A browser sends one of them with everything that changes something; a program sends none. ``origins`` are the site's
    own, as browsers write them: ``https://queue.example.org``.
    """
    if fetch_site is not None:
        return fetch_site in ("same-origin", "none")
    return None if origin is None else origin.lower() in {own.lower() for own in origins}


_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,190}")


def email_key(text: str) -> str:
    """The form by which an e-mail address is found: whoever types it in capitals means the same person."""
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def mailbox(text: str) -> str:
    """The address as it is kept; ``InvalidEmail`` for what is none."""
    address = unicodedata.normalize("NFC", text.strip())
    if not _EMAIL.fullmatch(address):
        raise InvalidEmail
    return address


SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 256
# Only what is long enough to be asked: shorter ones are refused for their length.
_COMMON = frozenset(
    """
    1234567890 12345678910 123456789a 123456789q 0123456789 9876543210 0987654321 1234554321 1111111111 1122334455
    1212121212 123123123123 1231231231 123321123321 147258369a 1q2w3e4r5t 1qaz2wsx3edc 1q2w3e4r5t6y 123qweasdzxc
    qwertyuiop qwerty12345 qwerty123456 qwertyuiop123 qwerty1234 qwertz12345 qwertzuiop azertyuiop asdfghjkl1
    asdfghjkl; asdfasdfasdf zxcvbnm123 zaq12wsxcde abcdefghij abcdefghijk abcd123456 abc1234567 abcde12345 a123456789
    aa12345678 aa123456789 q123456789 password12 password123 password1234 password12345 password123! password2024
    password2025 password2026 password01 passw0rd123 passw0rd12 p@ssw0rd123 p@ssword123 pass123456 passwort123
    mypassword mypassword1 newpassword changeme123 changeme12 changemenow welcome123 welcome1234 welcome12345
    letmein123 letmein1234 iloveyou12 iloveyou123 iloveyou1234 administrator admin12345 admin123456
    admin1234567 adminadmin adminadmin123 root123456 rootroot123 superadmin superuser1 testtest12 testtest123
    test123456 test1234567 hospital12 hospital123 hospital1234 hospital2024 hospital2025 hospital2026 clinic1234
    clinic12345 clinic123456 doctor1234 doctor12345 doctor123456 reception1 reception12 reception123 reception1234
    patient123 nurse12345 medical123 medicine123 football12 football123 baseball12 baseball123 basketball
    liverpool1 liverpool123 manchester chelsea123 barcelona1 realmadrid princess12 princess123 sunshine12 sunshine123
    superman12 superman123 batman1234 dragon1234 monkey1234 michael123 jennifer12 charlie123 computer12 computer123
    internet12 internet123 samsung123 apple12345 google1234 facebook12 whatsapp12 starwars12 starwars123 trustno1234
    ramadan123 muhammad12 mohammed123 mohamed123 ahmed12345 allah12345 bismillah1 bismillah123 alhamdulillah
    mashallah1 inshallah1 qatar12345 doha123456 india12345 india123456 hindustan1 jaihind123 ganesha123 krishna123
    """.split()  # noqa: SIM905 - a list of words reads as one
)


def check_password(password: str, *, email: str) -> None:
    """``WeakPassword`` says in its detail what is wrong. Length counts more than a mixture of characters."""
    plain = unicodedata.normalize("NFKC", password)
    if len(plain) < SHORTEST_PASSWORD:
        raise WeakPassword(N_("It needs at least {count} characters"), params={"count": SHORTEST_PASSWORD})
    if len(plain) > LONGEST_PASSWORD:
        raise WeakPassword(N_("It can have at most {count} characters"), params={"count": LONGEST_PASSWORD})
    lowered = plain.casefold()
    if lowered in (email_key(email), email_key(email).partition("@")[0]):
        raise WeakPassword(N_("It is the e-mail address"))
    if lowered in _COMMON or len(set(lowered)) < 3:
        raise WeakPassword(N_("It is among the first that are guessed"))


@dataclass(frozen=True, slots=True)
class Membership:
    """What an account is in one facility. Once ``removed`` its row stays, for the versions of its stream."""

    account_id: UUID
    role: Role
    clinics: frozenset[str]
    doctor: str | None
    desk: str | None
    disabled: bool
    removed: bool
    version: int
    created_at: datetime

    @property
    def active(self) -> bool:
        return not self.disabled and not self.removed

    @property
    def administers(self) -> bool:
        return self.active and self.role is Role.ADMINISTRATOR


class Changes(TypedDict, total=False):
    """What of a membership is to be changed; what is not named stays."""

    role: Role
    clinics: Collection[str]
    doctor: str | None
    desk: str | None
    disabled: bool


def changed(membership: Membership, changes: Changes, *, other_administrators: int) -> Membership:
    """The membership afterwards. ``RoleNotAllowed`` for a role of the installation, ``LastAdministrator`` where
    none would be left."""
    fields: dict[str, Any] = dict(changes)
    if "clinics" in changes:
        fields["clinics"] = frozenset(changes["clinics"])
    after = replace(membership, **fields)
    require_given(after.role)
    keep_an_administrator(membership, after, other_administrators=other_administrators)
    return after


def keep_an_administrator(before: Membership, after: Membership, *, other_administrators: int) -> None:
    if before.administers and not after.administers and other_administrators == 0:
        raise LastAdministrator


def require_given(role: Role) -> None:
    """A facility cannot make operators: that role is of the whole installation."""
    if role is Role.OPERATOR:
        raise RoleNotAllowed
