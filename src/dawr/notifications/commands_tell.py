"""From facts to messages: who is to know by the facility's rules, where they can be reached, and what is written down for it.

Everything happens in the transaction of whoever found the facts: they are told if, and only if, it commits. Told twice of one
fact, nobody gets a second message: the database holds one for each fact, channel and address.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from dawr.accounts.rules import SYSTEM
from dawr.facilities.queries import Context
from dawr.facilities.rules import Facility
from dawr.notifications import queries, queries_facts, store, store_deliveries
from dawr.notifications.addresses import Addresses
from dawr.notifications.channel import Channel, channels_of, in_use
from dawr.notifications.rules import (
    QUEUE_MOMENTS,
    Audience,
    Fact,
    Moment,
    Quiet,
    Rule,
    Rules,
    Status,
    is_near,
    out_of_quiet,
)
from dawr.notifications.rules_channels import Reached, Reason
from dawr.notifications.store import Notice
from dawr.notifications.store_deliveries import Put
from dawr.notifications.texts import spoken
from dawr.patients import queries as patients
from dawr.patients.phones import region_of
from dawr.platform.db import WriteTx
from dawr.platform.ids import new_id
from dawr.platform.services import Services
from dawr.tickets import queries_telling as tickets

URGENT, CAN_WAIT = 0, 1
BY_PHONE = frozenset({"sms", "whatsapp"})


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a fact is for: how to reach them, and what they wish."""

    reached: Reached
    visit: UUID | None = None
    quiet: Quiet | None = None
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """One message to be: by which rule and channel, to which address; or why there is none."""

    rule: Rule
    address: str | None
    reason: Reason | None = None
    due: datetime | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Telling:
    """A fact that is being told to a person."""

    here: Context
    fact: Fact
    person: Person
    quiet: Quiet
    now: datetime


def house(services: Services, facility: Facility) -> Context:
    """The context in which the house itself works."""
    return Context(services, facility, SYSTEM, language="en", address="", device="")


async def tell(tx: WriteTx, services: Services, facility: Facility, facts: Sequence[Fact]) -> int:
    """Writes down who is told what, by the facility's rules; the number of new notices and messages."""
    if not facts:
        return 0
    rules = await queries.rules(tx)
    told = await store.add_notices(tx, [one for fact in facts for one in _notices(rules, fact)])
    told += await _tell_patients(tx, house(services, facility), rules, facts)
    return told


def _notices(rules: Rules, fact: Fact) -> list[Notice]:
    roles = sorted({one.audience.value for one in rules.at(fact.moment) if one.audience is not Audience.PATIENT})
    return [Notice(fact, roles)] if roles else []


# Patients


async def _tell_patients(tx: WriteTx, here: Context, rules: Rules, facts: Sequence[Fact]) -> int:
    if not any(one.audience is Audience.PATIENT for fact in facts for one in rules.at(fact.moment)):
        return 0
    channels = await in_use(tx, here.services)
    wanted = {fact.key: _rules_for(rules, fact, channels) for fact in facts}
    known = await store_deliveries.told(tx, [key for key, ways in wanted.items() if ways])
    news = [(fact, [one for one in wanted[fact.key] if (fact.key, one.channel) not in known]) for fact in facts]
    open_ones = [(fact, ways) for fact, ways in news if ways and (fact.key, "*") not in known]
    if not open_ones:
        return 0
    people = await _people(tx, here, [fact for fact, _ in open_ones])
    addresses = await Addresses.of(tx, here, [one.reached.patient for one in people.values()])
    messages: list[Put] = []
    for fact, ways in open_ones:
        person = people.get(fact.key)
        if person is not None:
            telling = Telling(here, fact, person, rules.quiet, tx.now)
            found = [_timed(telling, one) for one in await _ways(tx, telling, ways)]
            messages += [_put(telling, addresses, one) for one in found]
    return await store_deliveries.put(tx, messages)


def _rules_for(rules: Rules, fact: Fact, channels: Mapping[str, Channel]) -> list[Rule]:
    """The rules by which the patient is to be told of this fact, in the order they are kept."""
    ahead, minutes = fact.numbers.get("ahead", 0), fact.numbers.get("minutes")
    return [
        one
        for one in rules.at(fact.moment)
        if one.audience is Audience.PATIENT
        and one.channel in channels
        and (fact.moment is not Moment.NEAR or is_near(one, ahead=ahead, minutes=minutes))
    ]


