"""The directory of logins and sessions, through the functions that ``store_functions`` declares."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from dawr.accounts import store_functions as functions
from dawr.accounts import store_tables as tables
from dawr.accounts.rules import (
    REFRESH_LEEWAY,
    REFRESH_LIFETIME,
    SESSION_LIFETIME,
    Identity,
    SessionKind,
    email_key,
    lifetime,
)
from dawr.platform.crypto import Keyring
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.ratelimit import Limit

__all__ = ["functions", "tables"]

_CREATE = """
SELECT directory.account_create(%(id)s, %(email)s, %(email_index)s, %(display_name)s, %(password_hash)s, %(temporary)s,
                                %(operator)s, %(language)s, %(at)s)
"""
_FIND = "SELECT directory.account_find(%(email_index)s)"
_LOGIN = "SELECT * FROM directory.account_login(%(email_index)s)"
_CARDS = "SELECT * FROM directory.account_cards(%(ids)s::uuid[])"
_PASSWORD = "SELECT directory.account_password(%(id)s, %(hash)s, %(temporary)s)"  # noqa: S105 - a statement
_REHASH = "SELECT directory.account_rehash(%(id)s, %(known)s, %(hash)s)"
_DISABLE = "SELECT directory.account_disable(%(id)s, %(at)s)"
_ELSEWHERE = "SELECT directory.account_elsewhere(%(id)s)"
_LINK = "SELECT directory.account_link(%(id)s, %(active)s, %(at)s)"
_UNLINK = "SELECT directory.account_unlink(%(id)s)"
_OPEN = """
SELECT directory.session_open(%(id)s, %(account)s, %(kind)s, %(secret)s, %(at)s, %(lives)s, %(network)s, %(agent)s)
"""
# In the order of their ids, in which two processes note the same sessions as seen.
_RESOLVE = """
SELECT w.session_id, w.secret, r.* FROM unnest(%(ids)s::uuid[], %(secrets)s::bytea[]) AS w (session_id, secret)
CROSS JOIN LATERAL directory.session_resolve(w.session_id, w.secret, %(at)s, %(idle)s, %(longest)s) AS r
"""
Presented = tuple[UUID, bytes | None]
"""A session and the hash of a cookie's secret; ``None`` for one that is proved by a signed token."""
_ROTATE = """
SELECT * FROM directory.session_rotate(%(id)s, %(presented)s, %(following)s, %(at)s, %(leeway)s, %(lives)s, %(longest)s)
"""
_REVOKE = "SELECT directory.session_revoke(%(id)s, %(at)s)"
_REVOKE_ALL = "SELECT directory.session_revoke_all(%(account)s, %(sparing)s, %(at)s)"
_PURGE = "SELECT directory.session_purge(%(before)s)"
# Locked in the order of keys, as the limiter does it, so that the two never wait for each other.
_GIVE_BACK = """
WITH given AS (SELECT * FROM unnest(%(keys)s::bytea[], %(steps)s::bigint[]) AS g (key, step)),
     locked AS (SELECT key FROM rate_limit WHERE key IN (SELECT key FROM given) ORDER BY key FOR UPDATE)
UPDATE rate_limit SET tat = tat - given.step * interval '1 microsecond'
FROM given JOIN locked USING (key) WHERE rate_limit.key = given.key
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """An account to be made. ``temporary``: somebody else knows the password, so it is to be changed."""

    id: UUID
    email: str
    name: str
    password_hash: str
    temporary: bool = False
    operator: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """``allowed``: not disabled, and with a place to work."""

    account_id: UUID
    password_hash: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class Card:
    """Who an account is, opened."""

    account_id: UUID
    email: str
    name: str
    operator: bool
    language: str | None
    password_temporary: bool
    disabled: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A session to be opened; ``network`` and ``agent`` tell its owner later where it was."""

    id: UUID
    account_id: UUID
    kind: SessionKind
    secret_hash: bytes
    network: bytes | None
    agent: str | None


def email_index(keyring: Keyring, email: str) -> bytes:
    return keyring.blind(email_key(email), facility="", where="account.email")


async def create(tx: WriteTx, keyring: Keyring, draft: Draft) -> bool:
    """False, and nothing done, where the address has an account."""
    made: bool = await tx.value(
        _CREATE,
        id=draft.id,
        email=keyring.seal(draft.email, facility="", where=f"account.email:{draft.id}"),
        email_index=email_index(keyring, draft.email),
        display_name=keyring.seal(draft.name, facility="", where=f"account.display_name:{draft.id}"),
        password_hash=draft.password_hash,
        temporary=draft.temporary,
        operator=draft.operator,
        language=draft.language,
        at=tx.now,
    )
    return made


async def find(tx: ReadTx, keyring: Keyring, email: str) -> UUID | None:
    found: UUID | None = await tx.value(_FIND, email_index=email_index(keyring, email))
    return found


