"""Writes of the inbox, of a facility's rules, and of how far each queue has been read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Actor, Right
from dawr.accounts.rules_inbox import names_of
from dawr.notifications import queries
from dawr.notifications.events import RULES_CHANGED
from dawr.notifications.rules import Fact, NotificationNotFound, Quiet, Rule, Rules
from dawr.platform import events
from dawr.platform.db import WriteTx
from dawr.platform.ids import new_id
from dawr.tickets.rules import Status

STREAM = "notification_rules"
STILL_RUNNING = timedelta(seconds=30)
"""Longer than any transaction lives: whatever was begun before is there or will never be."""

_NOTICES = """
INSERT INTO notice (facility_id, notice, fact, moment, roles, clinics, visit, ticket, appointment, numbers, at)
SELECT %(facility_id)s, notice, fact, moment, roles, clinics, visit, ticket, appointment, numbers, at
FROM json_populate_recordset(NULL::notice, %(rows)s)
ON CONFLICT (facility_id, fact) DO NOTHING RETURNING notice
"""
_READ = """
INSERT INTO notice_read (facility_id, account, notice) SELECT %(facility_id)s, %(account)s, unnest(%(notices)s::uuid[])
ON CONFLICT DO NOTHING
"""
_SEEN = """
INSERT INTO notice_seen (facility_id, account, up_to) VALUES (%(facility_id)s, %(account)s, %(up_to)s)
ON CONFLICT (facility_id, account) DO UPDATE SET up_to = greatest(notice_seen.up_to, excluded.up_to)
"""
_FORGET_READ = """
DELETE FROM notice_read WHERE facility_id = %(facility_id)s AND account = %(account)s AND notice <= %(up_to)s
"""
_FORGET = "DELETE FROM notice WHERE facility_id = %(facility_id)s AND notice < %(before)s"
_OPEN_SETTINGS = """
INSERT INTO notification_settings (facility_id, quiet_begins, quiet_ends, version)
VALUES (%(facility_id)s, %(begins)s, %(ends)s, 0) ON CONFLICT DO NOTHING
"""
_LOCK_SETTINGS = "SELECT FROM notification_settings WHERE facility_id = %(facility_id)s FOR UPDATE"
_SAVE_SETTINGS = """
UPDATE notification_settings SET quiet_begins = %(begins)s, quiet_ends = %(ends)s, version = %(version)s
WHERE facility_id = %(facility_id)s
"""
_CLEAR_RULES = "DELETE FROM notification_rule WHERE facility_id = %(facility_id)s"
_INSERT_RULES = """
INSERT INTO notification_rule (facility_id, moment, audience, channel, enabled, quiet, template, ahead, minutes, place)
SELECT %(facility_id)s, moment, audience, channel, enabled, quiet, template, ahead, minutes, place
FROM json_populate_recordset(NULL::notification_rule, %(rows)s)
"""
# A queue that nobody has read yet begins where telling still had a use.
_OPEN_CURSOR = """
INSERT INTO notification_cursor (facility_id, stream, version)
SELECT %(facility_id)s, %(stream)s, coalesce((
  SELECT version FROM event WHERE facility_id = %(facility_id)s AND stream = %(stream)s AND at < %(since)s
  ORDER BY version DESC LIMIT 1), 0)
