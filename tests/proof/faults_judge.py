"""What is looked at when the faults are over: is everything that was answered there, once, and in order?"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg

from dawr.platform.events import Recorded
from dawr.tickets.queries import public_update
from tests.proof.driver import Given, Journal
from tests.proof.faults_stage import Stage
from tests.proof.history import called_twice, overtaken_numbers, repeated_numbers
from tests.proof.linearizability import Operation
from tests.proof.queue_model import check_queues
from tests.realtime.folding import Fold

JUDGED_WITHIN = 60.0
EVENTS = {
    "enter": "ticket_entered",
    "transfer": "ticket_transferred",
    "call_next": "ticket_called",
    "recall": "ticket_recalled",
    "serve": "ticket_serving",
    "done": "ticket_done",
    "no_show": "ticket_no_show",
    "rejoin": "ticket_rejoined",
    "hold": "ticket_held",
    "resume": "ticket_resumed",
    "cancel": "ticket_cancelled",
    "late": "ticket_late",
    "undo": "ticket_undone",
}
BACK_IN_LINE = ("rejoin", "late", "resume", "undo", "hold")
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Findings:
    """Sentences: what was answered and is not there, what is there twice, and whatever else is not as it should be."""

    lost: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lost or self.repeated or self.wrong)

    def __str__(self) -> str:
        return "\n".join((*self.lost, *self.repeated, *self.wrong))


async def judge(stage: Stage, journal: Journal, clinics: Sequence[str], *, days: bool = False) -> Findings:
    """``days``: the service day turned meanwhile. The model of the queue and the fold of its log know one day only; everything
    else is judged all the same."""
    operations = journal.operations
    missing = await _not_found(stage, journal.tickets.values(), by_secret=not days)
    with stage.owner() as owner:
        kept = _kept(owner, clinics)
    lost, again = done_once(operations, kept.events)
    wrong = [*journal.strange, *(f"never resolved: {one}" for one in journal.unresolved)]
    wrong += overtaken_numbers(operations)
    wrong += skipped(operations)
    wrong += kept.wrong()
    wrong += _nobody_was_told(journal, kept.tickets)
    if days:
        wrong += kept.days_wrong()
    else:
        verdicts = await asyncio.to_thread(check_queues, operations, deadline=JUDGED_WITHIN)
        wrong += [f"{name}: {one.report()}" for name, one in verdicts.items() if not one.ok]
        for clinic in clinics:
            wrong += await _folds(stage, clinic, kept.events)
    twice = [*repeated_numbers(operations), *called_twice(operations), *_same_number(journal.tickets.values())]
    return Findings(tuple(missing + lost), tuple(twice + again), tuple(wrong))


# What was answered


async def _not_found(stage: Stage, tickets: Iterable[Given], *, by_secret: bool) -> list[str]:
    """Every ticket that somebody was told they have, asked for by its secret or as the staff."""
    bearer = await stage.token("")
    few = asyncio.Semaphore(8)

    async def look(client: httpx2.AsyncClient, one: Given) -> str | None:
        headers = {"X-Facility": stage.facility}
        headers |= {"Ticket-Secret": one.secret} if one.secret and by_secret else {"Authorization": f"Bearer {bearer}"}
        async with few:
            answer = await client.get(f"{stage.urls[0]}/api/v1/queue/ticket/{one.ticket}", headers=headers)
        if answer.status_code != 200:
            return f"lost: {one} ({answer.status_code} {answer.text[:200]})"
        found = answer.json()
        same = all(found[name] == getattr(one, name) for name in ("clinic", "number", "series", "service_day"))
        return None if same and found["code"].partition("/")[0] == one.code else f"changed: {one} is now {found}"

    async with httpx2.AsyncClient(timeout=30, verify=False) as client:
        answers = await asyncio.gather(*(look(client, one) for one in tickets))
    return [one for one in answers if one]


def _same_number(tickets: Iterable[Given]) -> list[str]:
    count = Counter((one.clinic, one.service_day, one.series, one.number) for one in tickets)
    return [f"number given {n} times: {number}" for number, n in count.items() if n > 1]


def done_once(operations: Iterable[Operation], events: Rows) -> tuple[list[str], list[str]]:
    """Changes that were answered and are not in the log, and such as are there more often than they were asked for."""
    logged = Counter((one["entity"], one["type"]) for one in events)
    answered: Counter[tuple[str, str]] = Counter()
    perhaps: Counter[tuple[str, str]] = Counter()
    anybody = Counter(one.verb for one in operations if one.output is None)
    for one in operations:
        event = EVENTS.get(one.verb)
        if event is None or (one.output and (one.output["http"] >= 300 or one.output.get("existing"))):
            continue
        if one.output is None:
            perhaps[(one.input.get("ticket", ""), event)] += 1
            continue
        ticket = one.input.get("ticket") or one.output["ticket"]
        answered[(ticket, event)] += 1
        if one.verb == "transfer":
            answered[(one.output["ticket"], EVENTS["enter"])] += 1
    lost = [
        f"answered {n} times, in the log {logged[key]} times: {key}" for key, n in answered.items() if n > logged[key]
    ]
    # Nobody knows whom a call, or which ticket a person coming, was that nobody heard the answer of.
    unnamed = {EVENTS["call_next"]: anybody["call_next"], EVENTS["enter"]: anybody["enter"] + anybody["transfer"]}
    again = [
        f"in the log {n} times, answered {answered[key]} times: {key}"
        for key, n in logged.items()
        if key[1] in EVENTS.values() and n > answered[key] + perhaps[key] + unnamed.get(key[1], 0)
    ]
    return lost, again


def _nobody_was_told(journal: Journal, rows: Rows) -> list[str]:
    """Tickets that are nobody's, though every question was answered in the end."""
    unknown = len([one for one in journal.operations if one.output is None and one.verb in ("enter", "transfer")])
    extra = [row for row in rows if row["id"] not in journal.tickets]
    return [f"tickets nobody was told of: {extra[:5]}"] if len(extra) > unknown else []


