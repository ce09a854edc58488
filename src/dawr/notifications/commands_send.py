"""What a message needs before it can be handed to a vendor: it is still true, its address is opened, its words are made."""

from dataclasses import dataclass

from dawr.appointments import queries as appointments
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Clinic, named
from dawr.notifications import queries_facts, store_deliveries, texts
from dawr.notifications.addresses import Addresses
from dawr.notifications.commands_code import verification_of
from dawr.notifications.commands_tell import URGENT, house
from dawr.notifications.queries_facts import AppointmentFound
from dawr.notifications.rules import Moment, Status
from dawr.notifications.rules_channels import Message, Reason
from dawr.notifications.stops import stop_path
from dawr.notifications.store_deliveries import Claim, Mark
from dawr.notifications.wishes import Held, Wishes
from dawr.platform.db import WriteTx
from dawr.platform.services import Services
from dawr.tickets import commands_proof as proofs
from dawr.tickets import queries_telling as tickets
from dawr.tickets.queries_telling import Standing

LINK_APART = frozenset({"push"})
"""Channels that show an address as something to tap, not as a part of the text."""
WITH_STOP_LINK = frozenset({"email"})


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed message and what is handed over."""

    claim: Claim
    message: Message


async def take(tx: WriteTx, services: Services, channel: str, *, limit: int) -> list[Ready]:
    """Claims up to ``limit`` messages of a channel and makes them ready; those that have become pointless are marked so. To be
    committed before any is sent."""
    claims = [one for one in await store_deliveries.claim(tx, channel, limit=limit) if one.status is Status.SENDING]
    facility = await facilities.facility(tx) if claims else None
    if facility is None:
        return []
    here = house(services, facility)
    addresses = await Addresses.of(tx, here, [one.patient for one in claims])
    wishes = await Wishes.of(tx, here, claims)
    of_tickets = [one.ticket for one in claims if one.ticket]
    standing = await tickets.standing(tx, of_tickets) if of_tickets else {}
    booked = await queries_facts.appointments(tx, [one.appointment for one in claims if one.appointment])
    clinics = await _clinic_names(tx, {one.ticket.clinic for one in standing.values()})
    ready = []
    for one in claims:
        place = standing.get(one.ticket) if one.ticket else None
        appointment = booked.get(one.appointment) if one.appointment else None
        address, reason = addresses.open(one), _pointless(one, place, appointment)
        held = Held(Status.SUPPRESSED, reason) if reason else wishes.held(one, tx.now)
        if held is None and address is not None:
            material = _material(here, one, place, clinics)
            ready.append(Ready(one, _message(tx, here, one, address, material)))
        else:
            await _hold(tx, one, held or Held(Status.SUPPRESSED, Reason.NO_CONTACT))
    return ready


async def _hold(tx: WriteTx, one: Claim, held: Held) -> None:
    if held.due:
        await store_deliveries.give_back(tx, one, due=held.due, reason=held.reason)
    else:
        await store_deliveries.mark(tx, one, Mark(held.status, held.reason))


async def _clinic_names(tx: WriteTx, ids: set[str]) -> dict[str, Clinic]:
    found = await facilities.clinics_named(tx, sorted(ids)) if ids else []
    return {one.id: one for one in found}


def _pointless(one: Claim, place: Standing | None, booked: AppointmentFound | None) -> Reason | None:
    """Whether what the message says has stopped being so since it was written down."""
    moment = Moment(one.moment)
    if booked is not None:
        so = booked.is_so(moment) and booked.start == one.numbers.get("start")
    else:
        so = not moment.true_of or (place is not None and place.ticket.status.value in moment.true_of)
    return None if so else Reason.OUTDATED


def _material(here: Context, one: Claim, place: Standing | None, clinics: dict[str, Clinic]) -> texts.Material:
    clinic = clinics.get(place.ticket.clinic) if place else None
    return texts.Material(
        moment=Moment(one.moment),
        language=texts.spoken(one.language),
        facility=named(here.facility.name, one.language),
        zone=here.facility.zone,
        clinic=named(clinic.name, one.language) if clinic else "",
        code=place.code if place else _phone_code(here, one),
        desk=place.ticket.desk if place else None,
        numbers=one.numbers,
        link=_link(here, one, place),
    )


def _phone_code(here: Context, one: Claim) -> str:
    verification = verification_of(one.fact)
    return proofs.code_for(here, verification) if verification else ""


def _link(here: Context, one: Claim, place: Standing | None) -> str | None:
    """Where the ticket or the appointment is followed; only an address that people can open from outside helps."""
    public = here.services.settings.public_url
    if public and place:
        return public + tickets.follow_path(here.services, here.facility.no, place.ticket.id)
    return public + appointments.follow_of(here, one.appointment) if public and one.appointment else None


def _stop_link(here: Context, one: Claim) -> str | None:
    """Where the receiver stops further messages: in those that are read where links are."""
    public = here.services.settings.public_url
    if not public or one.channel not in WITH_STOP_LINK:
        return None
    facility = here.facility
    return public + stop_path(
        here.services.keyring, slug=facility.slug, facility=facility.id, recipient=bytes(one.recipient)
    )


def _message(tx: WriteTx, here: Context, one: Claim, address: str, material: texts.Material) -> Message:
    words = texts.render(material)
    assert tx.facility_id is not None
    ids = {"ticket": one.ticket, "visit": one.visit, "appointment": one.appointment}
    return Message(
        delivery=one.delivery,
        facility_id=tx.facility_id,
        key=f"dawr-{one.delivery}",
        to=address,
        language=one.language,
        moment=one.moment,
        subject=words.subject,
        text=f"{words.text} {words.link}" if words.link and one.channel not in LINK_APART else words.text,
        deadline=one.deadline,
        seconds_left=max(1, int((one.deadline - tx.now).total_seconds())),
        urgent=one.rank == URGENT,
        link=material.link if one.channel in LINK_APART else words.link,
        unsubscribe=_stop_link(here, one),
        values=words.values,
        ids={name: str(value) for name, value in ids.items() if value},
    )
