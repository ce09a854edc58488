"""What sign-in and the administration of users take and show over HTTP."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

from fastapi import Depends
from pydantic import Field, StringConstraints
from starlette.responses import Response

from dawr.accounts import rules
from dawr.accounts.commands import SignedIn
from dawr.accounts.queries import User
from dawr.accounts.rules import Actor, Role
from dawr.accounts.store_directory import Card
from dawr.platform.db import ReadTx
from dawr.platform.http import once
from dawr.platform.http.bodies import Body, PersonName, Slug
from dawr.platform.http.context import context
from dawr.platform.services import Services


class Somewhere(Protocol):
    """A facility, which belongs to a floor above."""

    @property
    def id(self) -> UUID: ...

    @property
    def slug(self) -> str: ...


class Context(once.Place, Protocol):
    """What is needed here of a request's context."""

    @property
    def services(self) -> Services: ...

    @property
    def facility(self) -> Somewhere: ...

    @property
    def actor(self) -> Actor: ...

    def read(self) -> AbstractAsyncContextManager[ReadTx]: ...


Here = Annotated[Context, Depends(context)]
Email = Annotated[str, StringConstraints(min_length=1, max_length=254)]
# Spaces at the ends of a password are part of it.
Password = Annotated[str, StringConstraints(min_length=1, max_length=1024, strip_whitespace=False)]
Desk = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,15}$")]
Clinics = Annotated[tuple[Slug, ...], Field(max_length=100)]


class Login(Body):
    """``cookie``: for pages. The session then is in a cookie that scripts cannot read."""

    email: Email
    password: Password
    cookie: bool = False


class Refresh(Body):
    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Logout(Body):
    everywhere: bool = False


class ChangePassword(Body):
    current: Password
    new: Password


class NewUser(Body):
    """Without ``password`` a temporary one is made and answered once."""

    email: Email
    name: PersonName
    role: Role
    clinics: Clinics = ()
    doctor: Slug | None = None
    desk: Desk | None = None
    language: Literal["ar", "en", "hi"] | None = None
    password: Password | None = None


class UserChanges(Body):
    """What is not named stays as it is; ``doctor`` and ``desk`` can be taken away with null."""

    role: Role = Field(default_factory=lambda: Role.DISPLAY)
    clinics: Clinics = Field(default_factory=tuple)
    doctor: Slug | None = None
    desk: Desk | None = None
    disabled: bool = Field(default_factory=bool)


def tokens_card(signed_in: SignedIn) -> dict[str, Any]:
    return {
        "access_token": signed_in.access_token,
        "token_type": "bearer",
        "expires_in": signed_in.expires_in,
        "refresh_token": signed_in.secret,
    }


def user_card(user: User) -> dict[str, Any]:
    return {
        "user": str(user.card.account_id),
        "email": user.card.email,
        "name": user.card.name,
        "role": user.membership.role.value,
        "clinics": sorted(user.membership.clinics),
        "doctor": user.membership.doctor,
        "desk": user.membership.desk,
        "language": user.card.language,
        "disabled": user.membership.disabled or user.card.disabled,
        "password_temporary": user.card.password_temporary,
        "created_at": user.membership.created_at.isoformat(),
    }


def own_card(here: Context, card: Card) -> dict[str, Any]:
    actor = here.actor
    return {
        "account": str(card.account_id),
        "email": card.email,
        "name": card.name,
        "facility": here.facility.slug,
        "role": actor.role.value if actor.role else None,
        "operator": actor.operator,
        "clinics": sorted(actor.clinics),
        "doctor": actor.doctor,
        "desk": actor.desk,
        "language": card.language,
        "rights": sorted(right.value for right in actor.rights),
        "password_temporary": card.password_temporary,
    }


def remember_device(response: Response, signed_in: SignedIn, *, secure: bool) -> None:
    if signed_in.devices:
        name, seconds = rules.device_cookie_name(secure=secure), int(rules.DEVICE_LIFETIME.total_seconds())
        response.set_cookie(name, signed_in.devices, max_age=seconds, httponly=True, samesite="lax", secure=secure)


def set_session(response: Response, signed_in: SignedIn, *, secure: bool) -> None:
    """Gone when the browser is closed; the store ends it earlier if it is not used."""
    name = rules.cookie_name(secure=secure)
    response.set_cookie(name, signed_in.secret, httponly=True, samesite="lax", secure=secure)


def drop_session(response: Response, *, secure: bool) -> None:
    response.delete_cookie(rules.cookie_name(secure=secure), httponly=True, samesite="lax", secure=secure)
