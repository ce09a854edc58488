"""Addresses at rest: sealed to their message, under the patient's own key where there is a patient, so that erasing the patient
makes them unreadable; found again by a blind index, never shown but for their end."""

from collections.abc import Iterable, Mapping
from typing import Protocol
from uuid import UUID

from dawr.facilities.queries import Context
from dawr.patients import queries as patients
from dawr.platform.crypto import CannotOpenError, Keyring
from dawr.platform.db import ReadTx


class Sealed(Protocol):
    """A message as it was written down."""

    @property
    def delivery(self) -> UUID: ...

    @property
    def patient(self) -> UUID | None: ...

    @property
    def to_sealed(self) -> bytes | None: ...


class PatientSeal(Protocol):
    def seal(self, text: str, where: str) -> bytes: ...

    def open(self, sealed: bytes, where: str) -> str: ...


class Addresses:
    """Seals and opens the addresses of several messages, the keys of whose patients were read together."""

    def __init__(self, facility: UUID, keyring: Keyring, keys: Mapping[UUID, PatientSeal]) -> None:
        self._facility = str(facility)
        self._keyring = keyring
        self._keys = keys

    @classmethod
    async def of(cls, tx: ReadTx, here: Context, of_patients: Iterable[UUID | None]) -> "Addresses":
        wanted = {one for one in of_patients if one}
        keys = await patients.keys(tx, here, wanted) if wanted else {}
        return cls(here.facility.id, here.services.keyring, keys)

    def seal(self, address: str, *, delivery: UUID, patient: UUID | None) -> bytes | None:
        """``None`` where the patient is erased."""
        if patient is None:
            return self._keyring.seal(address, facility=self._facility, where=_place(delivery))
        key = self._keys.get(patient)
        return key.seal(address, _place(delivery)) if key else None

    def open(self, one: Sealed) -> str | None:
        """``None`` where there was none, or the patient is erased."""
        if one.to_sealed is None:
            return None
        try:
            if one.patient is None:
                return self._keyring.open(one.to_sealed, facility=self._facility, where=_place(one.delivery))
            key = self._keys.get(one.patient)
            return key.open(one.to_sealed, _place(one.delivery)) if key else None
        except CannotOpenError:
            return None

    def index(self, address: str) -> bytes:
        """Equal for equal addresses of a facility."""
        return self._keyring.blind(address, facility=self._facility, where="delivery.recipient")


def _place(delivery: UUID) -> str:
    return f"delivery.to_sealed:{delivery}"
