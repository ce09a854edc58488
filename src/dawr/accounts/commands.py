"""The verbs of accounts: who is hired, changed, removed; passwords. ``sign_in`` stands beside this (``commands_sessions``).

Commands that check or set a password hash it before their transaction begins, so that none waits for that with a
connection in its hand.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from dawr.accounts import events, passwords, rules, store, throttle
from dawr.accounts import store_directory as directory
from dawr.accounts.commands_sessions import (
    Attempt,
    SignedIn,
    attempt_of,
    refresh,
    sign_in,
    sign_out,
    sign_out_everywhere,
)
from dawr.accounts.queries import forget
from dawr.accounts.rules import (
    SYSTEM,
    AccountExists,
    AccountNotFound,
    AccountShared,
    Actor,
    Changes,
    Membership,
    Right,
    Role,
    WrongPassword,
)
from dawr.accounts.store_directory import Draft
from dawr.platform.crypto import Keyring
from dawr.platform.db import WriteTx
from dawr.platform.errors import N_, Unauthenticated
from dawr.platform.ids import new_id
from dawr.platform.logging import get_logger
from dawr.platform.services import Services

__all__ = ["Attempt", "SignedIn", "attempt_of", "refresh", "sign_in", "sign_out", "sign_out_everywhere"]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody is to be in a facility. ``clinics`` and ``doctor`` (a short name) are a doctor's, ``desk`` the usual one."""

    role: Role
    clinics: Collection[str] = ()
    doctor: str | None = None
    desk: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """An account to be. ``password_hash`` is used only if the address has none yet; ``temporary``: another person knows
    the password, so its owner is to change it."""

    email: str
    name: str
    password_hash: str
    temporary: bool = False
    operator: bool = False
    language: str | None = None


async def create_account(tx: WriteTx, keyring: Keyring, person: Person) -> tuple[UUID, bool]:
    """The account of this address and whether it was made now; one that was there stays as it is."""
    email = rules.mailbox(person.email)
    draft = Draft(
        id=new_id(tx.now),
        email=email,
        name=person.name,
        password_hash=person.password_hash,
        temporary=person.temporary,
        operator=person.operator,
        language=person.language,
    )
    if await directory.create(tx, keyring, draft):
        return draft.id, True
    found = await directory.find(tx, keyring, email)
    assert found is not None
    return found, False


async def hire(tx: WriteTx, actor: Actor, keyring: Keyring, person: Person, post: Post) -> tuple[UUID, bool]:
    """Somebody begins to work in the transaction's facility; the account, and whether it was made for that.

    ``RoleNotAllowed`` for operators, ``UnknownAssignment``, ``AccountExists`` for who works here already. An account that
    was never here is taken in by the house itself alone: nobody has proved whose address it is, so whoever made it
    elsewhere could act here with the password they gave it.
    """
    actor.require(Right.USERS)
    account_id, made = await create_account(tx, keyring, replace(person, operator=False))
    if not made and actor.kind != "system" and await store.find(tx, account_id) is None:
        raise AccountExists(N_("It is an account of another facility; the operator can give it a role here too"))
    await add_membership(tx, actor, account_id, post)
    return account_id, made


async def add_membership(tx: WriteTx, actor: Actor, account_id: UUID, post: Post) -> Membership:
    """Gives an account a role in the transaction's facility."""
    actor.require(Right.USERS)
    rules.require_given(post.role)
    before = await store.open_membership(tx, account_id)
    if not before.removed:
        raise AccountExists
    after = replace(
        before,
        role=post.role,
        clinics=frozenset(post.clinics),
        doctor=post.doctor,
        desk=post.desk,
        disabled=False,
        removed=False,
    )
    return await store.record(tx, actor, after, events.ADDED)


async def change_membership(tx: WriteTx, actor: Actor, account_id: UUID, changes: Changes) -> Membership:
    """Changes role, clinics, doctor, desk or whether the account may work here. ``AccountNotFound``, ``RoleNotAllowed``,
    ``LastAdministrator``, ``UnknownAssignment``."""
    before, others = await store.load_for(tx, actor, account_id)
    after = rules.changed(before, changes, other_administrators=others)
    if after == before:
        return before
    return await store.record(tx, actor, after, events.CHANGED)


async def remove_membership(tx: WriteTx, actor: Actor, account_id: UUID) -> Membership:
    """The account no longer works in the transaction's facility; what it did there stays under its id."""
    before, others = await store.load_for(tx, actor, account_id)
    after = replace(before, removed=True, clinics=frozenset())
    rules.keep_an_administrator(before, after, other_administrators=others)
    return await store.record(tx, actor, after, events.REMOVED)