async def login(tx: ReadTx, keyring: Keyring, email: str) -> Login | None:
    row = await tx.row(_LOGIN, email_index=email_index(keyring, email))
    return Login(**row) if row else None


async def cards(tx: ReadTx, keyring: Keyring, ids: Sequence[UUID]) -> dict[UUID, Card]:
    rows = await tx.rows(_CARDS, ids=list(ids))
    return {row["account_id"]: _card(keyring, row) for row in rows}


def _card(keyring: Keyring, row: dict[str, object]) -> Card:
    id_ = row["account_id"]
    email = keyring.open(_bytes(row.pop("email")), facility="", where=f"account.email:{id_}")
    name = keyring.open(_bytes(row.pop("display_name")), facility="", where=f"account.display_name:{id_}")
    return Card(email=email, name=name, **row)  # type: ignore[arg-type]


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value


async def set_password(tx: WriteTx, account_id: UUID, hash_: str, *, temporary: bool) -> None:
    await tx.row(_PASSWORD, id=account_id, hash=hash_, temporary=temporary)


async def rehash(tx: WriteTx, login_: Login, hash_: str) -> None:
    """Keeps the same password under other parameters, unless it was changed meanwhile."""
    await tx.row(_REHASH, id=login_.account_id, known=login_.password_hash, hash=hash_)


async def disable(tx: WriteTx, account_id: UUID, at: datetime | None) -> bool:
    """Everywhere; None enables it. False where there is no such account."""
    found: bool = await tx.value(_DISABLE, id=account_id, at=at)
    return found


async def elsewhere(tx: ReadTx, account_id: UUID) -> bool:
    """Whether the account is more than this facility's: it also works in another one, or is an operator."""
    found: bool = await tx.value(_ELSEWHERE, id=account_id)
    return found


async def link(tx: WriteTx, account_id: UUID, *, active: bool) -> None:
    await tx.row(_LINK, id=account_id, active=active, at=tx.now)


async def unlink(tx: WriteTx, account_id: UUID) -> None:
    await tx.row(_UNLINK, id=account_id)


async def open_session(tx: WriteTx, session: Session) -> None:
    await tx.row(
        _OPEN,
        id=session.id,
        account=session.account_id,
        kind=session.kind,
        secret=session.secret_hash,
        at=tx.now,
        lives=lifetime(session.kind),
        network=session.network,
        agent=session.agent,
    )


async def resolve(tx: WriteTx, presented: Sequence[Presented]) -> dict[Presented, Identity | None]:
    """Whose each session is, if it lives."""
    ordered = sorted(presented, key=lambda one: one[0])
    asked = {"ids": [session_id for session_id, _ in ordered], "secrets": [secret for _, secret in ordered]}
    idle = lifetime(SessionKind.COOKIE)
    found: dict[Presented, Identity | None] = dict.fromkeys(presented)
    for row in await tx.rows(_RESOLVE, **asked, at=tx.now, idle=idle, longest=SESSION_LIFETIME):
        secret, kind, facilities = row.pop("secret"), SessionKind(row.pop("kind")), tuple(row.pop("facilities"))
        found[row["session_id"], secret] = Identity(kind=kind, facilities=facilities, **row)
    return found


async def rotate(tx: WriteTx, session_id: UUID, *, presented: bytes, following: bytes) -> tuple[str, UUID | None]:
    """Puts the hash of the following secret in the place of the one presented. The outcome: ``rotated``, ``repeated``
    (an answer was lost), ``reused`` (the session is ended now) or ``ended``; and whose session it is."""
    row = await tx.row(
        _ROTATE,
        id=session_id,
        presented=presented,
        following=following,
        at=tx.now,
        leeway=REFRESH_LEEWAY,
        lives=REFRESH_LIFETIME,
        longest=SESSION_LIFETIME,
    )
    assert row is not None
    return row["outcome"], row["account_id"]


async def revoke(tx: WriteTx, session_id: UUID) -> None:
    await tx.row(_REVOKE, id=session_id, at=tx.now)


async def revoke_all(tx: WriteTx, account_id: UUID, *, sparing: UUID | None = None) -> None:
    await tx.row(_REVOKE_ALL, account=account_id, sparing=sparing, at=tx.now)


async def purge(tx: WriteTx, *, older_than: timedelta) -> int:
    """Deletes sessions that ended so long ago; how many."""
    gone: int = await tx.value(_PURGE, before=tx.now - older_than)
    return gone


async def give_back(tx: WriteTx, keyring: Keyring, pairs: Sequence[tuple[Limit, str]]) -> None:
    """Takes back what ``RateLimiter.check`` counted for these: the attempt was none that is to be limited."""
    keys = [keyring.blind(subject, facility="", where=f"rate_limit.{limit.name}") for limit, subject in pairs]
    await tx.execute(_GIVE_BACK, keys=keys, steps=[limit.step for limit, _ in pairs])
