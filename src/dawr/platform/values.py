"""Values: frozen dataclasses for what is made with every request. The type checker keeps them from being changed.

At run time nothing does: a frozen dataclass sets each of its fields by way of ``object.__setattr__``, which takes three to four
times as long (7 µs instead of 2 for a ticket). For what is made now and then, or is made once and shared, ``dataclass`` itself
is right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen: bool, slots: bool) -> Callable[[type[Any]], type[Any]]:
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["value"]
