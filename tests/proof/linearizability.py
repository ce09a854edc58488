"""Whether a concurrent history could have happened one operation after the other.

A history is linearizable if every operation can be given one instant between its call and its return so that, taken in that
order, the model allows every answer. The search is that of Wing and Gong with Lowe's memory of what was tried, in the form
Porcupine (A. Athalye) gave it: a linked list of calls and returns; a call before the first return may be placed next and its
two entries are lifted out; at a return whose call is not placed the last choice is taken back.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

State = TypeVar("State", bound=Hashable)
Part = TypeVar("Part", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Operation:
    """What one process asked and was answered. ``call`` and ``returned`` are seconds of one clock; equal instants overlap.

    ``returned`` and ``output`` are ``None`` where the outcome is unknown: it may have happened at any time after its call,
    or never. A retry of a lost request under its own key is the same operation, from the first call to the last answer.
    """

    process: int
    call: float
    returned: float | None
    verb: str
    input: Mapping[str, Any]
    output: Mapping[str, Any] | None

    @property
    def end(self) -> float:
        """By when it had happened, if it did."""
        return inf if self.returned is None else self.returned

    def __str__(self) -> str:
        end = "?" if self.returned is None else f"{self.returned:.4f}"
        return f"[{self.call:.4f} {end}] {self.process}: {self.verb} {dict(self.input)} -> {self.output}"


class Model(Protocol[State]):
    """The sequential specification; states are immutable and hashable."""

    def initial(self) -> State: ...

    def step(self, state: State, operation: Operation) -> Sequence[State]:
        """Every state in which the operation, with its answer, may leave this one; none where it cannot happen here."""

    def only_looks(self, operation: Operation) -> bool:
        """Whether its answer says that it changed nothing, whatever the state was: a read, a refusal. Saves much search."""


class Outcome(StrEnum):
    LINEARIZABLE = "linearizable"
    VIOLATED = "not linearizable"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``longest``: the operations in an order that explains as many as possible (where linearizable: all with a known
    outcome). ``stuck``: the one that had returned by then and fits nowhere. ``tried``: steps of the model."""

    outcome: Outcome
    longest: tuple[Operation, ...]
    stuck: Operation | None
    tried: int

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.LINEARIZABLE

    def report(self, last: int = 12) -> str:
        """The end of the longest order found, and what does not fit behind it."""
        lines = [f"{self.outcome}: {len(self.longest)} operations in order, {self.tried} steps tried"]
        lines += [f"  {one}" for one in self.longest[-last:]]
        return "\n".join(lines if self.ok else [*lines, f"  fits nowhere: {self.stuck}"])


def check(model: Model[State], operations: Iterable[Operation], *, deadline: float) -> Verdict:
    """``deadline``: seconds after which the search gives up."""
    return _Search(model, operations).run(monotonic() + deadline)


def check_parts(
    model: Model[State], operations: Iterable[Operation], *, part: Callable[[Operation], Part], deadline: float
) -> dict[Part, Verdict]:
    """A verdict for each independent object: a history is linearizable if its part of every object is."""
    parts: dict[Part, list[Operation]] = {}
    for one in operations:
        parts.setdefault(part(one), []).append(one)
    return {name: check(model, mine, deadline=deadline) for name, mine in parts.items()}


class _Entry:
    """A call, a return, or an end of the list. ``match`` is a call's return; an unknown outcome has none."""

    __slots__ = ("index", "is_call", "match", "next", "operation", "previous")

    def __init__(self, operation: Operation | None = None, index: int = -1, *, is_call: bool = False) -> None:
        self.operation, self.index, self.is_call = operation, index, is_call
        self.match: _Entry | None = None
        self.previous = self.next = self

    def remove(self) -> None:
        self.previous.next, self.next.previous = self.next, self.previous

    def put_back(self) -> None:
        self.previous.next = self.next.previous = self


