"""Signing in, staying signed in, signing out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from dawr.accounts import passwords, rules, throttle, tokens
from dawr.accounts import store_directory as directory
from dawr.accounts.queries import Asking, csrf_token, forget
from dawr.accounts.rules import SessionKind, WrongCredentials
from dawr.accounts.store_directory import Login, Session
from dawr.platform.addresses import client_address, limit_bucket
from dawr.platform.db import WriteTx
from dawr.platform.errors import Unauthenticated
from dawr.platform.ids import new_id
from dawr.platform.logging import agent_family, get_logger
from dawr.platform.services import Services

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody signs in. ``devices`` is the cookie of known devices, ``agent`` the ``User-Agent`` header, ``replaces`` the
    session cookie that the browser still has: that session ends."""

    email: str
    password: str
    kind: SessionKind
    address: str
    agent: str | None = None
    devices: str | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``secret`` is the refresh token, or the value of the session's cookie; ``devices`` that of the known devices'.

    Programs get an ``access_token`` good for ``expires_in`` seconds, pages a ``csrf`` token.
    """

    account_id: UUID
    session_id: UUID
    kind: SessionKind
    secret: str
    expires_in: int
    access_token: str | None = None
    csrf: str | None = None
    devices: str | None = None


def attempt_of(
    services: Services, request: Asking, scope: Mapping[str, Any], *, email: str, password: str, kind: SessionKind
) -> Attempt:
    """The attempt that a request makes. ``scope`` is its ASGI scope, which knows the connection's address."""
    secure = request.url.scheme == "https"
    return Attempt(
        email=email,
        password=password,
        kind=kind,
        address=client_address(scope, services.settings.trusted_proxies),
        agent=request.headers.get("user-agent"),
        devices=request.cookies.get(rules.device_cookie_name(secure=secure)),
        replaces=request.cookies.get(rules.cookie_name(secure=secure)) if kind is SessionKind.COOKIE else None,
    )


async def sign_in(services: Services, attempt: Attempt) -> SignedIn:
    """``WrongCredentials``, the same for an unknown address as for a wrong password; ``TooManyAttempts``."""
    async with services.db.read() as tx:
        login = await directory.login(tx, services.keyring, attempt.email)
    device = tokens.known_device(services.keyring, attempt.devices, login.account_id) if login else None
    pairs = throttle.of_sign_in(services, email=attempt.email, address=attempt.address, device=device)
    async with throttle.failures_only(services, pairs):
        right = await passwords.verified(login.password_hash if login else None, attempt.password)
        if login is None or not right or not login.allowed:
            log.info("sign_in_refused")
            raise WrongCredentials
    await _rehash(services, login, attempt.password)
    return await _open(services, login.account_id, attempt)


async def _rehash(services: Services, login: Login, password: str) -> None:
    if passwords.outdated(login.password_hash):
        hash_ = await passwords.hashed(password)
        async with services.db.write() as tx:
            await directory.rehash(tx, login, hash_)


async def _open(services: Services, account_id: UUID, attempt: Attempt) -> SignedIn:
    keyring, secret = services.keyring, tokens.new_secret()
    session = Session(
        id=new_id(services.clock.now()),
        account_id=account_id,
        kind=attempt.kind,
        secret_hash=tokens.digest(secret),
        network=keyring.blind(limit_bucket(attempt.address), facility="", where="session.network"),
        agent=agent_family(attempt.agent),
    )
    async with services.db.write() as tx:
        await directory.open_session(tx, session)
        await _end_replaced(tx, attempt.replaces)
    log.info("signed_in", account=str(account_id), kind=attempt.kind.value)
    devices = tokens.with_device(keyring, attempt.devices, account_id)
    return _signed_in(services, session, tokens.packed(session.id, secret), devices=devices)


async def _end_replaced(tx: WriteTx, cookie: str | None) -> None:
    named = tokens.unpacked(cookie) if cookie else None
    if named is None:
        return
    presented = (named[0], tokens.digest(named[1]))
    if (await directory.resolve(tx, [presented]))[presented]:
        await directory.revoke(tx, presented[0])


def _signed_in(services: Services, session: Session, secret: str, *, devices: str | None) -> SignedIn:
    cookie = session.kind is SessionKind.COOKIE
    lives = timedelta(minutes=services.settings.access_token_minutes)
    return SignedIn(
        account_id=session.account_id,
        session_id=session.id,
        kind=session.kind,
        secret=secret,
        expires_in=int(lives.total_seconds()),
        access_token=None if cookie else _access(services, session.account_id, session.id, lives),
        csrf=csrf_token(services, session.id) if cookie else None,
        devices=devices,
    )


def _access(services: Services, account_id: UUID, session_id: UUID, lives: timedelta) -> str:
    now = services.clock.now()
    return tokens.signed(services.keyring, account_id=account_id, session_id=session_id, now=now, lives=lives)


async def refresh(services: Services, refresh_token: str) -> SignedIn:
    """Fresh tokens for a refresh token, which is used up by that. ``Unauthenticated``; a token that was used before ends
    its session, since its owner and a thief cannot be told apart."""
    named = tokens.unpacked(refresh_token)
    if named is None:
        raise Unauthenticated
    session_id, secret = named
    following = tokens.following(services.keyring, session_id, secret)
    async with services.db.write() as tx:
        outcome, account_id = await directory.rotate(
            tx, session_id, presented=tokens.digest(secret), following=tokens.digest(following)
        )
    if outcome == "reused":
        forget(services)
        log.warning("refresh_token_reused", account=str(account_id), session=str(session_id))
    if account_id is None or outcome not in ("rotated", "repeated"):
        raise Unauthenticated
    session = Session(session_id, account_id, SessionKind.TOKEN, b"", None, None)
    return _signed_in(services, session, tokens.packed(session_id, following), devices=None)


async def sign_out(services: Services, session_id: UUID) -> None:
    """Ends one session; its tokens and cookie are dead within a second everywhere."""
    async with services.db.write() as tx:
        await directory.revoke(tx, session_id)
    forget(services)


async def sign_out_everywhere(services: Services, account_id: UUID) -> None:
    """Ends all sessions of an account."""
    async with services.db.write() as tx:
        await directory.revoke_all(tx, account_id)
    forget(services)
    log.info("signed_out_everywhere", account=str(account_id))
