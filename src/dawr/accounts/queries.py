"""Who is asking, and who works here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from dawr.accounts import rules, store, tokens
from dawr.accounts import store_directory as directory
from dawr.accounts.recent import Recent
from dawr.accounts.rules import AccountNotFound, Actor, CsrfFailed, Identity, Membership, Role
from dawr.accounts.store_directory import Card, Presented
from dawr.platform.crypto import Keyring
from dawr.platform.db import Database, ReadTx
from dawr.platform.errors import Unauthenticated
from dawr.platform.services import Services

__all__ = ["Identity"]


class _Recently:
    """What one process has just read of sessions and memberships."""

    def __init__(self) -> None:
        self.identities: Recent[Presented, Identity | None] = Recent()
        # A facility is a transaction of its own.
        self.memberships: Recent[tuple[UUID, UUID], Membership | None] = Recent(
            beside=lambda one, other: one[1] == other[1]
        )


_recently: WeakKeyDictionary[Database, _Recently] = WeakKeyDictionary()


def _recent(services: Services) -> _Recently:
    return _recently.setdefault(services.db, _Recently())


async def _resolve(db: Database, presented: Sequence[Presented]) -> Mapping[Presented, Identity | None]:
    async with db.write() as tx:
        return await directory.resolve(tx, presented)


async def _find(db: Database, wanted: Sequence[tuple[UUID, UUID]]) -> Mapping[tuple[UUID, UUID], Membership | None]:
    """Of each (account, facility); each facility is a transaction of its own."""
    found: dict[tuple[UUID, UUID], Membership | None] = dict.fromkeys(wanted)
    for facility_id in {facility_id for _, facility_id in wanted}:
        async with db.read(facility_id) as tx:
            for one in await store.found(tx, [account_id for account_id, at in wanted if at == facility_id]):
                found[one.account_id, facility_id] = one
    return found


def forget(services: Services) -> None:
    """A session or role was changed here: the next request of this process sees it at once, others within half a second."""
    _recently.pop(services.db, None)


class Url(Protocol):
    @property
    def scheme(self) -> str: ...

    @property
    def path(self) -> str: ...


class Asking(Protocol):
    """What is looked at of a request; the names of its headers are in lower case or compared without regard to it."""

    @property
    def method(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def cookies(self) -> Mapping[str, str]: ...

    @property
    def url(self) -> Url: ...


async def identify_request(services: Services, request: Asking) -> Identity | None:
    """``identify`` for a request. A page's form carries its proof in a field, which the page checks itself; that another
    site did not send it is checked here."""
    authorization = request.headers.get("authorization")
    token = _bearer(authorization)
    if token is not None:
        return await _of_token(services, token)
    return await identify(
        services,
        authorization=authorization,
        cookie=request.cookies.get(rules.cookie_name(secure=request.url.scheme == "https")),
        csrf=request.headers.get("x-csrf-token"),
        method=request.method,
        same_origin=same_origin(services, request),
        form="/api/" not in request.url.path,
    )


async def identify(
    services: Services,
    *,
    authorization: str | None,
    cookie: str | None,
    csrf: str | None,
    method: str,
    same_origin: bool | None,
    form: bool = False,
) -> Identity | None:
    """Who a request's ``Authorization`` header or session cookie belongs to; None for nobody.

    ``Unauthenticated`` for a bearer token that is not good (any more). A cookie that is not good counts as none: browsers
    send it without being asked. ``CsrfFailed`` where a live cookie would change something without the page's proof
    (``csrf``, the header ``X-CSRF-Token``; with ``form`` the page looks for it) or from another site.
    """
    token = _bearer(authorization)
    if token is not None:
        return await _of_token(services, token)
    named = tokens.unpacked(cookie) if cookie else None
    if named is None:
        return None
    identity = await _resolved(services, named[0], tokens.digest(named[1]))
    if identity is not None and method.upper() not in rules.SAFE_METHODS:
        proved = form or (csrf is not None and tokens.csrf_fits(services.keyring, identity.session_id, csrf))
        if same_origin is False or not proved:
            raise CsrfFailed
    return identity


def _bearer(authorization: str | None) -> str | None:
    """The token; None where the header is missing or of another scheme (a proxy's own password, for one)."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def _of_token(services: Services, token: str) -> Identity:
    session_id = tokens.session_of(services.keyring, token, now=services.clock.now())
    identity = await _resolved(services, session_id, None)
    if identity is None:
        raise Unauthenticated
    return identity


async def _resolved(services: Services, session_id: UUID, secret_hash: bytes | None) -> Identity | None:
    return await _recent(services).identities.get((session_id, secret_hash), partial(_resolve, services.db))


def csrf_token(services: Services, session_id: UUID) -> str:
    """What a page sends back as ``X-CSRF-Token`` with everything that changes something."""
    return tokens.csrf(services.keyring, session_id)


def same_origin(services: Services, request: Asking) -> bool | None:
    """``rules.same_origin`` of a request."""
    origins = {services.settings.url, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    fetch_site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    return rules.same_origin(fetch_site=fetch_site, origin=origin, origins=origins)


async def actor_in(services: Services, identity: Identity, facility_id: UUID) -> Actor | None:
    """What this person is in a facility; None for nothing there. An operator is one everywhere."""
    present = facility_id in identity.facilities
    membership = await _membership(services, identity.account_id, facility_id) if present else None
    actor = Actor(
        kind="staff",
        account_id=identity.account_id,
        session_id=identity.session_id,
        role=Role.OPERATOR,
        operator=identity.operator,
    )
    if membership is None or not membership.active:
        return actor if identity.operator else None
    return replace(
        actor, role=membership.role, clinics=membership.clinics, doctor=membership.doctor, desk=membership.desk
    )


async def _membership(services: Services, account_id: UUID, facility_id: UUID) -> Membership | None:
    return await _recent(services).memberships.get((account_id, facility_id), partial(_find, services.db))


def home_facility(identity: Identity) -> UUID | None:
    """The facility meant where a request names none: the one the account joined first."""
    return identity.home


@dataclass(frozen=True, slots=True)
class User:
    """An account and what it is in the transaction's facility."""

    card: Card
    membership: Membership


async def profile(tx: ReadTx, keyring: Keyring, account_id: UUID) -> Card:
    """Who an account is, for itself; ``AccountNotFound``."""
    found = await directory.cards(tx, keyring, [account_id])
    if account_id not in found:
        raise AccountNotFound
    return found[account_id]


async def user(tx: ReadTx, keyring: Keyring, account_id: UUID) -> User:
    """One user of the transaction's facility; ``AccountNotFound``."""
    membership = await store.find(tx, account_id)
    if membership is None or membership.removed:
        raise AccountNotFound
    return User(await profile(tx, keyring, account_id), membership)


async def users(tx: ReadTx, keyring: Keyring, *, after: UUID, limit: int) -> list[User]:
    """A page of the facility's users, in the order their accounts were made."""
    found = await store.page(tx, after=after, limit=limit)
    cards = await directory.cards(tx, keyring, [one.account_id for one in found])
    return [User(cards[one.account_id], one) for one in found]


async def count(tx: ReadTx) -> int:
    return await store.count(tx)


async def account_named(tx: ReadTx, keyring: Keyring, email: str) -> UUID | None:
    """The account with this e-mail address."""
    return await directory.find(tx, keyring, email)
