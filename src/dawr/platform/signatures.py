"""Messages between servers, signed as Standard Webhooks has it (https://www.standardwebhooks.com): ours to others, and theirs.

Each secret gives a signature: the HMAC-SHA256 of ``id.seconds.body``. What was signed too long ago is not believed any more.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

SECRET_PREFIX = "whsec_"  # noqa: S105 - how such a secret begins
TOLERATED = timedelta(minutes=5)


def signed(keys: Sequence[str], *, id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a message."""
    seconds = str(int(at.timestamp()))
    signatures = " ".join(f"v1,{one}" for one in _made(keys, id, seconds, body))
    return {"webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": signatures}


def signed_at(keys: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime) -> datetime | None:
    """When a message was signed by one of these secrets; ``None`` where it was not, or not within ``TOLERATED``."""
    id_, seconds = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11):
        return None
    sent = [one.partition(",")[2] for one in headers.get("webhook-signature", "").split()[:10]]
    # All are compared, so that the time taken tells nothing.
    fits = [
        hmac.compare_digest(one.encode(), made.encode()) for one in sent for made in _made(keys, id_, seconds, body)
    ]
    in_time = abs(now.timestamp() - int(seconds)) <= TOLERATED.total_seconds()
    return datetime.fromtimestamp(int(seconds), UTC) if any(fits) and in_time else None


def _made(keys: Sequence[str], id_: str, seconds: str, body: bytes) -> list[str]:
    content = f"{id_}.{seconds}.".encode() + body
    return [base64.b64encode(hmac.digest(_raw(one), content, "sha256")).decode() for one in keys]


def _raw(secret: str) -> bytes:
    bare = secret.removeprefix(SECRET_PREFIX)
    try:
        return base64.b64decode(bare, validate=True)
    except binascii.Error:
        return bare.encode()
