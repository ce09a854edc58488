"""Pages of lists: ``?limit=``, ``?cursor=`` (the ``next`` of the page before), ``?total=true``.

A cursor is the key of the last row that was shown. A list that is read whole is cut by ``Page.of``; one of which only the page is
read asks ``Page.position`` where to begin, reads one row more than ``limit``, and shows what ``Page.cut`` leaves.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Query

from dawr.platform.errors import N_, Invalid

T = TypeVar("T")
Form = Callable[[Any], Any]
"""Reads one member of a cursor; a ``ValueError`` or ``TypeError`` for what is none of ours."""


class Page:
    """Which part of a list is asked for: ``?limit=``, the ``cursor`` that the page before gave as ``next``, ``?total=true``."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=400)] = None,
        total: Annotated[bool, Query()] = False,
    ) -> None:
        self.limit = limit
        self.after = _read(cursor) if cursor else None
        self.total = total

    def of(
        self, rows: Sequence[T], *, key: Callable[[T], list[Any]], show: Callable[[T], dict[str, Any]]
    ) -> dict[str, Any]:
        """The page of ``rows``, which are all there are and sorted by ``key``, a list of what JSON knows."""
        rest = [row for row in rows if self.after is None or _later(key(row), self.after)]
        page, following = self.cut(rest, key=key)
        answer = {"items": [show(row) for row in page], "next": following}
        return answer | ({"total": len(rows)} if self.total else {})

    def position(self, *forms: Form) -> tuple[Any, ...] | None:
        """Behind which key the page begins, each member read by its form; ``None`` for the first page."""
        return None if self.after is None else _formed(self.after, forms)

    def cut(self, rows: Sequence[T], *, key: Callable[[T], list[Any]]) -> tuple[list[T], str | None]:
        """The page of rows that begin where it begins, and the cursor of the next one, if they reach further."""
        return cut(rows, self.limit, key=key)


Paged = Annotated[Page, Depends()]


def cut(rows: Sequence[T], limit: int, *, key: Callable[[T], list[Any]]) -> tuple[list[T], str | None]:
    page = list(rows[:limit])
    return page, cursor_of(key(page[-1])) if len(rows) > limit else None


def cursor_of(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def position_of(cursor: str | None, *forms: Form) -> tuple[Any, ...] | None:
    """What ``cursor_of`` was given; ``None`` without a cursor."""
    return None if cursor is None else _formed(_read(cursor), forms)


def moment(given: Any) -> datetime:
    """The form of an instant in a cursor."""
    read = datetime.fromisoformat(given)
    if read.tzinfo is None:
        raise ValueError("an instant has an offset")
    return read


def number(given: Any) -> int:
    """The form of a number that the store has a column for."""
    # By type: JSON's true is an int in Python, and none in the database.
    if type(given) is not int or not 0 <= given < 2**31:
        raise ValueError("no number of ours")
    return given


def _formed(key: list[Any], forms: Sequence[Form]) -> tuple[Any, ...]:
    try:
        return tuple(form(member) for form, member in zip(forms, key, strict=True))
    except (ValueError, TypeError, AttributeError):
        raise _no_cursor() from None


def _read(text: str) -> list[Any]:
    try:
        key = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        key = None
    if not isinstance(key, list):
        raise _no_cursor()
    return key


def _later(key: list[Any], after: list[Any]) -> bool:
    try:
        return key > after
    except TypeError:
        raise _no_cursor() from None


def _no_cursor() -> Invalid:
    return Invalid(N_("This cursor was not given by a page of this list"))
