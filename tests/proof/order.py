"""An order of which not everything is known: places in a row, and the pairs of them that may stand the other way round."""

from collections.abc import Iterable
from functools import cached_property

Pair = tuple[int, int]


def pair(one: int, other: int) -> Pair:
    return (one, other) if one < other else (other, one)


class Order:
    """Immutable. ``row``: all places in one order that agrees with what is known; ``open``: the pairs whose order is not.

    What follows from what is known is known: an open pair can be taken to stand either way.
    """

    def __init__(self, row: tuple[int, ...] = (), open_: frozenset[Pair] = frozenset()) -> None:
        self.row, self.open = row, open_

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and self.row == other.row and self.open == other.open

    def __hash__(self) -> int:
        return hash((self.row, self.open))

    @cached_property
    def at(self) -> dict[int, int]:
        return {place: index for index, place in enumerate(self.row)}

    def known(self, before: int, after: int) -> bool:
        """Whether one place is known to be before another."""
        return self.at[before] < self.at[after] and pair(before, after) not in self.open

    def appended(self, place: int) -> "Order":
        """With a place behind all others."""
        return Order((*self.row, place), self.open)

    def without(self, place: int) -> "Order":
        if place not in self.row:
            return self
        index = self.row.index(place)
        row = self.row[:index] + self.row[index + 1 :]
        return Order(row, frozenset(one for one in self.open if place not in one) if self.open else self.open)

    def inserted(self, place: int, *, after: Iterable[int] = (), before: Iterable[int] = ()) -> "Order":
        """With a place behind all of ``after`` and in front of all of ``before``; how it stands to others is open, but for
        what follows. ``ValueError`` where some of ``before`` are known to be before some of ``after``."""
        lower, upper = set(after), set(before)
        order = self
        for one, other in self.open:
            if one in lower and other in upper:
                order = order.learned(one, other)
            elif other in lower and one in upper:
                order = order.learned(other, one)
        return order._between(place, lower, upper)

    def _between(self, place: int, lower: set[int], upper: set[int]) -> "Order":
        down, up = self._down(lower), self._up(upper)
        if down & up:
            raise ValueError(f"{down & up} are on both sides")
        index = min((self.at[one] for one in upper), default=len(self.row))
        row = (*self.row[:index], place, *self.row[index:])
        rest = {pair(one, place) for one in self.row if one not in down and one not in up}
        return Order(row, self._still_open(down, up) | rest)

    def learned(self, before: int, after: int) -> "Order":
        """With one place known to be before another. ``ValueError`` where the contrary is known."""
        if self.known(before, after):
            return self
        if self.known(after, before):
            raise ValueError(f"{after} is before {before}")
        down, up = self._down({before}), self._up({after})
        return Order(self._rearranged(before, after, down), self._still_open(down, up))

    def _rearranged(self, before: int, after: int, down: set[int]) -> tuple[int, ...]:
        first, last = self.at[after], self.at[before]
        if last < first:
            return self.row
        part = self.row[first : last + 1]
        moved = [one for one in part if one in down]
        return (*self.row[:first], *moved, *(one for one in part if one not in down), *self.row[last + 1 :])

    def _still_open(self, down: set[int], up: set[int]) -> frozenset[Pair]:
        if not self.open:
            return self.open
        settled = ((one in down and other in up) or (other in down and one in up) for one, other in self.open)
        return frozenset(one for one, known in zip(self.open, settled, strict=True) if not known)

    def _down(self, places: set[int]) -> set[int]:
        """The places, and everything known to be before one of them."""
        last = max((self.at[one] for one in places), default=-1)
        if not self.open:
            return set(self.row[: last + 1])
        return {one for one in self.row[: last + 1] if any(one == top or self.known(one, top) for top in places)}

    def _up(self, places: set[int]) -> set[int]:
        """The places, and everything known to be behind one of them."""
        first = min((self.at[one] for one in places), default=len(self.row))
        if not self.open:
            return set(self.row[first:])
        return {one for one in self.row[first:] if any(one == low or self.known(low, one) for low in places)}