ON CONFLICT DO NOTHING
"""
_CLAIM_CURSOR = """
SELECT version FROM notification_cursor WHERE facility_id = %(facility_id)s AND stream = %(stream)s FOR UPDATE SKIP LOCKED
"""
_SKIP_QUIET = """
UPDATE notification_cursor c SET version = q.version FROM (
  SELECT n.stream, q.version FROM notification_cursor n
  JOIN queue q ON q.facility_id = n.facility_id AND q.clinic = substr(n.stream, %(prefix)s + 1)
  WHERE n.facility_id = %(facility_id)s AND starts_with(n.stream, %(queue)s) AND q.version > n.version
  AND NOT EXISTS (SELECT FROM event e WHERE e.facility_id = n.facility_id AND e.stream = n.stream AND e.version > n.version
    AND e.version <= q.version AND (e.type = %(called)s
      OR (e.data ->> 'from' = %(waiting)s AND e.data ->> 'to' IS DISTINCT FROM %(waiting)s)))
  FOR UPDATE OF n SKIP LOCKED
) q WHERE c.facility_id = %(facility_id)s AND c.stream = q.stream
"""
_MOVE_CURSOR = """
UPDATE notification_cursor SET version = %(version)s WHERE facility_id = %(facility_id)s AND stream = %(stream)s
"""


# The inbox


@dataclass(frozen=True, slots=True)
class Notice:
    """A fact and its audience: one row, however many people that is."""

    fact: Fact
    roles: Sequence[str]


async def add_notices(tx: WriteTx, notices: Sequence[Notice]) -> int:
    """How many of them nobody had been told of before."""
    if not notices:
        return 0
    made = {new_id(tx.now): one for one in notices}
    answered = await tx.insert_rows(_NOTICES, [_notice(one, notice) for notice, one in made.items()])
    added = [made[row["notice"]] for row in await answered.fetchall()]
    if tx.facility_id:
        tx.touched.update((tx.facility_id, name) for one in added for name in names_of(one.roles, one.fact.clinics))
    return len(added)


def _notice(one: Notice, notice_id: UUID) -> Mapping[str, Any]:
    fact = one.fact
    return {
        "notice": notice_id,
        "fact": fact.key,
        "moment": fact.moment,
        "roles": list(one.roles),
        "clinics": list(fact.clinics),
        "visit": fact.visit,
        "ticket": fact.ticket,
        "appointment": fact.appointment,
        "numbers": dict(fact.numbers),
        "at": fact.at,
    }


async def mark_read(tx: WriteTx, actor: Actor, notice_id: UUID) -> None:
    """``NotificationNotFound`` where it is in nobody's inbox, or in another one."""
    if await queries.notice(tx, actor, notice_id) is None:
        raise NotificationNotFound
    await tx.execute(_READ, account=actor.account_id, notices=[notice_id])


async def mark_all_read(tx: WriteTx, actor: Actor) -> None:
    """One mark for everything that is old, and one each for what is younger than the longest transaction: another one may be
    about to commit a notice with an earlier id, which nobody has seen yet."""
    settled = new_id(tx.now - STILL_RUNNING)
    young = await queries.unread_after(tx, actor, settled)
    await tx.execute(_SEEN, account=actor.account_id, up_to=settled)
    await tx.execute(_FORGET_READ, account=actor.account_id, up_to=settled)
    await tx.execute(_READ, account=actor.account_id, notices=young)


async def forget_notices(tx: WriteTx, *, before: datetime) -> int:
    return await tx.execute(_FORGET, before=new_id(before))


# A facility's rules


async def load_rules_for(tx: WriteTx, actor: Actor) -> Rules:
    """The facility's rules, locked."""
    actor.require(Right.SETTINGS)
    quiet = Quiet()
    await tx.execute(_OPEN_SETTINGS, begins=quiet.begins, ends=quiet.ends)
    await tx.execute(_LOCK_SETTINGS)
    return await queries.rules(tx)


async def save_rules(tx: WriteTx, actor: Actor, rules: Rules) -> None:
    await tx.execute(_SAVE_SETTINGS, begins=rules.quiet.begins, ends=rules.quiet.ends, version=rules.version)
    await tx.execute(_CLEAR_RULES)
    await tx.insert_rows(_INSERT_RULES, [_rule(one, place) for place, one in enumerate(rules.rules)])
    data = {"rules": len(rules.rules)}
    recorded = events.Recorded(STREAM, rules.version, STREAM, RULES_CHANGED, data, actor.label, tx.now)
    await events.append(tx, [recorded])


def _rule(one: Rule, place: int) -> dict[str, object]:
    return {name: getattr(one, name) for name in Rule.__slots__} | {"place": place}


# How far a queue has been read


async def claim_cursor(tx: WriteTx, stream: str, *, since: datetime) -> int | None:
    """How far the stream has been read, held until the transaction ends; None where another process holds it."""
    await tx.execute(_OPEN_CURSOR, stream=stream, since=since)
    found: int | None = await tx.value(_CLAIM_CURSOR, stream=stream)
    return found


async def pass_cursors(tx: WriteTx, prefix: str, *, called: str) -> int:
    """Moves the cursors of queues in which nobody was called and nobody left the line, together; how many. Those that another
    process holds are its business."""
    return await tx.execute(_SKIP_QUIET, queue=prefix, prefix=len(prefix), called=called, waiting=Status.WAITING.value)


async def move_cursor(tx: WriteTx, stream: str, version: int) -> None:
    await tx.execute(_MOVE_CURSOR, stream=stream, version=version)
