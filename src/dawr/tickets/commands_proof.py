"""The verbs of whoever proves a phone number: ask for a code, type it, come with the proof.

The code is derived from the id of its request, as a ticket's secret is from the ticket's: it is kept nowhere, and whoever has
the rows without the keys knows none. What is sent derives it when it is sent.
"""

import hmac
from collections.abc import Awaitable, Callable
from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Clinic, Entry
from dawr.patients.phones import international, region_of
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.ids import new_id
from dawr.tickets import store_proofs
from dawr.tickets.commands import require_open
from dawr.tickets.rules_proof import (
    MOST_TRIES,
    CodesNotSent,
    CodeWrong,
    PhoneNotReachable,
    ProofNotAsked,
    ProofNotValid,
    Verification,
    VerificationNotFound,
    code_of,
)
from dawr.tickets.secrets import secret_of, ticket_of

SEND_CODE = "phone_code"
PutCode = Callable[[WriteTx, UUID], Awaitable[None]]
"""Puts down the message with the code of this verification, in this transaction."""
WayOfCodes = Callable[..., Awaitable[PutCode | None]]
"""Registered by a higher floor under ``SEND_CODE``: ``way(tx, here, phone=…, language=…)``, the facility's way to send a code to
this number, if it has one. ``PhoneNotReachable``."""
PURPOSE = "phone-proof"
SHORTEST = len("+2901234")


def number_of(here: Context, phone: str) -> str:
    """The number in its one form; ``PhoneNotReachable`` where it is none that can be reached from here."""
    number = international(phone, region_of(here.facility.zone))
    if not number.startswith("+") or len(number) < SHORTEST:
        raise PhoneNotReachable
    return number


def code_for(here: Context, verification: UUID) -> str:
    mac = here.services.keyring.blind(str(verification), facility=here.facility.id_text, where="phone_proof.code")
    return code_of(mac)


async def way(tx: ReadTx, here: Context, *, clinic_id: str, phone: str, language: str | None) -> PutCode:
    """How a code that this clinic asks for gets to this number, whoever's it is and whether anybody knows it here or not.
    ``PhoneNotReachable``, ``ProofNotAsked``, ``ClinicClosed``, ``QueuePaused``, ``CodesNotSent``."""
    clinic = await facilities.clinic(tx, clinic_id)
    if clinic.entry is not Entry.VERIFIED:
        raise ProofNotAsked(extra={"entry": clinic.entry.value})
    require_open(tx, here.facility, clinic)
    number = number_of(here, phone)
    found: WayOfCodes | None = here.services.additions.get(SEND_CODE)
    put = await found(tx, here, phone=number, language=language) if found else None
    if put is None:
        raise CodesNotSent
    return put


async def ask(
    tx: WriteTx, here: Context, *, clinic_id: str, phone: str, language: str | None, sent: bool
) -> Verification:
    """Has a code sent to this number (see ``way``). With ``sent`` false none is sent, and this verification proves nothing."""
    put = await way(tx, here, clinic_id=clinic_id, phone=phone, language=language)
    index = _index(here, number_of(here, phone))
    made = Verification(new_id(tx.now), clinic_id, index, tx.now, tries=0 if sent else MOST_TRIES)
    await store_proofs.insert(tx, made)
    if sent:
        await put(tx, made.verification)
    return made


async def confirm(tx: WriteTx, here: Context, tried: Verification | None, *, code: str) -> Verification:
    """The number is proved. ``tried`` is what ``store_proofs.count_try`` gave: whoever may try no more learns nothing."""
    right = tried is not None and hmac.compare_digest(code_for(here, tried.verification).encode(), code.encode())
    proved = await store_proofs.prove(tx, tried.verification) if tried and right else None
    if proved is None:
        raise CodeWrong
    return proved


async def known(tx: ReadTx, verification: UUID) -> Verification:
    found = await store_proofs.one(tx, verification)
    if found is None:
        raise VerificationNotFound
    return found


def proof_of(here: Context, verification: UUID) -> str:
    """What whoever typed the code shows from then on; derived, so nothing is stored."""
    keyring = here.services.keyring
    return secret_of(keyring, here.facility.no, verification, key_id=keyring.primary_id, purpose=PURPOSE)


async def proved_person(tx: ReadTx, here: Context, clinic: Clinic, *, phone: str | None, proof: str) -> str:
    """Who comes with a proof: the holder of that number, whatever they call themselves. ``ProofNotValid`` for the proof of
    another number, clinic or facility, or an old one."""
    shown = ticket_of(here.services.keyring, proof, purpose=PURPOSE)
    found = await store_proofs.one(tx, shown[1]) if shown and shown[0] == here.facility.no else None
    if phone is None or found is None or found.proved_at is None or tx.now >= found.expires_at:
        raise ProofNotValid
    number = number_of(here, phone)
    if found.clinic != clinic.id or not hmac.compare_digest(found.phone, _index(here, number)):
        raise ProofNotValid
    # No body may hold a control character, so nobody who takes a ticket without a proof can claim to be this person.
    return f"\x1fphone:{number}"


def _index(here: Context, number: str) -> bytes:
    return here.services.keyring.blind(number, facility=here.facility.id_text, where="phone_proof.phone")
