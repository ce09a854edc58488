"""A patient's own data key: everything that describes the person is sealed with it, and gone once it is destroyed.

The key is random, 32 bytes, and stored wrapped by the installation's keyring (table ``patient_key``). So a change of the
installation's keys wraps one short value a patient anew and touches nothing that the patient's key sealed; and destroying
one row makes one person unreadable wherever their sealed values have gone.
"""

import base64
import os
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from dawr.platform.crypto import CannotOpenError, Keyring

# Another first byte than the keyring's own values have, so that the two are told apart where both may stand.
_VERSION = b"\x02"
_NONCE_BYTES = 12
_KEY_BYTES = 32


def wrapping_place(patient: UUID | str) -> str:
    """Where a wrapped key belongs, as the keyring's ``where``."""
    return f"patient_key.wrapped:{patient}"


class PatientKey:
    """Seals and opens for one patient of one facility. ``where`` names table, column and row: a value moved elsewhere does not
    open."""

    def __init__(self, secret: bytes, *, facility: UUID, patient: UUID) -> None:
        self._secret = secret
        self._cipher = AESGCMSIV(secret)
        self._owner = facility.bytes + patient.bytes
        self.facility = facility
        self.patient = patient

    def __repr__(self) -> str:
        return f"PatientKey({self.patient})"

    @classmethod
    def generate(cls, *, facility: UUID, patient: UUID) -> "PatientKey":
        return cls(secrets.token_bytes(_KEY_BYTES), facility=facility, patient=patient)

    @classmethod
    def unwrap(cls, keyring: Keyring, wrapped: bytes, *, facility: UUID, patient: UUID) -> "PatientKey":
        text = keyring.open(wrapped, facility=str(facility), where=wrapping_place(patient))
        return cls(base64.b64decode(text), facility=facility, patient=patient)

    def wrap(self, keyring: Keyring) -> bytes:
        text = base64.b64encode(self._secret).decode()
        return keyring.seal(text, facility=str(self.facility), where=wrapping_place(self.patient))

    def seal(self, text: str, where: str) -> bytes:
        """Version (1 byte), nonce (12), then AES-GCM-SIV of the text."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), self._place(where))

    def open(self, sealed: bytes, where: str) -> str:
        """The text that was sealed at this place; anything else is ``CannotOpenError``."""
        sealed = bytes(sealed)
        start = 1 + _NONCE_BYTES
        if sealed[:1] != _VERSION:
            raise CannotOpenError("this is not a sealed value")
        try:
            return self._cipher.decrypt(sealed[1:start], sealed[start:], self._place(where)).decode()
        except (InvalidTag, ValueError) as error:
            raise CannotOpenError("the sealed value does not belong here or was changed") from error

    def _place(self, where: str) -> bytes:
        return _VERSION + self._owner + where.encode()