def skipped(operations: Iterable[Operation]) -> list[str]:
    """Of those who came, waited and were called, nobody was passed over: later numbers were called later. Whoever was put back
    in line or came from elsewhere has another place and is left out."""
    history = list(operations)
    moved = {one.input.get("ticket") for one in history if one.verb in BACK_IN_LINE}
    moved |= {
        one.output["ticket"] for one in history if one.verb == "transfer" and one.output and "ticket" in one.output
    }
    calls = [
        one
        for one in history
        if one.verb == "call_next" and one.output and one.output["http"] == 200 and one.output["ticket"] not in moved
    ]
    wrong = []
    for clinic in {one.input["clinic"] for one in calls}:
        mine = sorted((one for one in calls if one.input["clinic"] == clinic), key=lambda one: one.call)
        wrong += [f"passed over: {late}\n  {early}" for early, late in _overtaking(mine)]
    return wrong


def _overtaking(calls: Sequence[Operation]) -> Iterator[tuple[Operation, Operation]]:
    """Pairs of a call that was answered and one begun afterwards that got somebody who had come before."""
    answered = sorted(calls, key=lambda one: one.end)
    furthest, at = None, 0
    for one in calls:
        while at < len(answered) and answered[at].end < one.call:
            if furthest is None or _arrival(answered[at]) > _arrival(furthest):
                furthest = answered[at]
            at += 1
        if furthest is not None and _arrival(furthest) > _arrival(one):
            yield furthest, one


def _arrival(one: Operation) -> tuple[str, int]:
    assert one.output is not None
    return one.output["service_day"], one.output["number"]


# What is kept


