"""Proving a phone number before a ticket is given, where presence itself is private: the limits and what can go wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from dawr.platform.errors import N_, Conflict, Forbidden, Invalid, NotFound

CODE_LIVES = timedelta(minutes=10)
PROOF_LIVES = timedelta(minutes=30)
MOST_TRIES = 5
DIGITS = 6


class PhoneNotReachable(Invalid):
    code = "phone_not_reachable"
    title = N_("No code can be sent to this number; please write it with its country code")


class CodesNotSent(Conflict):
    code = "codes_not_sent"
    title = N_("No codes can be sent here at the moment; please ask at the reception")


class ProofNotAsked(Conflict):
    code = "proof_not_asked"
    title = N_("This clinic does not ask for a proof of the phone number")


class VerificationNotFound(NotFound):
    code = "verification_not_found"
    title = N_("There is no such code")


class CodeWrong(Forbidden):
    code = "code_wrong"
    title = N_("This code is wrong or too old")


class ProofNotValid(Forbidden):
    code = "proof_not_valid"
    title = N_("Please prove your phone number again")


@dataclass(frozen=True, slots=True)
class Verification:
    """A code that was sent. ``phone`` is a blind index; ``tries`` counts what was typed; the code itself is kept nowhere."""

    verification: UUID
    clinic: str
    phone: bytes
    created_at: datetime
    tries: int = 0
    proved_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """When the code does; once it was typed, when the proof does."""
        return self.proved_at + PROOF_LIVES if self.proved_at else self.created_at + CODE_LIVES


def code_of(mac: bytes) -> str:
    """Six digits out of something that nobody else can make."""
    return str(int.from_bytes(mac) % 10**DIGITS).zfill(DIGITS)
