"""What a stream promises, pure: its pace and limits, the problems it may answer, the bytes of an event."""

from dataclasses import dataclass

from dawr.accounts.rules_inbox import PREFIX as INBOX
from dawr.platform.errors import N_, Invalid, TooManyRequests, Unavailable

STREAM = "queue:"
WAKING = (STREAM, INBOX)
RETRY_MILLISECONDS = 1_000
LIVE = ("status", "position", "ahead", "desk", "wait")


class OneSubject(Invalid):
    code = "one_subject"
    title = N_("Name exactly one of clinic, ticket and facility")


class OwnInboxOnly(Invalid):
    code = "own_inbox_only"
    title = N_("The only inbox that can be followed is one's own: inbox=mine")


class TooManyStreams(TooManyRequests):
    code = "too_many_streams"
    title = N_("Too many live streams are open from this network")


class StreamsFull(Unavailable):
    code = "streams_full"
    title = N_("No more live streams can be served at the moment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times in seconds, sizes in bytes.

    ``together`` is the shortest time between two reads of one facility, ``keep`` how many changes of a queue stay in memory,
    ``replay`` how many a client may have missed before it gets a snapshot instead.
    """

    stream: float = 300.0
    jitter: float = 30.0
    heartbeat: float = 15.0
    poll: float = 1.0
    together: float = 0.05
    keep: int = 256
    replay: int = 5_000
    outbox: int = 64 * 1024
    per_address: int = 1_000
    per_process: int = 20_000


def frame(event: str, data: bytes, cursor_text: str | None = None) -> bytes:
    """One event of a stream. ``data`` is JSON without line breaks."""
    name = f"id: {cursor_text}\nevent: {event}\n" if cursor_text else f"event: {event}\n"
    return name.encode() + b"data: " + data + b"\n\n"


def opened(event: str, data: bytes, cursor_text: str) -> bytes:
    """The beginning of an event, whose data is a JSON object that is to be ``closed``."""
    return frame(event, data[:-1] + b",", cursor_text)[:-2]


def closed(data: bytes) -> bytes:
    """The end of an event that was ``opened``: the last members of its object."""
    return data[1:] + b"\n\n"


def retry(milliseconds: int) -> bytes:
    """Tells the client how long to wait before it comes back."""
    return f"retry: {milliseconds}\n\n".encode()
