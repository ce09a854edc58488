"""The address in a message under which its receiver stops further ones: signed, without an end, and it names nobody.

32 bytes as base64url: the blind index of the receiver's address (16) and the first 16 of an HMAC-SHA256 over the facility and it.
The key outlasts every change of keys, since a mail may be kept for years.
"""

import base64
import binascii
import hmac
from uuid import UUID

from dawr.platform.crypto import Keyring

_INDEX = 16
_MAC = 16


def stop_path(keyring: Keyring, *, slug: str, facility: UUID, recipient: bytes) -> str:
    """It is a secret: whoever has it may stop the messages to this receiver."""
    token = recipient + _mac(keyring, facility, recipient)
    return f"/f/{slug}/u/{base64.urlsafe_b64encode(token).rstrip(b'=').decode()}"


def recipient_of(keyring: Keyring, facility: UUID, token: str) -> bytes | None:
    """The receiver's blind index, where the token is one of ours in this facility."""
    try:
        raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    recipient, mac = raw[:_INDEX], raw[_INDEX:]
    return recipient if hmac.compare_digest(_mac(keyring, facility, recipient), mac) else None


def _mac(keyring: Keyring, facility: UUID, recipient: bytes) -> bytes:
    return hmac.digest(keyring.lasting("stop-messages"), facility.bytes + recipient, "sha256")[:_MAC]
