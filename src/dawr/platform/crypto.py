"""The installation's keys and what they do: sealed fields, blind indexes, message authentication, derived keys.

Where the keys live. In ``<data>/keys.json`` (mode 0600), made with fresh random keys at the first start; or, where
several servers share one database, in the setting ``DAWR_KEYS``: the same JSON in base64. Losing them loses every
sealed field, so they belong in a backup that is kept apart from the database's. The JSON::

    {"version": 1, "primary": 2, "index": "<base64 of 32 bytes>",
     "keys": [{"id": 1, "created": "2026-11-21T05:00:00+00:00", "secret": "<base64 of 32 bytes>"}, …]}

No secret of the file is used as it stands: each use has its own key, derived with HKDF-SHA256 from the secret and a
purpose.

Rotation. ``rotate`` adds a key and makes it primary; from then on values are sealed with it, and the earlier keys still
open what they sealed. On several servers the same is done in two passes, so that no server meets a key it does not
know: ``add`` a key and hand the result to every server, then ``promote`` it and hand that out. Afterwards the values
for which ``stale`` is true are opened and sealed again, in the background and in any order. Once nothing names the
earlier key (sealed fields, ticket secrets, signed tokens: whatever keeps a key id), ``retire`` removes it, and whoever
has a copy of it can open nothing that is stored. The index key does not rotate: a blind index is compared, not opened,
so changing it means computing every one again.
"""

import base64
import binascii
import contextlib
import functools
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dawr.platform.clock import SystemClock

_FILE_VERSION = 1
_SEAL_VERSION = 1
_KEY_BYTES = 32
_HEADER_BYTES = 5
_NONCE_BYTES = 12
_TAG_BYTES = 16
_BLIND_BYTES = 16
_HIGHEST_ID = 2**32 - 1


class KeyringError(Exception):
    """Something is wrong with the keys. The message says what, and never holds a key."""


class KeyFileError(KeyringError):
    """The keys cannot be read or are not in the form described above."""


class UnknownKeyError(KeyringError):
    """The key with this id is not in the keyring."""


class CannotOpenError(KeyringError):
    """A sealed value was changed, belongs to another place or facility, or was sealed with a key that is not here."""


@dataclass(frozen=True)
class Key:
    id: int
    created: datetime
    secret: bytes

    def __repr__(self) -> str:
        return f"Key(id={self.id})"


