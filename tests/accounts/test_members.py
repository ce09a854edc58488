"""What somebody is in a facility, and that it shows nothing in another."""

from uuid import UUID, uuid4

import pytest

from dawr.accounts import commands, queries
from dawr.accounts.rules import RIGHTS, SYSTEM, AccountNotFound, Identity, Right, Role, SessionKind
from dawr.platform.errors import Forbidden
from tests.accounts.conftest import Staff, by_token


async def test_a_doctor_is_a_doctor_of_their_clinics(staff: Staff) -> None:
    account_id = await staff.dana()
    actor = await staff.actor("dana")
    assert actor is not None
    assert (actor.kind, actor.account_id, actor.role, actor.doctor) == ("staff", account_id, Role.DOCTOR, "dana")
    assert actor.may(Right.QUEUE, "lab")
    assert not actor.may(Right.QUEUE, "xray")


async def test_who_works_here_is_nobody_there(staff: Staff, elsewhere: Staff) -> None:
    await staff.ada()
    identity = await by_token(staff.services, await staff.sign_in("ada"))
    assert await queries.actor_in(staff.services, identity, elsewhere.house.facility.id) is None
    assert await queries.actor_in(staff.services, identity, uuid4()) is None


async def test_even_a_session_that_claims_a_facility_is_nobody_without_a_row_there(
    staff: Staff, elsewhere: Staff
) -> None:
    account_id = await staff.ada()
    there = elsewhere.house.facility.id
    claimed = Identity(account_id, uuid4(), SessionKind.TOKEN, False, None, (there,))
    assert await queries.actor_in(staff.services, claimed, there) is None


async def test_nor_with_a_row_that_is_disabled(staff: Staff) -> None:
    """The session was read half a second before the membership was."""
    account_id, here = await staff.dana(), staff.house.facility.id
    async with staff.services.db.write(here) as tx:
        await commands.change_membership(tx, SYSTEM, account_id, {"disabled": True})
    claimed = Identity(account_id, uuid4(), SessionKind.TOKEN, False, None, (here,))
    assert await queries.actor_in(staff.services, claimed, here) is None


async def test_an_operator_is_one_everywhere_without_the_rights_of_staff(staff: Staff) -> None:
    await staff.hire("otto", Role.OPERATOR)
    actor = await staff.actor("otto")
    assert actor is not None
    assert actor.rights == {Right.INSTALLATION}
    with pytest.raises(Forbidden):
        actor.require(Right.QUEUE)


async def test_an_operator_with_a_role_has_both(staff: Staff) -> None:
    await staff.hire("otto", Role.RECEPTION, operator=True)
    actor = await staff.actor("otto")
    assert actor is not None
    assert actor.rights == {Right.INSTALLATION} | RIGHTS[Role.RECEPTION]


async def test_home_is_the_facility_joined_first(staff: Staff, elsewhere: Staff) -> None:
    account_id = await staff.ada()
    async with staff.services.db.write(elsewhere.house.facility.id) as tx:
        await commands.add_membership(tx, SYSTEM, account_id, commands.Post(Role.RECEPTION))
    identity = await by_token(staff.services, await staff.sign_in("ada"))
    assert identity.facilities == (staff.house.facility.id, elsewhere.house.facility.id)
    assert queries.home_facility(identity) == staff.house.facility.id


async def test_each_facility_lists_its_own_people(staff: Staff, elsewhere: Staff) -> None:
    mine = [await staff.ada(), await staff.dana()]
    sam = await elsewhere.hire("sam", Role.RECEPTION)
    keyring = staff.services.keyring
    async with staff.services.db.read(staff.house.facility.id) as tx:
        users = await queries.users(tx, keyring, after=UUID(int=0), limit=50)
        assert [one.card.account_id for one in users] == mine
        assert [one.card.name for one in users] == ["Ada", "Dana"]
        with pytest.raises(AccountNotFound):
            await queries.user(tx, keyring, sam)
