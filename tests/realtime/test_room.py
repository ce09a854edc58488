"""What a process takes for its streams."""

import gc
import resource
from collections.abc import Iterator

import pytest

from dawr.realtime.room import COLLECTION, FILES_BESIDE, room_for


@pytest.fixture
def few_files() -> Iterator[int]:
    """A process that may open few files, and more if it asks; the most it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _allowed() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_there_are_files_for_the_streams_and_what_is_beside(few_files: int) -> None:
    with room_for(1_500):
        assert _allowed() == 1_500 + FILES_BESIDE


def test_no_more_is_asked_than_the_system_allows(few_files: int) -> None:
    if few_files == resource.RLIM_INFINITY:
        few_files = 10_000_000
    with room_for(few_files):
        assert _allowed() in (few_files, few_files + FILES_BESIDE, 256)


def test_a_higher_limit_stays() -> None:
    before = _allowed()
    with room_for(1):
        assert _allowed() == max(before, 1 + FILES_BESIDE)


def test_full_collections_are_rare_only_as_long_as_streams_are_served() -> None:
    before = gc.get_threshold()
    with room_for(10):
        assert gc.get_threshold() == COLLECTION
    assert gc.get_threshold() == before