class Keyring:
    """Keys by id. Immutable: what changes it gives another keyring, which ``save`` writes."""

    def __init__(self, keys: Mapping[int, Key], *, primary: int, index: bytes) -> None:
        if primary not in keys:
            raise KeyFileError(f"the primary key {primary} is not among the keys")
        self._keys = dict(keys)
        self._primary = primary
        self._index = index
        self._index_key = _hkdf(index, "blind")
        self._derived = functools.lru_cache(maxsize=256)(self._derive)
        # Beginning an HMAC costs more than all that follows: what is asked for again and again goes on from a copy.
        self._blinding = functools.lru_cache(maxsize=1024)(self._begin_blind)
        self._signing = functools.lru_cache(maxsize=256)(self._begin_mac)
        self._cipher = functools.lru_cache(maxsize=256)(self._make_cipher)

    def __repr__(self) -> str:
        return f"Keyring(ids={list(self.key_ids)}, primary={self._primary})"

    # Where it comes from and goes to

    @classmethod
    def generate(cls, *, now: datetime | None = None) -> "Keyring":
        """One fresh random key, and a fresh index key."""
        key = Key(1, now or SystemClock().now(), secrets.token_bytes(_KEY_BYTES))
        return cls({key.id: key}, primary=key.id, index=secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def load_or_create(cls, path: Path) -> "Keyring":
        """The keys in this file; where there is none, it is made. Processes that start together get the same keys."""
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                _write(path, cls.generate().to_json(), exclusive=True)
        try:
            return cls.from_json(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileError(f"{path} cannot be read: {type(error).__name__}") from error

    @classmethod
    def from_setting(cls, text: str) -> "Keyring":
        """The keys in ``DAWR_KEYS``: the JSON in base64."""
        return cls.from_json(_unpack(text, "DAWR_KEYS").decode("utf-8", "replace"))

    @classmethod
    def from_json(cls, text: str) -> "Keyring":
        try:
            data = json.loads(text)
            if data["version"] != _FILE_VERSION:
                raise KeyFileError(f"version {data['version']!r} of the key file is not known here")
            keys = [_key(item) for item in data["keys"]]
            primary, index = int(data["primary"]), _secret(data["index"], "index")
        except (KeyError, TypeError, ValueError) as error:
            # The cause is not chained: its text may quote the file.
            raise KeyFileError(f"the keys are not in the expected form ({type(error).__name__})") from None
        if len({key.id for key in keys}) != len(keys):
            raise KeyFileError("two keys have the same id")
        return cls({key.id: key for key in keys}, primary=primary, index=index)

    def to_json(self) -> str:
        keys = [
            {"id": key.id, "created": key.created.isoformat(), "secret": _pack(key.secret)}
            for key in self._keys.values()
        ]
        data = {"version": _FILE_VERSION, "primary": self._primary, "index": _pack(self._index), "keys": keys}
        return json.dumps(data, indent=2) + "\n"

    def to_setting(self) -> str:
        return _pack(self.to_json().encode())

    def save(self, path: Path) -> None:
        """Replaces the file at once and durably: a crash leaves the one or the other."""
        _write(path, self.to_json(), exclusive=False)

    # Rotation, as the module says

    @property
    def primary_id(self) -> int:
        return self._primary

    @property
    def key_ids(self) -> tuple[int, ...]:
        return tuple(sorted(self._keys))

    def created(self, key_id: int) -> datetime:
        return self._key(key_id).created

    def rotate(self, *, now: datetime | None = None) -> "Keyring":
        """With another key, which is primary; the others stay."""
        added = self.add(now=now)
        return added.promote(max(added._keys))

    def add(self, *, now: datetime | None = None) -> "Keyring":
        """With another key, which nothing is sealed with yet."""
        key = Key(max(self._keys) + 1, now or SystemClock().now(), secrets.token_bytes(_KEY_BYTES))
        return Keyring(self._keys | {key.id: key}, primary=self._primary, index=self._index)

    def promote(self, key_id: int) -> "Keyring":
        return Keyring(self._keys, primary=self._key(key_id).id, index=self._index)

    def retire(self, key_id: int) -> "Keyring":
        """Without this key: what still needs it is lost. The primary key cannot go."""
        gone = self._key(key_id).id
        if gone == self._primary:
            raise KeyringError("the primary key cannot be retired")
        keys = {id_: key for id_, key in self._keys.items() if id_ != gone}
        return Keyring(keys, primary=self._primary, index=self._index)

    # What it is used for

    def seal(self, text: str, *, facility: str, where: str) -> bytes:
        """Version (1 byte), key id (4), nonce (12), then AES-GCM-SIV of the text; it opens only at the same place.

        ``where`` names table, column and row, so that a value moved to another row does not open.
        """
        header = _SEAL_VERSION.to_bytes(1) + self._primary.to_bytes(4)
        nonce = os.urandom(_NONCE_BYTES)
        place = header + _joined(facility, where)
        return header + nonce + self._cipher(self._primary).encrypt(nonce, text.encode(), place)

    def open(self, sealed: bytes, *, facility: str, where: str) -> str:
        """The text that was sealed at this place; anything else is ``CannotOpenError``."""
        sealed = bytes(sealed)
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        key_id = _sealed_with(sealed)
        try:
            cipher = self._cipher(key_id)
            text = cipher.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], header + _joined(facility, where))
        except UnknownKeyError as error:
            raise CannotOpenError(f"sealed with key {key_id}, which is not in the keyring") from error
        except InvalidTag as error:
            raise CannotOpenError("the sealed value does not belong here or was changed") from error
        return text.decode()

    def stale(self, sealed: bytes) -> bool:
        """Whether the value was sealed with another key than the primary one."""
        return _sealed_with(bytes(sealed)) != self._primary

    def blind(self, text: str, *, facility: str, where: str) -> bytes:
        """16 bytes, equal for equal texts at one place (table and column), by which a sealed value is found.

        Bring the text into one form first (case, spaces, country code): other bytes are another index.
        """
        return _finished(self._blinding(facility, where), _sized(text))[:_BLIND_BYTES]

    def mac(self, purpose: str, message: bytes, *, key_id: int | None = None) -> tuple[int, bytes]:
        """The key's id, to be kept with the message, and 32 bytes that only the holder of the keys can make.

        With ``key_id`` an earlier answer is made again. ``purpose`` is a constant of the code.
        """
        chosen = self._primary if key_id is None else key_id
        return chosen, _finished(self._signing(purpose, chosen), message)

    def verify_mac(self, purpose: str, message: bytes, key_id: int, mac: bytes) -> bool:
        """In constant time; false also where the key is not known."""
        if key_id not in self._keys:
            return False
        return hmac.compare_digest(self.mac(purpose, message, key_id=key_id)[1], mac)

    def lasting(self, purpose: str) -> bytes:
        """32 bytes for this purpose (a constant of the code) that no change of keys changes, as what others have kept of ours
        (the key that a browser subscribed with) must not."""
        return _hkdf(self._index, f"lasting/{purpose}")

    def derive(self, purpose: str, key_id: int) -> bytes:
        """32 bytes for this purpose (a constant of the code: signing keys, for one), always the same."""
        return self._derived(f"derive/{purpose}", key_id)

    def _derive(self, info: str, key_id: int) -> bytes:
        return _hkdf(self._key(key_id).secret, info)

    def _begin_blind(self, facility: str, where: str) -> HMAC:
        begun = HMAC(self._index_key, hashes.SHA256())
        begun.update(_joined(facility, where))
        return begun

    def _begin_mac(self, purpose: str, key_id: int) -> HMAC:
        return HMAC(self._derived(f"mac/{purpose}", key_id), hashes.SHA256())

    def _key(self, key_id: int) -> Key:
        try:
            return self._keys[key_id]
        except KeyError:
            raise UnknownKeyError(f"key {key_id} is not in the keyring") from None

    def _make_cipher(self, key_id: int) -> AESGCMSIV:
        return AESGCMSIV(self._derived("seal", key_id))