@dataclass(frozen=True, slots=True)
class Kept:
    tickets: Rows
    events: Rows
    queues: Rows
    counters: Rows

    def wrong(self) -> list[str]:
        return [*self._gaps_in_log(), *self._gaps_in_numbers(), *self._not_as_logged(), *self._miscounted()]

    def days_wrong(self) -> Iterator[str]:
        """A service day turns once, and forwards."""
        turns: dict[str, list[str]] = {}
        for one in self.events:
            if one["type"] == "service_day_turned":
                turns.setdefault(one["stream"], []).append(one["data"]["to"])
        yield from (f"{stream} turned to {days}" for stream, days in turns.items() if days != sorted(set(days)))
        if not turns:
            yield "no service day turned"

    def _gaps_in_log(self) -> Iterator[str]:
        for queue in self.queues:
            stream = f"queue:{queue['clinic']}"
            versions = sorted(one["version"] for one in self.events if one["stream"] == stream)
            if versions != list(range(1, queue["version"] + 1)):
                yield f"{stream} is at version {queue['version']}, its log has {len(versions)}: {versions[-5:]}"

    def _gaps_in_numbers(self) -> Iterator[str]:
        given: dict[tuple[Any, ...], list[int]] = {}
        for one in self.tickets:
            given.setdefault((one["clinic"], one["service_day"], one["series"]), []).append(one["number"])
        counted = {(one["scope"], one["service_day"], one["series"]): one["last"] for one in self.counters}
        for series in given.keys() | counted.keys():
            numbers, last = sorted(given.get(series, [])), counted.get(series, 0)
            if numbers != list(range(1, last + 1)):
                yield f"{series}: the counter says {last}, the numbers are {numbers}"

    def _not_as_logged(self) -> Iterator[str]:
        latest = {one["entity"]: one["data"].get("status") for one in self.events}
        for one in self.tickets:
            if latest.get(one["id"]) != one["status"]:
                yield f"ticket {one['id']} is {one['status']}, its log says {latest.get(one['id'])}"

    def _miscounted(self) -> Iterator[str]:
        waiting = Counter(one["clinic"] for one in self.tickets if one["status"] == "waiting")
        for queue in self.queues:
            if queue["waiting"] != waiting[queue["clinic"]]:
                yield f"{queue['clinic']} takes {queue['waiting']} for waiting, {waiting[queue['clinic']]} are"


def _kept(owner: psycopg.Connection[dict[str, Any]], clinics: Sequence[str]) -> Kept:
    """Of these clinics: every ticket, every event in the order of its stream, the queues and the counters."""

    def rows(sql: str) -> Rows:
        return owner.execute(sql, {"clinics": list(clinics)}).fetchall()

    return Kept(
        rows(
            "SELECT id::text, clinic, service_day, series, number, status FROM ticket WHERE clinic = ANY(%(clinics)s)"
        ),
        rows(
            "SELECT stream, version, entity, type, data, actor, at FROM event"
            " WHERE stream = ANY(SELECT 'queue:' || unnest(%(clinics)s::text[])) ORDER BY stream, version"
        ),
        rows("SELECT clinic, version, waiting FROM queue WHERE clinic = ANY(%(clinics)s)"),
        rows("SELECT scope, service_day, series, last FROM counter WHERE kind = 'ticket' AND scope = ANY(%(clinics)s)"),
    )


async def _folds(stage: Stage, clinic: str, events: Rows) -> list[str]:
    """The whole log of a queue, folded from nothing, is what a fresh look shows."""
    async with httpx2.AsyncClient(timeout=20, verify=False, headers={"X-Facility": stage.facility}) as client:
        fresh = (await client.get(f"{stage.urls[-1]}/api/v1/queue/status", params={"clinic": clinic})).json()
    folded = Fold(_nothing_of(fresh))
    for one in events:
        if one["stream"] == f"queue:{clinic}":
            update = public_update(Recorded(**one))
            assert update is not None, one
            folded.apply(update)
    now = Fold(fresh).state
    return [] if folded.state == now else [f"{clinic}: the log makes {folded.state}, a fresh look {now}"]


def _nothing_of(status: Mapping[str, Any]) -> dict[str, Any]:
    """The status of the same queue before anybody came."""
    empty: dict[str, Any] = {"counts": dict.fromkeys(status["counts"], 0), "last_number": 0}
    return dict(status) | empty | {name: [] for name in ("waiting", "called", "serving", "held")}


def durable(owner: psycopg.Connection[dict[str, Any]]) -> list[str]:
    """The settings without which an answer could be given before what it says is on the disk."""
    names = ("fsync", "synchronous_commit", "full_page_writes")
    shown = {name: (owner.execute(f"SHOW {name}").fetchone() or {})[name] for name in names}
    return [f"{name} is {value}" for name, value in shown.items() if value != "on"]
