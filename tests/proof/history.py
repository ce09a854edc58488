"""Histories of one or several queues: kept as JSON lines, recorded from clients, and looked at with cheap checks.

Each check takes a history and returns a sentence for everything that is wrong with it, so nothing is what a good one has.
``enter`` and ``status`` name a clinic in their input, ``transfer`` the clinic it leads ``to``; the answers of tickets carry
``clinic``, ``service_day`` and ``series`` where several are recorded together.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.proof.linearizability import Operation

COMES_BACK = ("rejoin", "late", "resume", "undo")
CALLS = ("call", "call_next")
GIVES = {"enter": 201, "transfer": 200}
"""What hands out a number, and how that is answered."""
Series = tuple[Any, ...]


def write(path: Path, operations: Iterable[Operation]) -> None:
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in operations))


def read(path: Path) -> list[Operation]:
    return [Operation(**json.loads(line)) for line in path.read_text().splitlines()]


def _series(one: Operation) -> Series:
    answer = one.output or {}
    clinic = one.input.get("to" if one.verb == "transfer" else "clinic")
    return (answer.get("clinic", clinic), answer.get("service_day"), answer.get("series"))


def _given(operations: Iterable[Operation]) -> dict[Series, list[Operation]]:
    """The numbers handed out, as they were answered. A repeated request's answer counts once."""
    given: dict[Series, dict[tuple[str, int], Operation]] = {}
    for one in operations:
        if one.output and one.output["http"] == GIVES.get(one.verb):
            given.setdefault(_series(one), {}).setdefault((one.output["ticket"], one.output["number"]), one)
    return {series: list(found.values()) for series, found in given.items()}


def _number(one: Operation) -> int:
    assert one.output is not None
    number: int = one.output["number"]
    return number


def repeated_numbers(operations: Iterable[Operation]) -> list[str]:
    """No number is two tickets'."""
    wrong = []
    for series, given in _given(operations).items():
        first: dict[int, Operation] = {}
        for one in given:
            other = first.setdefault(_number(one), one)
            if other is not one:
                wrong.append(f"{series}: number {_number(one)} twice\n  {other}\n  {one}")
    return wrong


def missing_numbers(operations: Iterable[Operation], last_numbers: Mapping[Series, int]) -> list[str]:
    """At rest the numbers are 1 to the last one given, but for those whose answer was lost."""
    history = list(operations)
    lost = len([one for one in history if one.verb in GIVES and one.returned is None])
    given = _given(history)
    wrong = []
    for series, last in last_numbers.items():
        seen = {_number(one) for one in given.get(series, [])}
        missing, beyond = set(range(1, last + 1)) - seen, seen - set(range(1, last + 1))
        if len(missing) > lost or beyond:
            wrong.append(f"{series}: of 1 to {last} missing {sorted(missing)}, beyond it {sorted(beyond)}, {lost} lost")
    return wrong


def overtaken_numbers(operations: Iterable[Operation]) -> list[str]:
    """Whoever was answered before another asked has the smaller number."""
    wrong = []
    for series, given in _given(operations).items():
        # The one answered before ``one`` was asked that has the highest number; both lists in order of time.
        answered = sorted(given, key=lambda found: found.end)
        highest, at = None, 0
        for one in sorted(given, key=lambda found: found.call):
            while at < len(answered) and answered[at].end < one.call:
                if highest is None or _number(answered[at]) > _number(highest):
                    highest = answered[at]
                at += 1
            if highest is not None and _number(highest) > _number(one):
                wrong.append(f"{series}: {_number(one)} after {_number(highest)} was answered\n  {highest}\n  {one}")
    return wrong


def called_twice(operations: Iterable[Operation]) -> list[str]:
    """No ticket is called again unless something put it back in line between the two calls, or may have."""
    calls: dict[str, list[Operation]] = {}
    returns: dict[str, list[Operation]] = {}
    for one in operations:
        if one.verb in CALLS and one.output and one.output["http"] == 200:
            calls.setdefault(one.output["ticket"], []).append(one)
        elif one.verb in COMES_BACK and (one.output is None or one.output["http"] == 200):
            returns.setdefault(one.input["ticket"], []).append(one)
    wrong = []
    for ticket, mine in calls.items():
        # Between n calls lie n - 1 returns to the line, at least, none before the first call or after the last.
        back = [one for one in returns.get(ticket, []) if _may_lie_between(one, mine)]
        if len(mine) > len(back) + 1:
            wrong.append(f"{ticket} called {len(mine)} times\n  " + "\n  ".join(map(str, mine)))
    return wrong


def _may_lie_between(one: Operation, calls: Iterable[Operation]) -> bool:
    first = min(call.call for call in calls)
    last = max(call.end for call in calls)
    return one.call <= last and one.end >= first