async def reset_password(tx: WriteTx, actor: Actor, account_id: UUID, *, password_hash: str) -> None:
    """For somebody who lost theirs: a temporary one, and every session ends. ``AccountShared`` where the account is not
    this facility's alone: whoever sets its password could act in the other one."""
    membership, _ = await store.load_for(tx, actor, account_id)
    if await directory.elsewhere(tx, account_id):
        raise AccountShared
    await directory.set_password(tx, account_id, password_hash, temporary=True)
    await directory.revoke_all(tx, account_id)
    await store.record(tx, actor, membership, events.PASSWORD_RESET)


async def change_password(services: Services, actor: Actor, facility_id: UUID, *, current: str, new: str) -> None:
    """One's own; the other sessions end. ``WrongPassword``, ``WeakPassword``, ``TooManyAttempts``."""
    account_id = actor.account_id
    if account_id is None:
        raise Unauthenticated
    email, known = await _own_login(services, account_id)
    async with throttle.failures_only(services, throttle.of_password(account_id)):
        if not await passwords.verified(known, current):
            raise WrongPassword
    rules.check_password(new, email=email)
    hash_ = await passwords.hashed(new)
    async with services.db.write(facility_id) as tx:
        await directory.set_password(tx, account_id, hash_, temporary=False)
        await directory.revoke_all(tx, account_id, sparing=actor.session_id)
        membership, _ = await store.lock(tx, account_id)
        if membership is not None:
            await store.record(tx, actor, membership, events.PASSWORD_CHANGED)
    forget(services)
    log.info("password_changed", account=str(account_id))


async def _own_login(services: Services, account_id: UUID) -> tuple[str, str]:
    async with services.db.read() as tx:
        card = (await directory.cards(tx, services.keyring, [account_id]))[account_id]
        login = await directory.login(tx, services.keyring, card.email)
    assert login is not None
    return card.email, login.password_hash


async def set_password(services: Services, *, email: str, password: str) -> UUID:
    """From the command line: a password for whoever lost theirs; every session ends. ``AccountNotFound``."""
    rules.check_password(password, email=email)
    hash_ = await passwords.hashed(password)
    async with services.db.write() as tx:
        account_id = await _named(tx, services.keyring, email)
        await directory.set_password(tx, account_id, hash_, temporary=False)
        await directory.revoke_all(tx, account_id)
    forget(services)
    log.info("password_set", account=str(account_id))
    return account_id


async def disable(services: Services, *, email: str, disabled: bool = True) -> UUID:
    """From the command line: the account in every facility, at once. ``AccountNotFound``."""
    async with services.db.write() as tx:
        account_id = await _named(tx, services.keyring, email)
        await directory.disable(tx, account_id, tx.now if disabled else None)
        if disabled:
            await directory.revoke_all(tx, account_id)
    forget(services)
    log.info("account_disabled" if disabled else "account_enabled", account=str(account_id))
    return account_id


async def _named(tx: WriteTx, keyring: Keyring, email: str) -> UUID:
    found = await directory.find(tx, keyring, email)
    if found is None:
        raise AccountNotFound
    return found


async def create_staff(
    services: Services,
    *,
    email: str,
    name: str,
    password: str,
    facility_id: UUID | None = None,
    role: Role | None = None,
    clinics: Collection[str] = (),
    doctor: str | None = None,
    desk: str | None = None,
    language: str | None = None,
    operator: bool = False,
    if_missing: bool = False,
    check_password: bool = True,
) -> UUID:
    """From the command line and the demonstration: an account and, with ``facility_id`` and ``role``, its membership.

    ``AccountExists`` where the address has an account; with ``if_missing`` that account stays as it is and only gets the
    membership it lacks. ``check_password=False`` takes a password that whoever runs the installation chose for a trial.
    """
    if check_password:
        rules.check_password(password, email=email)
    operator = operator or role is Role.OPERATOR
    person = Person(email, name, await passwords.hashed(password), operator=operator, language=language)
    async with services.db.write(facility_id) as tx:
        account_id, made = await create_account(tx, services.keyring, person)
        if not made and not if_missing:
            raise AccountExists
        if facility_id is not None and role not in (None, Role.OPERATOR):
            await _add_if_missing(tx, account_id, Post(role, clinics, doctor, desk))
    return account_id


async def _add_if_missing(tx: WriteTx, account_id: UUID, post: Post) -> None:
    present = await store.find(tx, account_id)
    if present is None or present.removed:
        await add_membership(tx, SYSTEM, account_id, post)


async def create_first(
    services: Services, *, email: str, password: str, name: str, facility_id: UUID | None, role: Role
) -> UUID:
    """Whoever can sign in first, from the command line: an operator, or a facility's administrator. ``AccountExists``."""
    return await create_staff(services, email=email, name=name, password=password, facility_id=facility_id, role=role)
