"""What people wish at the moment of sending: between writing a message down and sending it they may have said no, been erased,
or gone to bed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dawr.facilities.queries import Context
from dawr.notifications import queries, store_stops
from dawr.notifications.rules import Audience, Moment, Quiet, Rules, Status, out_of_quiet
from dawr.notifications.rules_channels import Reason
from dawr.notifications.store_deliveries import Claim
from dawr.patients import queries as patients
from dawr.patients.rules import Contact
from dawr.platform.db import ReadTx


@dataclass(frozen=True, slots=True)
class Held:
    """A message that is not sent at this moment: never, or not before ``due``."""

    status: Status
    reason: Reason
    due: datetime | None = None


class Wishes:
    """Those of everybody whose messages were claimed together."""

    def __init__(
        self, here: Context, rules: Rules, contacts: Mapping[UUID, Contact], stopped: frozenset[bytes]
    ) -> None:
        self._here = here
        self._rules = rules
        self._contacts = contacts
        self._stopped = stopped

    @classmethod
    async def of(cls, tx: ReadTx, here: Context, claims: Sequence[Claim]) -> "Wishes":
        whose = {one.patient for one in claims if one.patient}
        contacts = await patients.contacts(tx, here.services, whose) if whose else {}
        stopped = await store_stops.stopped(tx, [one.recipient for one in claims])
        return cls(here, await queries.rules(tx), contacts, stopped)

    def held(self, one: Claim, now: datetime) -> Held | None:
        """Why this message is not sent at this moment; ``None`` where nobody minds."""
        contact = self._contacts.get(one.patient) if one.patient else None
        if one.patient and contact is None:
            return Held(Status.SUPPRESSED, Reason.NO_CONTACT)
        refused = contact is not None and (contact.opted_out or not _agreed(contact, one.channel))
        # Whoever asks for a code wants it at this moment, whatever else they want no more.
        stopped = one.recipient in self._stopped and one.moment != Moment.PHONE_CODE
        if refused or stopped:
            return Held(Status.SUPPRESSED, Reason.OPT_OUT)
        return self._quiet(one, contact, now)

    def _quiet(self, one: Claim, contact: Contact | None, now: datetime) -> Held | None:
        if not self._keeps_quiet(one):
            return None
        quiet = Quiet(*contact.quiet) if contact and contact.quiet else self._rules.quiet
        due = out_of_quiet(now, quiet, self._here.facility.zone, worth_until=one.deadline, now=now)
        if due is None:
            return Held(Status.SUPPRESSED, Reason.QUIET_HOURS)
        return Held(Status.PENDING, Reason.QUIET_HOURS, due) if due > now else None

    def _keeps_quiet(self, one: Claim) -> bool:
        to_patient = [rule for rule in self._rules.at(Moment(one.moment)) if rule.audience is Audience.PATIENT]
        return any(rule.quiet and rule.channel == one.channel for rule in to_patient)


def _agreed(contact: Contact, channel: str) -> bool:
    return contact.channels is None or channel in contact.channels