def _hkdf(secret: bytes, info: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=None, info=f"dawr/1/{info}".encode()).derive(secret)


def _finished(begun: HMAC, rest: bytes) -> bytes:
    """The HMAC of what it began with and the rest; the beginning can be used again."""
    mac = begun.copy()
    mac.update(rest)
    return mac.finalize()


def _joined(*parts: str) -> bytes:
    """The parts with their lengths, so that no two lists of parts give the same bytes."""
    return b"".join(map(_sized, parts))


def _sized(part: str) -> bytes:
    encoded = part.encode()
    return len(encoded).to_bytes(4) + encoded


def _sealed_with(sealed: bytes) -> int:
    if len(sealed) < _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES or sealed[0] != _SEAL_VERSION:
        raise CannotOpenError("this is not a sealed value")
    return int.from_bytes(sealed[1:_HEADER_BYTES])


def _key(item: Mapping[str, Any]) -> Key:
    key = Key(int(item["id"]), datetime.fromisoformat(item["created"]), _secret(item["secret"], "a key"))
    if not 0 < key.id <= _HIGHEST_ID:
        raise KeyFileError("a key's id is out of range")
    return key if key.created.tzinfo else replace(key, created=key.created.replace(tzinfo=UTC))


def _secret(text: str, what: str) -> bytes:
    secret = _unpack(text, what)
    if len(secret) != _KEY_BYTES:
        raise KeyFileError(f"{what} must have {_KEY_BYTES} bytes")
    return secret


def _pack(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unpack(text: str, what: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise KeyFileError(f"{what} is not base64") from None


def _write(path: Path, text: str, *, exclusive: bool) -> None:
    """Writes beside the target, then puts it in its place; ``exclusive`` never replaces a file that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives mode 0600
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if exclusive:
            os.link(draft, path)
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