def _linked(operations: Iterable[Operation]) -> _Entry:
    """The calls and returns in order of time, in a ring: what is returned stands before the first and behind the last."""
    entries: list[tuple[float, bool, _Entry]] = []
    for index, one in enumerate(operations):
        call = _Entry(one, index, is_call=True)
        entries.append((one.call, False, call))
        if one.returned is not None:
            call.match = _Entry(one, index)
            entries.append((one.returned, True, call.match))
    ends = last = _Entry()
    # Of equal instants calls come first: such operations overlap.
    for _, _, entry in sorted(entries, key=lambda found: found[:2]):
        last.next, entry.previous = entry, last
        last = entry
    last.next, ends.previous = ends, last
    return ends


class _Search(Generic[State]):
    def __init__(self, model: Model[State], operations: Iterable[Operation]) -> None:
        history = list(operations)
        self.model = model
        self.ends = _linked(history)
        self.unplaced = len([one for one in history if one.returned is not None])
        # All states that the order so far may have led to; an order is given up when none is left.
        self.states = frozenset([model.initial()])
        self.bits = 0
        self.placed: list[tuple[_Entry, frozenset[State]]] = []
        self.seen: set[tuple[int, frozenset[State]]] = set()
        self.longest: tuple[Operation, ...] = ()
        self.stuck: Operation | None = None
        self.tried = 0

    def run(self, give_up: float) -> Verdict:
        entry = self.ends.next
        # Who is left when every known answer is explained may never have happened.
        while self.unplaced:
            if monotonic() >= give_up:
                return self._verdict(Outcome.TIMED_OUT, at=entry)
            if entry.is_call:
                entry = self.ends.next if self._place(entry) else entry.next
                continue
            self._remember(entry)
            last = self._last_choice()
            if last is None:
                return self._verdict(Outcome.VIOLATED, at=entry)
            entry = last.next
        self.longest, self.stuck = self._order(), None
        return self._verdict(Outcome.LINEARIZABLE, at=entry)

    def _place(self, entry: _Entry) -> bool:
        assert entry.operation is not None
        after = self._after(entry.operation)
        bits = self.bits | 1 << entry.index
        # An unknown outcome that changes nothing here is as well left for later, or for never.
        useless = entry.match is None and after == self.states
        if not after or useless or (bits, after) in self.seen:
            return False
        self.seen.add((bits, after))
        self.placed.append((entry, self.states))
        self.states, self.bits = after, bits
        entry.remove()
        if entry.match:
            entry.match.remove()
            self.unplaced -= 1
        return True

    def _after(self, operation: Operation) -> frozenset[State]:
        self.tried += len(self.states)
        return frozenset(after for state in self.states for after in self.model.step(state, operation))

    def _last_choice(self) -> _Entry | None:
        """Takes back everything up to the last choice, and that too. Placing what only looks was none: if there is an order
        with it later there is one with it here."""
        while self.placed:
            entry, before = self.placed.pop()
            self._take_back(entry, before)
            if entry.operation and not self.model.only_looks(entry.operation):
                return entry
        return None

    def _take_back(self, entry: _Entry, before: frozenset[State]) -> None:
        self.states = before
        self.bits ^= 1 << entry.index
        # In the reverse order of removal, else the neighbours are not those of before.
        if entry.match:
            entry.match.put_back()
            self.unplaced += 1
        entry.put_back()

    def _order(self) -> tuple[Operation, ...]:
        return tuple(entry.operation for entry, _ in self.placed if entry.operation)

    def _remember(self, entry: _Entry) -> None:
        if self.stuck is None or len(self.placed) > len(self.longest):
            self.longest, self.stuck = self._order(), entry.operation

    def _verdict(self, outcome: Outcome, *, at: _Entry) -> Verdict:
        if outcome is Outcome.TIMED_OUT:
            self._remember(at)
        return Verdict(outcome, self.longest, self.stuck, self.tried)
