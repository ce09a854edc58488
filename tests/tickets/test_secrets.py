"""The secret of a ticket opens that ticket and nothing else, and not for ever."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.accounts.rules import Actor
from dawr.platform.crypto import Keyring
from dawr.platform.errors import Forbidden, Unauthenticated
from dawr.tickets import queries
from dawr.tickets.people import device_index
from dawr.tickets.queries import TicketView
from dawr.tickets.rules import Status, Ticket, TicketNotFound
from dawr.tickets.secrets import secret_of, ticket_of
from tests.conftest import House
from tests.tickets.conftest import Floor

KEYRING = Keyring.generate()
ONE = secret_of(KEYRING, 7, UUID(int=1), key_id=KEYRING.primary_id)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


# Pure


@given(st.uuids(), st.integers(1, 2**24 - 1))
def test_a_secret_tells_its_facility_and_ticket(ticket: UUID, no: int) -> None:
    secret = secret_of(KEYRING, no, ticket, key_id=KEYRING.primary_id)
    assert ticket_of(KEYRING, secret) == (no, ticket)
    assert len(secret) == 43


@given(st.integers(0, 42), st.sampled_from(LETTERS))
def test_one_changed_letter_opens_nothing_else(place: int, letter: str) -> None:
    changed = ONE[:place] + letter + ONE[place + 1 :]
    assert ticket_of(KEYRING, changed) in (None, (7, UUID(int=1)))
    assert changed == ONE or place == 42 or ticket_of(KEYRING, changed) is None


@given(st.text(max_size=100))
def test_no_text_is_a_secret_by_chance(text: str) -> None:
    assert ticket_of(KEYRING, text) is None


UNDECODABLE = ["", "\x00" * 43, "ä" * 43, "٣" * 43, ONE + "=", ONE[:-1], " " + ONE[1:], "=" * 43]


@pytest.mark.parametrize("text", UNDECODABLE, ids=range(len(UNDECODABLE)))
def test_what_cannot_be_decoded_opens_nothing(text: str) -> None:
    assert ticket_of(KEYRING, text) is None


def test_another_installations_secret_opens_nothing() -> None:
    assert ticket_of(Keyring.generate(), ONE) is None


def test_a_secret_outlives_the_rotation_of_keys_but_not_the_end_of_its_key() -> None:
    rotated = KEYRING.rotate()
    assert ticket_of(rotated, ONE) == (7, UUID(int=1))
    assert ticket_of(rotated.retire(KEYRING.primary_id), ONE) is None


# In the house


def secret(house: House, ticket: Ticket) -> str:
    return queries.follow_of(house.here(), ticket.id).removeprefix("/t/")


async def seen(floor: Floor, ticket: Ticket, *secrets: str) -> TicketView:
    here = floor.house.here(secrets=secrets)
    async with here.read() as tx:
        return await queries.seen_by(tx, here, queries.viewer(here, ticket.id), ticket.id)


async def test_with_its_secret_a_ticket_can_be_seen(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    assert (await seen(floor, ticket, secret(house, ticket))).ticket == ticket


async def test_a_phone_with_several_tickets_sees_each(floor: Floor, house: House) -> None:
    tickets = await floor.several(3)
    known = [secret(house, one) for one in tickets]
    assert [(await seen(floor, one, "junk", *known)).ticket for one in tickets] == tickets


async def test_with_another_tickets_secret_it_does_not_exist(floor: Floor, house: House) -> None:
    mine, other = await floor.several(2)
    with pytest.raises(TicketNotFound):
        await seen(floor, other, secret(house, mine))


@pytest.mark.parametrize("secrets", [(), ("",), ("x" * 43,), ("\x00" * 43,)])
async def test_without_a_secret_one_has_to_sign_in(floor: Floor, secrets: tuple[str, ...]) -> None:
    with pytest.raises(Unauthenticated):
        await seen(floor, await floor.enter("amina"), *secrets)


async def test_a_secret_that_names_another_facility_opens_nothing_here(floor: Floor, house: House) -> None:
    ticket, keyring = await floor.enter("amina"), house.services.keyring
    foreign = secret_of(keyring, house.facility.no + 1, ticket.id, key_id=keyring.primary_id)
    with pytest.raises(TicketNotFound):
        await seen(floor, ticket, foreign)


async def test_another_facilitys_ticket_cannot_be_seen_from_here(floor: Floor, house: House) -> None:
    other = await floor.elsewhere()
    theirs = await other.enter("amina")
    with pytest.raises(TicketNotFound):
        await seen(floor, theirs, secret(other.house, theirs))


async def test_a_secret_leads_to_its_facility_and_ticket(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    facility, found = await queries.by_secret(house.services, secret(house, ticket))
    assert (facility.id, found) == (house.facility.id, ticket.id)


@pytest.mark.parametrize("no", [0, 2**24 - 1])
async def test_a_secret_of_a_facility_that_is_gone_leads_nowhere(house: House, no: int) -> None:
    keyring = house.services.keyring
    with pytest.raises(TicketNotFound):
        await queries.by_secret(house.services, secret_of(keyring, no, uuid4(), key_id=keyring.primary_id))
    with pytest.raises(TicketNotFound):
        await queries.by_secret(house.services, "x" * 43)


async def test_a_secret_dies_a_day_after_its_ticket_ended(floor: Floor, house: House) -> None:
    ticket = await floor.in_state("amina", Status.DONE)
    house.clock.offset += timedelta(hours=23, minutes=59)
    assert (await seen(floor, ticket, secret(house, ticket))).ticket.status is Status.DONE
    house.clock.offset += timedelta(minutes=2)
    with pytest.raises(TicketNotFound):
        await seen(floor, ticket, secret(house, ticket))


async def test_an_open_tickets_secret_lives_on(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    house.clock.offset += timedelta(days=3)
    assert (await seen(floor, ticket, secret(house, ticket))).ticket == ticket


async def test_a_display_watches_tickets_and_an_operator_does_not(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    queries.require_viewer(floor.someone("display", ticket), ticket.id)
    with pytest.raises(Forbidden):
        queries.require_viewer(Actor(kind="staff", account_id=uuid4(), operator=True), ticket.id)


async def test_staff_with_a_patients_secret_stay_staff(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    here = replace(house.here(house.rui), secrets=(secret(house, ticket),))
    assert queries.viewer(here, ticket.id) == here.actor


async def test_only_the_device_that_asked_made_the_ticket(floor: Floor, house: House) -> None:
    ticket, here = await floor.enter("amina"), house.here()
    async with here.read() as tx:
        assert await queries.made_by_device(tx, ticket.id, device_index(here))
        assert not await queries.made_by_device(tx, ticket.id, device_index(replace(here, device="e" * 32)))


async def test_another_facilitys_ticket_was_made_by_no_device(floor: Floor) -> None:
    ticket, other = await floor.enter("amina"), await floor.elsewhere()
    async with other.house.here().read() as tx:
        with pytest.raises(TicketNotFound):
            await queries.made_by_device(tx, ticket.id, device_index(floor.house.here()))
