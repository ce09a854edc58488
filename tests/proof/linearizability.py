"""Whether a concurrent history could have happened one operation after the other.

A history is linearizable if every operation can be given one instant between its call and its return so that, taken in that
order, the model allows every answer. The search is that of Wing and Gong with Lowe's memory of what was tried, in the form
Porcupine (A. Athalye) gave it: a linked list of calls and returns; a call before the first return may be placed next and its
two entries are lifted out; where none of these fits the last choice is taken back.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
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
    """A call, a return, or an end of a list. ``at``: when. ``match`` is a call's return; an unknown outcome has none."""

    __slots__ = ("at", "index", "is_call", "match", "next", "operation", "previous")

    def __init__(self, operation: Operation | None = None, index: int = -1, *, is_call: bool = False) -> None:
        self.operation, self.index, self.is_call = operation, index, is_call
        self.at = inf if operation is None else operation.call if is_call else operation.end
        self.match: _Entry | None = None
        self.previous = self.next = self

    def remove(self) -> None:
        self.previous.next, self.next.previous = self.next, self.previous

    def put_back(self) -> None:
        self.previous.next = self.next.previous = self


def _linked(operations: Iterable[tuple[int, Operation]]) -> _Entry:
    """The calls and returns in order of time, in a ring: what is returned stands before the first and behind the last."""
    entries = []
    for index, one in operations:
        call = _Entry(one, index, is_call=True)
        entries.append(call)
        if one.returned is not None:
            call.match = _Entry(one, index)
            entries.append(call.match)
    ends = last = _Entry()
    # Of equal instants calls come first: such operations overlap.
    for entry in sorted(entries, key=lambda found: (found.at, not found.is_call)):
        last.next, entry.previous = entry, last
        last = entry
    last.next, ends.previous = ends, last
    return ends


@dataclass(frozen=True, slots=True)
class _Placed(Generic[State]):
    """``before``: the states that its predecessors left. ``others``: what may be placed in its stead and was not tried."""

    entry: _Entry
    before: frozenset[State]
    others: Iterator[_Entry]


class _Search(Generic[State]):
    """Which may come next, best guess first: what only looks; then in the order of the answers, as who waits for a lock is
    answered soon after having it; last those of unknown outcome. One of these that nobody needs is best left out, and guessing
    that it happened would be found wrong much later."""

    def __init__(self, model: Model[State], operations: Iterable[Operation]) -> None:
        history = list(enumerate(operations))
        self.model = model
        self.ends = _linked(one for one in history if one[1].returned is not None)
        self.unknown = _linked(one for one in history if one[1].returned is None)
        self.unplaced = len([one for _, one in history if one.returned is not None])
        # All states that the order so far may have led to; an order is given up when none is left.
        self.states = frozenset([model.initial()])
        self.bits = 0
        self.placed: list[_Placed[State]] = []
        self.seen: set[tuple[int, frozenset[State]]] = set()
        self.longest: tuple[Operation, ...] = ()
        self.stuck: Operation | None = None
        self.tried = 0
        self.next = self._candidates()

    def run(self, give_up: float) -> Verdict:
        # Who is left when every known answer is explained may never have happened.
        while self.unplaced:
            if monotonic() >= give_up:
                return self._verdict(Outcome.TIMED_OUT)
            entry = next(self.next, None)
            if entry is None:
                self._remember()
                if not self._take_back_choice():
                    return self._verdict(Outcome.VIOLATED)
            elif self._place(entry):
                self.next = self._candidates()
        self.longest, self.stuck = self._order(), None
        return self._verdict(Outcome.LINEARIZABLE)

    def _candidates(self) -> Iterator[_Entry]:
        """Whatever was asked before the first that is not placed was answered."""
        known, entry = [], self.ends.next
        while entry.is_call:
            known.append(entry)
            entry = entry.next
        yield from sorted(known, key=self._haste)
        before, entry = entry.at, self.unknown.next
        while entry.is_call and entry.at <= before:
            yield entry
            entry = entry.next

    def _haste(self, entry: _Entry) -> tuple[bool, float]:
        assert entry.operation is not None
        return not self.model.only_looks(entry.operation), entry.operation.end

    def _place(self, entry: _Entry) -> bool:
        assert entry.operation is not None
        after = self._after(entry.operation)
        bits = self.bits | 1 << entry.index
        # An unknown outcome that changes nothing here is as well left for later, or for never.
        useless = entry.match is None and after == self.states
        if not after or useless or (bits, after) in self.seen:
            return False
        self.seen.add((bits, after))
        # If there is an order with a look later there is one with it here, unless it told something of the state.
        is_choice = not self.model.only_looks(entry.operation) or after != self.states
        self.placed.append(_Placed(entry, self.states, self.next if is_choice else iter(())))
        self.states, self.bits = after, bits
        entry.remove()
        if entry.match:
            entry.match.remove()
            self.unplaced -= 1
        return True

    def _after(self, operation: Operation) -> frozenset[State]:
        self.tried += len(self.states)
        return frozenset(after for state in self.states for after in self.model.step(state, operation))

    def _take_back_choice(self) -> bool:
        """Back to where the last was placed; the next in its stead is tried there."""
        if not self.placed:
            return False
        last = self.placed.pop()
        self.states, self.next = last.before, last.others
        entry = last.entry
        self.bits ^= 1 << entry.index
        # In the reverse order of removal, else the neighbours are not those of before.
        if entry.match:
            entry.match.put_back()
            self.unplaced += 1
        entry.put_back()
        return True

    def _order(self) -> tuple[Operation, ...]:
        return tuple(one.entry.operation for one in self.placed if one.entry.operation)

    def _remember(self) -> None:
        if self.stuck is None or len(self.placed) > len(self.longest):
            entry = self.ends.next
            while entry.is_call:
                entry = entry.next
            self.longest, self.stuck = self._order(), entry.operation

    def _verdict(self, outcome: Outcome) -> Verdict:
        if outcome is Outcome.TIMED_OUT:
            self._remember()
        return Verdict(outcome, self.longest, self.stuck, self.tried)
