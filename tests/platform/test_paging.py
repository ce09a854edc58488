"""Cursors: what a page gave is read again, and nothing else is."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from dawr.platform.errors import Invalid
from dawr.platform.http.paging import Page, cursor_of, moment, number, position_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ID = UUID(int=7)


def test_what_a_cursor_was_made_of_is_read_again() -> None:
    assert position_of(cursor_of([NOON, ID, 3]), moment, UUID, number) == (NOON, ID, 3)
    assert position_of(None, UUID) is None


@pytest.mark.parametrize(
    ("key", "forms"),
    [
        ([], [UUID]),
        ([str(ID), 1], [UUID]),
        ([None], [UUID]),
        (["x"], [UUID]),
        ([7], [UUID]),
        ([True], [number]),
        ([-1], [number]),
        ([2**31], [number]),
        (["2026-11-21T12:00:00"], [moment]),
        ([12], [moment]),
    ],
)
def test_what_is_no_key_of_this_list_is_refused(key: list[Any], forms: list[Any]) -> None:
    with pytest.raises(Invalid):
        position_of(cursor_of(key), *forms)


@pytest.mark.parametrize("text", ["", "e30", "%", "é", "W10=", "!!!", "AAAA"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        position_of(text, UUID)


def test_a_list_is_gone_through_page_by_page() -> None:
    seen, cursor = [], None
    while True:
        page = Page(2, cursor, total=True)
        answer = page.of(range(5), key=lambda one: [one], show=lambda one: {"n": one})
        seen += [one["n"] for one in answer["items"]]
        assert answer["total"] == 5
        if (cursor := answer["next"]) is None:
            break
    assert seen == [0, 1, 2, 3, 4]


def test_a_page_of_which_only_the_page_was_read_is_cut() -> None:
    page = Page(2)
    assert page.cut([1, 2, 3], key=lambda one: [one]) == ([1, 2], cursor_of([2]))
    assert page.cut([1, 2], key=lambda one: [one]) == ([1, 2], None)
