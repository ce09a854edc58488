"""Pages of lists: ``?limit=``, ``?cursor=`` (the ``next`` of the page before), ``?total=true``."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Query

from dawr.platform.errors import N_, Invalid

T = TypeVar("T")


class Page:
    """Which part of a list is asked for: ``?limit=``, the ``cursor`` that the page before gave as ``next``, ``?total=true``."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=400)] = None,
        total: Annotated[bool, Query()] = False,
    ) -> None:
        self.limit = limit
        self.after = _read_cursor(cursor) if cursor else None
        self.total = total

    def of(
        self, rows: Sequence[T], *, key: Callable[[T], list[Any]], show: Callable[[T], dict[str, Any]]
    ) -> dict[str, Any]:
        """The page of ``rows``, which are sorted by ``key``."""
        rest = [row for row in rows if self.after is None or _later(key(row), self.after)]
        page = rest[: self.limit]
        following = _cursor(key(page[-1])) if len(rest) > len(page) else None
        answer = {"items": [show(row) for row in page], "next": following}
        return answer | ({"total": len(rows)} if self.total else {})


Paged = Annotated[Page, Depends()]


def _cursor(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def _read_cursor(text: str) -> list[Any]:
    try:
        key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        key = None
    if not isinstance(key, list):
        raise Invalid(N_("This cursor was not given by a page of this list"))
    return key


def _later(key: list[Any], after: list[Any]) -> bool:
    try:
        return key > after
    except TypeError:
        raise Invalid(N_("This cursor was not given by a page of this list")) from None
