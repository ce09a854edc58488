"""What a ticket keeps of a person: a blind index of who it is, sealed name and phone, nothing readable at rest."""

from uuid import UUID

from dawr.facilities.queries import Context
from dawr.platform.db import ReadTx
from dawr.tickets import store
from dawr.tickets.queries import TicketView
from dawr.tickets.store import Personal

_DEVICE, _PERSON = "ticket.device", "ticket.person"


def device_index(here: Context) -> bytes:
    """Which browser asked, without keeping its cookie."""
    return here.services.keyring.blind(here.device, facility=here.facility.id_text, where=_DEVICE)


def person_index(here: Context, user: str) -> bytes:
    """Who it is, as a clinic's queue knows them."""
    return here.services.keyring.blind(user, facility=here.facility.id_text, where=_PERSON)


def keep_person(here: Context, ticket_id: UUID, *, user: str, name: str | None, phone: str | None) -> Personal:
    """Seals a person's data to the ticket it will belong to."""
    return Personal(
        person=person_index(here, user),
        device=device_index(here),
        name_sealed=_sealed(here, name, ticket_id, "name"),
        phone_sealed=_sealed(here, phone, ticket_id, "phone"),
    )


def _sealed(here: Context, text: str | None, ticket_id: UUID, field: str) -> bytes | None:
    if not text:
        return None
    return here.services.keyring.seal(text, facility=here.facility.id_text, where=f"ticket.{field}:{ticket_id}")


def _opened(here: Context, sealed: bytes | None, ticket_id: UUID, field: str) -> str | None:
    if sealed is None:
        return None
    return here.services.keyring.open(sealed, facility=here.facility.id_text, where=f"ticket.{field}:{ticket_id}")


async def passed_on(tx: ReadTx, here: Context, ticket_id: UUID, *, to: UUID) -> Personal:
    """A person's data of one ticket, sealed to the next one of the same person."""
    had = await store.personal_of(tx, ticket_id)
    name = _opened(here, had.name_sealed, ticket_id, "name")
    phone = _opened(here, had.phone_sealed, ticket_id, "phone")
    return Personal(had.person, had.device, _sealed(here, name, to, "name"), _sealed(here, phone, to, "phone"))


def shown_person(here: Context, view: TicketView) -> dict[str, str | None]:
    """Name and phone for the staff who serve the ticket."""
    return {
        "name": _opened(here, view.name_sealed, view.ticket.id, "name"),
        "phone": _opened(here, view.phone_sealed, view.ticket.id, "phone"),
    }