async def _people(tx: WriteTx, here: Context, facts: Sequence[Fact]) -> dict[str, Person]:
    """Whom the facts are for, by their keys; nobody for a ticket that was taken without a word about the person."""
    of_tickets = [fact.ticket for fact in facts if fact.ticket]
    contacts = await tickets.contacts_of(tx, here.services, of_tickets) if of_tickets else {}
    registered = await queries_facts.patients_of(tx, of_tickets) if of_tickets else {}
    found: dict[str, Person] = {}
    for fact in facts:
        patient, visit = (
            registered.get(fact.ticket, (fact.patient, fact.visit)) if fact.ticket else (fact.patient, None)
        )
        contact = contacts.get(fact.ticket) if fact.ticket else None
        person = await _person(tx, here, patient, contact)
        if person is not None:
            reached = replace(person.reached, ticket=fact.ticket, appointment=fact.appointment)
            found[fact.key] = replace(person, visit=visit or fact.visit, reached=reached)
    return found


async def _person(
    tx: WriteTx, here: Context, patient: UUID | None, contact: tickets.TicketContact | None
) -> Person | None:
    """The registered patient with their wishes; a phone left for the ticket itself goes before the one on file."""
    reached = Reached(here.facility.id, country=region_of(here.facility.zone))
    phone, language = (contact.phone, contact.language) if contact else (None, None)
    if patient is None:
        # Somebody without a phone may still have asked for messages in their browser: that channel knows.
        return Person(replace(reached, phone=phone, language=spoken(language, *here.facility.languages)))
    known = await patients.contact(tx, here.services, patient)
    if known is None:
        return None
    return Person(
        replace(
            reached,
            patient=known.patient,
            phone=phone or known.phone,
            email=known.email,
            language=spoken(language, known.language, *here.facility.languages),
            allowed=None if known.channels is None else frozenset(one.value for one in known.channels),
        ),
        quiet=Quiet(*known.quiet) if known.quiet else None,
        opted_out=known.opted_out,
    )


async def _ways(tx: WriteTx, telling: Telling, rules: Sequence[Rule]) -> list[Way]:
    """A message for each address of each channel that the person agreed to. Where there is none at all, one that is not sent
    and says why, so that the staff know that a registered patient heard nothing."""
    services, reached = telling.here.services, telling.person.reached
    channels = channels_of(services)
    allowed = [one for one in rules if reached.allowed is None or one.channel in reached.allowed]
    if telling.person.opted_out or not allowed:
        return [Way(rules[0], None, Reason.OPT_OUT)]
    found = [
        Way(rule, address)
        for rule in allowed
        for address in dict.fromkeys(await channels[rule.channel].addresses(tx, services, reached))
    ]
    if found or (reached.patient is None and not reached.phone):
        return found
    by_phone = reached.phone and any(one.channel in BY_PHONE for one in allowed)
    return [Way(allowed[0], None, Reason.BAD_ADDRESS if by_phone else Reason.NO_CONTACT)]


def _timed(telling: Telling, way: Way) -> Way:
    """With the instant from which on it is sent, out of quiet hours where it can wait."""
    fact, now = telling.fact, telling.now
    due = fact.due or now
    if way.reason or not way.rule.quiet:
        return replace(way, due=due)
    quiet = telling.person.quiet or telling.quiet
    moved = out_of_quiet(due, quiet, telling.here.facility.zone, worth_until=fact.worth_until, now=now)
    return replace(way, due=moved) if moved else replace(way, due=due, reason=Reason.QUIET_HOURS)


def _put(telling: Telling, addresses: Addresses, way: Way) -> Put:
    fact, reached, now = telling.fact, telling.person.reached, telling.now
    delivery, patient = new_id(now), reached.patient
    sealed = addresses.seal(way.address, delivery=delivery, patient=patient) if way.address else None
    return Put(
        delivery=delivery,
        fact=fact.key,
        channel=way.rule.channel,
        recipient=addresses.index(way.address or f"nobody {patient}"),
        to_sealed=sealed,
        moment=fact.moment.value,
        template=way.rule.template,
        language=spoken(reached.language),
        ticket=fact.ticket,
        patient=patient,
        visit=telling.person.visit,
        appointment=fact.appointment,
        numbers=dict(fact.numbers),
        rank=URGENT if fact.moment in QUEUE_MOMENTS else CAN_WAIT,
        status=Status.SUPPRESSED if way.reason else Status.PENDING,
        reason=way.reason,
        due=way.due or now,
        deadline=fact.worth_until,
        created_at=now,
        ended_at=now if way.reason else None,
    )
