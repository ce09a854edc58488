"""What is handed to programs and browsers: signed access tokens, secrets of sessions, CSRF tokens, known devices.

An access token (JWT, HS256, typ ``at+jwt``) names its session and the key that signed it; it is good for minutes, and for
no longer than its session. A session's secret (of a refresh token or a cookie) is random; the store keeps its SHA-256.
"""

import base64
import binascii
import functools
import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry

from dawr.platform.crypto import Keyring, KeyringError
from dawr.platform.errors import Unauthenticated

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "dawr"
AUDIENCE = "dawr-api"
_LONGEST = 2048
_SECRET_BYTES = 32
_NONCE_BYTES = 12
_MOST_DEVICES = 8
_DEVICE_BYTES = 4 + _NONCE_BYTES + 32


class _Claims(JWTClaimsRegistry):
    def validate_iat(self, value: object) -> None:
        """Not compared: this server's clock may be behind the one that signed."""


def signed(keyring: Keyring, *, account_id: UUID, session_id: UUID, now: datetime, lives: timedelta) -> str:
    """An access token that is good until ``now + lives``."""
    issued = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(account_id),
        "sid": str(session_id),
        "iat": issued,
        "exp": issued + int(lives.total_seconds()),
    }
    header = {"alg": ALGORITHM, "kid": str(keyring.primary_id)}
    return jwt.encode(header, claims, _key(keyring, keyring.primary_id), [ALGORITHM], default_type=TYPE)


def session_of(keyring: Keyring, token: str, *, now: datetime) -> UUID:
    """The session an access token names; ``Unauthenticated`` if it is forged, expired or not one of ours."""
    if len(token) > _LONGEST:
        raise Unauthenticated
    try:
        claims = _signed_claims(keyring, token)
        _registry(now).validate(claims)
        return UUID(claims["sid"])
    except (JoseError, KeyringError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unauthenticated from error


@functools.lru_cache(maxsize=1024)
def _signed_claims(keyring: Keyring, token: str) -> dict[str, Any]:
    """What a token of ours says. That we signed it stays true, so a desk's token is proved once; until when it is good is
    looked at each time, and whether its session lives is not said here."""
    read = jwt.decode(token, lambda found: _key(keyring, int(found.headers()["kid"])), [ALGORITHM])
    if read.header.get("typ") != TYPE:
        raise Unauthenticated
    return read.claims


def _registry(now: datetime) -> JWTClaimsRegistry:
    return _Claims(
        now=int(now.timestamp()),
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        sid={"essential": True},
    )


@functools.lru_cache(maxsize=64)
def _key(keyring: Keyring, key_id: int) -> OctKey:
    return OctKey.import_key(keyring.derive("access-token", key_id))


def new_secret() -> bytes:
    return secrets.token_bytes(_SECRET_BYTES)


def following(keyring: Keyring, session_id: UUID, secret: bytes) -> bytes:
    """The secret after this one. It follows from it by our keys, so that a refresh whose answer was lost, or that two tabs
    made at once, gives the same one again; whoever has stolen the old secret cannot tell it."""
    return keyring.mac("refresh", session_id.bytes + secret)[1]


def digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def packed(session_id: UUID, secret: bytes) -> str:
    """64 characters for a header, a cookie or a JSON member."""
    return _text(session_id.bytes + secret)


def unpacked(text: str) -> tuple[UUID, bytes] | None:
    """Session and secret; None for anything that ``packed`` did not make."""
    raw = _raw(text, 16 + _SECRET_BYTES)
    return (UUID(bytes=raw[:16]), raw[16:]) if raw else None


def csrf(keyring: Keyring, session_id: UUID) -> str:
    key_id, mac = keyring.mac("csrf", session_id.bytes)
    return _text(key_id.to_bytes(4) + mac)


def csrf_fits(keyring: Keyring, session_id: UUID, token: str) -> bool:
    raw = _raw(token, 4 + 32)
    return raw is not None and keyring.verify_mac("csrf", session_id.bytes, int.from_bytes(raw[:4]), raw[4:])


def known_device(keyring: Keyring, cookie: str | None, account_id: UUID) -> str | None:
    """What names this device where the account has signed in on it before, else None."""
    for part, raw in _devices(cookie):
        nonce = raw[4:-32]
        if keyring.verify_mac("device", account_id.bytes + nonce, int.from_bytes(raw[:4]), raw[-32:]):
            return part
    return None


def with_device(keyring: Keyring, cookie: str | None, account_id: UUID) -> str:
    """The cookie of a device on which the account has signed in now. Colleagues who share it keep their own parts."""
    parts = [part for part, _ in _devices(cookie)]
    known = known_device(keyring, cookie, account_id)
    if known is not None:
        parts.remove(known)
    else:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key_id, mac = keyring.mac("device", account_id.bytes + nonce)
        known = _text(key_id.to_bytes(4) + nonce + mac)
    return ".".join([known, *parts][:_MOST_DEVICES])


def _devices(cookie: str | None) -> Iterator[tuple[str, bytes]]:
    for part in (cookie or "").split(".")[:_MOST_DEVICES]:
        raw = _raw(part, _DEVICE_BYTES)
        if raw:
            yield part, raw


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str, size: int) -> bytes | None:
    """The bytes of a text that is their one right form; None otherwise."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size and _text(raw) == text else None
