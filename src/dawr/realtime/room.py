"""What a process needs to hold thousands of streams: open files, and a collector that does not look through them all the time."""

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

FILES_BESIDE = 1_000
# A client is a hundred objects that live for minutes, and looking through those of ten thousand takes half a second in
# which nobody is told anything: a full collection comes only after two million more objects than were freed. A crowd's
# requests make thousands that are freed by counting: looking among those cost a fifth of a ticket.
COLLECTION = (20_000, 10, 10)


@contextmanager
def room_for(streams: int) -> Iterator[None]:
    """Raises the limit of open files as far as the system allows, for good; full collections are rare within the block."""
    _allow_files(streams + FILES_BESIDE)
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTION)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _allow_files(wanted: int) -> None:
    """A process begins with 1024 on most systems, and may take more by itself: a thousand clients would be all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        # Some systems refuse what they name as their limit.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
