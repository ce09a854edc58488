"""Writes of accounts. ``load_for`` finds a membership, asks for the right and locks it; there is no other way to get one
that may be changed. The directory is reached through its functions alone (``store_directory``)."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg.errors import ForeignKeyViolation

from dawr.accounts import events
from dawr.accounts import store_directory as directory
from dawr.accounts.rules import AccountNotFound, Actor, Membership, Right, Role, UnknownAssignment
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.events import Recorded, append

_MEMBERSHIP = """
SELECT m.account_id, m.role, m.doctor, m.desk, m.disabled, m.removed, m.version, m.created_at,
       array(SELECT c.clinic FROM membership_clinic c
             WHERE c.facility_id = m.facility_id AND c.account_id = m.account_id) AS clinics
FROM membership m WHERE m.facility_id = %(facility_id)s
"""
_SOME = _MEMBERSHIP + " AND m.account_id = ANY(%(accounts)s)"
_PAGE = _MEMBERSHIP + """ AND NOT m.removed AND m.account_id > %(after)s::uuid ORDER BY m.account_id LIMIT %(limit)s"""
_COUNT = "SELECT count(*) FROM membership WHERE facility_id = %(facility_id)s AND NOT removed"
# The account's own row and every administrator's, in one order: two who take the role from each other wait for each other.
_LOCK = """
SELECT account_id, role = 'administrator' AND NOT disabled AND NOT removed AS administers FROM membership
WHERE facility_id = %(facility_id)s
  AND (account_id = %(account_id)s OR role = 'administrator' AND NOT disabled AND NOT removed)
ORDER BY account_id FOR UPDATE
"""
_INSERT = """
INSERT INTO membership (facility_id, account_id, role, doctor, desk, disabled, removed, created_at, version)
VALUES (%(facility_id)s, %(account_id)s, %(role)s, %(doctor)s, %(desk)s, false, true, %(at)s, 0)
ON CONFLICT DO NOTHING
"""
_UPDATE = """
UPDATE membership SET role = %(role)s, doctor = %(doctor)s, desk = %(desk)s, disabled = %(disabled)s,
       removed = %(removed)s, version = %(version)s
WHERE facility_id = %(facility_id)s AND account_id = %(account_id)s
"""
_LEAVE_CLINICS = """
DELETE FROM membership_clinic
WHERE facility_id = %(facility_id)s AND account_id = %(account_id)s AND clinic <> ALL (%(clinics)s::text[])
"""
_JOIN_CLINICS = """
INSERT INTO membership_clinic (facility_id, account_id, clinic)
SELECT %(facility_id)s, %(account_id)s, unnest(%(clinics)s::text[]) ON CONFLICT DO NOTHING
"""


async def find(tx: ReadTx, account_id: UUID) -> Membership | None:
    """What an account is in the transaction's facility, be it removed or not."""
    return next(iter(await found(tx, [account_id])), None)


async def found(tx: ReadTx, accounts: Sequence[UUID]) -> list[Membership]:
    """What these accounts are in the transaction's facility, be they removed or not."""
    return [_membership(row) for row in await tx.rows(_SOME, accounts=accounts)]


async def page(tx: ReadTx, *, after: UUID, limit: int) -> list[Membership]:
    """Those that are not removed, by the time their accounts were made."""
    return [_membership(row) for row in await tx.rows(_PAGE, after=after, limit=limit)]


async def count(tx: ReadTx) -> int:
    found: int = await tx.value(_COUNT)
    return found


def _membership(row: dict[str, Any]) -> Membership:
    return Membership(**(row | {"role": Role(row["role"]), "clinics": frozenset(row["clinics"])}))


async def load_for(tx: WriteTx, actor: Actor, account_id: UUID) -> tuple[Membership, int]:
    """The membership, locked, and how many other administrators the facility has, locked too. ``AccountNotFound``."""
    actor.require(Right.USERS)
    membership, others = await lock(tx, account_id)
    if membership is None or membership.removed:
        raise AccountNotFound
    return membership, others


async def lock(tx: WriteTx, account_id: UUID) -> tuple[Membership | None, int]:
    """For commands that act for the account itself: no right is asked for."""
    rows = await tx.rows(_LOCK, account_id=account_id)
    others = sum(row["administers"] for row in rows if row["account_id"] != account_id)
    return await find(tx, account_id), others


async def open_membership(tx: WriteTx, account_id: UUID) -> Membership:
    """The account's row in this facility, locked; one that was not there counts as removed."""
    await tx.execute(_INSERT, account_id=account_id, role=Role.DISPLAY, doctor=None, desk=None, at=tx.now)
    membership, _ = await lock(tx, account_id)
    assert membership is not None
    return membership


async def record(tx: WriteTx, actor: Actor, membership: Membership, type_: str) -> Membership:
    """Writes a locked membership as it is from now on, and the event that says so; the membership in its next version."""
    saved = replace(membership, version=membership.version + 1)
    with _known_places():
        await tx.execute(
            _UPDATE,
            account_id=saved.account_id,
            role=saved.role,
            doctor=saved.doctor,
            desk=saved.desk,
            disabled=saved.disabled,
            removed=saved.removed,
            version=saved.version,
        )
        await _set_clinics(tx, saved.account_id, saved.clinics)
    if saved.removed:
        await directory.unlink(tx, saved.account_id)
    else:
        await directory.link(tx, saved.account_id, active=saved.active)
    await append(tx, [_recorded(tx, actor, saved, type_)])
    return saved


async def _set_clinics(tx: WriteTx, account_id: UUID, clinics: Collection[str]) -> None:
    await tx.execute(_LEAVE_CLINICS, account_id=account_id, clinics=sorted(clinics))
    await tx.execute(_JOIN_CLINICS, account_id=account_id, clinics=sorted(clinics))


@contextmanager
def _known_places() -> Iterator[None]:
    """Clinics and doctors belong to a floor above; the foreign keys know which there are."""
    try:
        yield
    except ForeignKeyViolation as error:
        raise UnknownAssignment from error


def _recorded(tx: WriteTx, actor: Actor, membership: Membership, type_: str) -> Recorded:
    return Recorded(
        stream=events.stream(membership),
        version=membership.version,
        entity=str(membership.account_id),
        type=type_,
        data=events.data(membership),
        actor=actor.label,
        at=tx.now,
    )
