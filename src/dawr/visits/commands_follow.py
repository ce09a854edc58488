"""A visit follows its tickets, in the transaction that changes them: registered as a listener of the queue."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from dawr.platform.db import WriteTx
from dawr.platform.events import Recorded
from dawr.platform.services import Services
from dawr.tickets.events import TYPES, UNDONE, WITHDRAWN, Change
from dawr.tickets.rules import OPEN
from dawr.tickets.rules import Verb as Step
from dawr.visits import events, rules, store
from dawr.visits.rules import News, Stop, Visit
from dawr.visits.store import Link

Happened = tuple[Change, Recorded]
# The second half of either tells how the person goes on, in the same transaction.
_HALVES = frozenset({TYPES[Step.TRANSFER], WITHDRAWN})


async def follow(tx: WriteTx, _: Services, changes: Sequence[Happened]) -> None:
    """Brings the visits of changed tickets to the state that their tickets tell, and links a ticket that a transfer made.

    Most steps (called, recalled, held; a ticket without a visit entering) change no visit, and cost nothing here.
    """
    counting = [one for one in changes if _counts(one[0])]
    if not counting:
        return
    visits = await store.of_tickets(tx, {_known_by(change) for change, _ in counting})
    if not visits:
        return
    mine: dict[UUID, list[Happened]] = defaultdict(list)
    for change, event in counting:
        if _known_by(change) in visits:
            mine[visits[_known_by(change)].visit].append((change, event))
    await _follow(tx, {one.visit: one for one in visits.values()}, mine)


async def _follow(tx: WriteTx, visits: dict[UUID, Visit], mine: dict[UUID, list[Happened]]) -> None:
    stops = await store.stops(tx, visits)
    links: list[Link] = []
    changed: list[tuple[Visit, Recorded]] = []
    for visit_id, happened in mine.items():
        before, fresh = visits[visit_id], [change.after for change, _ in happened if change.before is None]
        links += [(one.id, visit_id, one.clinic) for one in fresh]
        seen = stops[visit_id] + [Stop(one.id, one.clinic, one.status, begun=False) for one in fresh]
        after = rules.followed(before, seen, _news(happened), now=tx.now)
        if after is not before:
            after = store.raised(after)
            type_ = events.type_of(before.status, after.status)
            changed.append((after, store.event_of(after, type_, actor=happened[-1][1].actor, tx=tx)))
    if links or changed:
        await store.save(tx, changed, links=links)


def _counts(change: Change) -> bool:
    if change.type in _HALVES:
        return False
    if change.before is None:
        return change.after.previous is not None
    return rules.place(change.before.status) != rules.place(change.after.status)


def _known_by(change: Change) -> UUID:
    """The ticket that is linked to the visit already: of one that a transfer made, the one it came from."""
    before = change.after.previous if change.before is None else change.after.id
    assert before is not None
    return before


def _news(happened: Sequence[Happened]) -> News:
    came = any(
        change.after.status in OPEN and (change.before is None or change.before.status not in OPEN)
        for change, _ in happened
    )
    return News(came=came, taken_back=any(change.type == UNDONE for change, _ in happened))
