"""The secret of a ticket (or, with a ``purpose`` of its own, of an appointment): what a patient's phone holds instead of a
password.

32 bytes as base64url: key id (1), facility number (3), ticket (16), the first 12 bytes of an HMAC-SHA256 over those. It is
derived from the ticket's id, so nothing is stored and a replayed request can be answered with the same address.
"""

import base64
import binascii
import hmac
from uuid import UUID

from dawr.platform.crypto import Keyring, UnknownKeyError

PURPOSE = "ticket-secret"
_LENGTH = 43
_HEAD = 20
_MAC = 12


def secret_of(keyring: Keyring, facility_no: int, ticket_id: UUID, *, key_id: int, purpose: str = PURPOSE) -> str:
    head = bytes([key_id]) + facility_no.to_bytes(3) + ticket_id.bytes
    _, mac = keyring.mac(purpose, head, key_id=key_id)
    return base64.urlsafe_b64encode(head + mac[:_MAC]).rstrip(b"=").decode()


def ticket_of(keyring: Keyring, secret: str, *, purpose: str = PURPOSE) -> tuple[int, UUID] | None:
    """``(facility number, ticket)`` of a secret of ours, or ``None``."""
    raw = _decoded(secret)
    if raw is None:
        return None
    head, mac = raw[:_HEAD], raw[_HEAD:]
    try:
        _, expected = keyring.mac(purpose, head, key_id=head[0])
    except UnknownKeyError:
        return None
    if not hmac.compare_digest(expected[:_MAC], mac):
        return None
    return int.from_bytes(head[1:4]), UUID(bytes=head[4:])


def _decoded(secret: str) -> bytes | None:
    if len(secret) != _LENGTH:
        return None
    try:
        return base64.b64decode(secret + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
