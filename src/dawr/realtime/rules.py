"""What a stream promises, pure: its pace and limits, the cursor a client comes back with, the bytes of an event."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from dawr.platform.errors import N_, Invalid, TooManyRequests, Unavailable

STREAM = "queue:"
RETRY_MILLISECONDS = 1_000
LONGEST_CURSOR = 16_384
LARGEST_VERSION = 2**63 - 1


class OneSubject(Invalid):
    code = "one_subject"
    title = N_("Name exactly one of clinic, ticket and facility")


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
    together: float = 0.02
    keep: int = 256
    replay: int = 5_000
    outbox: int = 64 * 1024
    per_address: int = 1_000
    per_process: int = 20_000


def place_of(epoch: UUID, facility: UUID) -> str:
    """Where a cursor is valid: one facility in one life of the log."""
    return blake2b(epoch.bytes + facility.bytes, digest_size=8).hexdigest()


def cursor(place: str, versions: Mapping[str, int]) -> str:
    """An opaque text for "everything up to these versions of these clinics' queues".

    The series is not in it: a queue's version goes on counting when a series or a service day begins.
    """
    raw = json.dumps([place, versions], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def versions_of(text: str, place: str) -> dict[str, int] | None:
    """The versions in a cursor of ours; ``None`` for any other text and for a cursor of another place."""
    if not text.isascii() or len(text) > LONGEST_CURSOR:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None
    match found:
        case [str(where), dict(versions)] if where == place and all(map(_is_version, versions.values())):
            return versions
    return None


def _is_version(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_VERSION


def frame(event: str, data: bytes, cursor_text: str | None = None) -> bytes:
    """One event of a stream. ``data`` is JSON without line breaks."""
    name = f"id: {cursor_text}\nevent: {event}\n" if cursor_text else f"event: {event}\n"
    return name.encode() + b"data: " + data + b"\n\n"


def retry(milliseconds: int) -> bytes:
    """Tells the client how long to wait before it comes back."""
    return f"retry: {milliseconds}\n\n".encode()
