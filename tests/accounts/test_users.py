"""Hiring, changing and removing people: who may, what is refused, and what the log keeps of it."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from dawr.accounts import commands, passwords, queries
from dawr.accounts.commands import Person, Post
from dawr.accounts.rules import (
    SYSTEM,
    AccountExists,
    AccountNotFound,
    AccountShared,
    Actor,
    Changes,
    InvalidEmail,
    LastAdministrator,
    Membership,
    Role,
    RoleNotAllowed,
    UnknownAssignment,
    WeakPassword,
    WrongCredentials,
    WrongPassword,
)
from dawr.platform import events
from dawr.platform.errors import Forbidden, Unauthenticated
from tests.accounts.conftest import Staff, by_token
from tests.conftest import PASSWORD

HASH = passwords.NOBODY


async def hired(staff: Staff, actor: Actor, name: str, post: Post) -> tuple[UUID, bool]:
    person = Person(staff.email(name), name.title(), HASH)
    async with staff.services.db.write(staff.house.facility.id) as tx:
        return await commands.hire(tx, actor, staff.services.keyring, person, post)


async def changed(staff: Staff, account_id: UUID, changes: Changes, *, actor: Actor = SYSTEM) -> Membership:
    async with staff.services.db.write(staff.house.facility.id) as tx:
        return await commands.change_membership(tx, actor, account_id, changes)


async def removed(staff: Staff, account_id: UUID) -> None:
    async with staff.services.db.write(staff.house.facility.id) as tx:
        await commands.remove_membership(tx, SYSTEM, account_id)


async def history(staff: Staff, account_id: UUID) -> list[events.Recorded]:
    async with staff.services.db.read(staff.house.facility.id) as tx:
        return await events.history(tx, account_id)


@pytest.mark.parametrize("role", ["rui", "dana"])
async def test_only_an_administrator_hires(staff: Staff, role: str) -> None:
    with pytest.raises(Forbidden):
        await hired(staff, getattr(staff.house, role), "nina", Post(Role.DISPLAY))


async def test_a_colleague_is_hired_with_clinics_and_desk(staff: Staff) -> None:
    post = Post(Role.DOCTOR, ("lab", "xray"), doctor="dana", desk="2")
    account_id, made = await hired(staff, staff.house.ada, "dana", post)
    async with staff.services.db.read(staff.house.facility.id) as tx:
        user = await queries.user(tx, staff.services.keyring, account_id)
    assert made
    assert user.membership.clinics == {"lab", "xray"}
    assert (user.membership.doctor, user.membership.desk) == ("dana", "2")
    assert (user.card.email, user.card.name, user.card.operator) == (staff.email("dana"), "Dana", False)


@pytest.mark.parametrize(
    "post",
    [Post(Role.DOCTOR, ("nowhere",)), Post(Role.DOCTOR, ("lab", "nowhere")), Post(Role.DOCTOR, doctor="dr.nobody")],
)
async def test_clinics_and_doctors_must_be_of_this_facility(staff: Staff, post: Post) -> None:
    with pytest.raises(UnknownAssignment):
        await hired(staff, staff.house.ada, "nina", post)
    async with staff.services.db.read() as tx:
        assert await queries.account_named(tx, staff.services.keyring, staff.email("nina")) is None


async def test_no_administrator_makes_an_operator(staff: Staff) -> None:
    with pytest.raises(RoleNotAllowed):
        await hired(staff, staff.house.ada, "otto", Post(Role.OPERATOR))
    person = Person(staff.email("otto"), "Otto", HASH, operator=True)
    async with staff.services.db.write(staff.house.facility.id) as tx:
        account_id, _ = await commands.hire(tx, staff.house.ada, staff.services.keyring, person, Post(Role.DISPLAY))
        assert not (await queries.profile(tx, staff.services.keyring, account_id)).operator


async def test_nobody_is_hired_twice(staff: Staff) -> None:
    await staff.ada()
    with pytest.raises(AccountExists):
        await hired(staff, staff.house.ada, "ada", Post(Role.RECEPTION))


async def test_two_who_hire_one_person_at_once_do_it_once(staff: Staff) -> None:
    tries = [hired(staff, staff.house.ada, "nina", Post(Role.DISPLAY)) for _ in range(4)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["AccountExists"] * 3 + ["tuple"]


async def test_an_account_made_elsewhere_is_not_let_in_by_an_administrator(staff: Staff, elsewhere: Staff) -> None:
    """Whoever made it there knows its password; here it would open this facility to them."""
    await elsewhere.hire("sam", Role.RECEPTION)
    person = Person(elsewhere.email("sam"), "Sam", HASH)
    async with staff.services.db.write(staff.house.facility.id) as tx:
        with pytest.raises(AccountExists):
            await commands.hire(tx, staff.house.ada, staff.services.keyring, person, Post(Role.DISPLAY))
    identity = await by_token(staff.services, await elsewhere.sign_in("sam"))
    assert identity.facilities == (elsewhere.house.facility.id,)


async def test_let_in_by_the_house_they_keep_their_account_and_password(staff: Staff, elsewhere: Staff) -> None:
    sam = await elsewhere.hire("sam", Role.RECEPTION)
    person = Person(elsewhere.email("sam"), "Somebody else", HASH, temporary=True)
    async with staff.services.db.write(staff.house.facility.id) as tx:
        account_id, made = await commands.hire(tx, SYSTEM, staff.services.keyring, person, Post(Role.DISPLAY))
        card = await queries.profile(tx, staff.services.keyring, account_id)
    assert (account_id, made, card.name, card.password_temporary) == (sam, False, "Sam", False)
    assert (await elsewhere.sign_in("sam")).access_token


async def test_what_happened_stands_in_the_log_without_a_gap_or_a_name(staff: Staff) -> None:
    await staff.ada()
    account_id, _ = await hired(staff, staff.house.ada, "nina", Post(Role.DOCTOR, ("lab",)))
    await changed(staff, account_id, {"clinics": ["xray"], "desk": "1"})
    await changed(staff, account_id, {"disabled": True})
    await removed(staff, account_id)
    found = await history(staff, account_id)
    assert [one.version for one in found] == [1, 2, 3, 4]
    assert [one.type for one in found] == ["account_added", "account_changed", "account_changed", "account_removed"]
    assert found[1].data["clinics"] == ["xray"]
    assert found[0].actor.startswith("account:")
    assert "nina" not in str([one.data for one in found]).lower()


async def test_changing_nothing_is_no_event(staff: Staff) -> None:
    account_id = await staff.dana()
    before = await history(staff, account_id)
    await changed(staff, account_id, {"clinics": ["lab"], "role": Role.DOCTOR})
    assert await history(staff, account_id) == before


async def test_who_was_removed_can_come_back_with_the_log_going_on(staff: Staff) -> None:
    await staff.ada()
    account_id = await staff.dana()
    await removed(staff, account_id)
    with pytest.raises(WrongCredentials):
        await staff.sign_in("dana")
    with pytest.raises(AccountNotFound):
        await changed(staff, account_id, {"desk": "1"})
    await hired(staff, staff.house.ada, "dana", Post(Role.RECEPTION))
    assert [one.version for one in await history(staff, account_id)] == [1, 2, 3]
    actor = await staff.actor("dana")
    assert actor is not None
    assert (actor.role, actor.clinics) == (Role.RECEPTION, frozenset())


@pytest.mark.parametrize("changes", [{"role": Role.RECEPTION}, {"disabled": True}, None])
async def test_the_last_administrator_cannot_go(staff: Staff, changes: Any) -> None:
    ada = await staff.ada()
    with pytest.raises(LastAdministrator):
        await (changed(staff, ada, changes) if changes else removed(staff, ada))
    await staff.hire("berta", Role.ADMINISTRATOR)
    await (changed(staff, ada, changes) if changes else removed(staff, ada))


async def test_a_disabled_administrator_does_not_count(staff: Staff) -> None:
    ada, berta = await staff.ada(), await staff.hire("berta", Role.ADMINISTRATOR)
    await changed(staff, berta, {"disabled": True})
    with pytest.raises(LastAdministrator):
        await changed(staff, ada, {"role": Role.DISPLAY})


async def test_administrators_of_another_facility_do_not_count(staff: Staff, elsewhere: Staff) -> None:
    ada = await staff.ada()
    await elsewhere.hire("sam", Role.ADMINISTRATOR)
    with pytest.raises(LastAdministrator):
        await removed(staff, ada)


async def test_two_administrators_who_remove_each_other_leave_one(staff: Staff) -> None:
    ada, berta = await staff.ada(), await staff.hire("berta", Role.ADMINISTRATOR)
    for _ in range(5):
        outcomes = await asyncio.gather(
            *(changed(staff, one, {"role": Role.DISPLAY}) for one in (ada, berta)), return_exceptions=True
        )
        kinds = [type(one) for one in outcomes]
        assert sorted(kind.__name__ for kind in kinds) == ["LastAdministrator", "Membership"]
        gone = (ada, berta)[kinds.index(Membership)]
        await changed(staff, gone, {"role": Role.ADMINISTRATOR})


async def test_another_facilitys_people_are_not_found(staff: Staff, elsewhere: Staff) -> None:
    sam = await elsewhere.hire("sam", Role.RECEPTION)
    for account_id in (sam, uuid4()):
        with pytest.raises(AccountNotFound):
            await changed(staff, account_id, {"disabled": True})
    assert (await elsewhere.sign_in("sam")).access_token


async def test_a_forgotten_password_is_reset_by_an_administrator(staff: Staff) -> None:
    account_id = await staff.dana()
    signed_in = await staff.sign_in("dana")
    fresh = passwords.generated()
    async with staff.services.db.write(staff.house.facility.id) as tx:
        hash_ = await passwords.hashed(fresh)
        await commands.reset_password(tx, staff.house.ada, account_id, password_hash=hash_)
    queries.forget(staff.services)
    with pytest.raises(Unauthenticated):
        await by_token(staff.services, signed_in)
    with pytest.raises(WrongCredentials):
        await staff.sign_in("dana")
    assert (await staff.sign_in("dana", fresh)).access_token
    assert (await history(staff, account_id))[-1].type == "account_password_reset"


async def test_but_not_of_somebody_who_could_act_elsewhere_with_it(staff: Staff, elsewhere: Staff) -> None:
    otto = await staff.hire("otto", Role.RECEPTION, operator=True)
    sam = await elsewhere.hire("sam", Role.RECEPTION)
    async with staff.services.db.write(staff.house.facility.id) as tx:
        await commands.add_membership(tx, SYSTEM, sam, Post(Role.DISPLAY))
    for account_id in (otto, sam):
        async with staff.services.db.write(staff.house.facility.id) as tx:
            with pytest.raises(AccountShared):
                await commands.reset_password(tx, staff.house.ada, account_id, password_hash=HASH)


async def test_ones_own_password_is_changed_and_the_other_sessions_end(staff: Staff) -> None:
    account_id = await staff.ada()
    other = await staff.sign_in("ada")
    actor = await staff.actor("ada")
    assert actor is not None
    await commands.change_password(
        staff.services, actor, staff.house.facility.id, current=PASSWORD, new="another good one"
    )
    with pytest.raises(Unauthenticated):
        await by_token(staff.services, other)
    assert (await staff.sign_in("ada", "another good one")).access_token
    assert (await history(staff, account_id))[-1].type == "account_password_changed"


async def test_it_takes_the_current_password_and_a_good_new_one(staff: Staff) -> None:
    await staff.ada()
    actor = await staff.actor("ada")
    assert actor is not None
    tries = (("a wrong guess", "another good one", WrongPassword), (PASSWORD, "password1234", WeakPassword))
    for current, new, error in tries:
        with pytest.raises(error):
            await commands.change_password(staff.services, actor, staff.house.facility.id, current=current, new=new)
    assert (await staff.sign_in("ada")).access_token


async def test_the_command_line_sets_a_password_and_ends_the_sessions(staff: Staff) -> None:
    account_id = await staff.ada()
    signed_in = await staff.sign_in("ada")
    found = await commands.set_password(staff.services, email=staff.email("ada"), password="another good one")
    assert found == account_id
    with pytest.raises(Unauthenticated):
        await by_token(staff.services, signed_in)
    assert (await staff.sign_in("ada", "another good one")).access_token
    with pytest.raises(AccountNotFound):
        await commands.set_password(staff.services, email=staff.email("nobody"), password="another good one")


async def test_the_first_account_is_made_once_and_only_with_a_good_password(staff: Staff) -> None:
    facility_id = staff.house.facility.id
    wish: dict[str, Any] = {"email": staff.email("ada"), "name": "Ada", "facility_id": facility_id}
    wish["role"] = Role.ADMINISTRATOR
    with pytest.raises(WeakPassword):
        await commands.create_first(staff.services, password="short", **wish)
    with pytest.raises(InvalidEmail):
        await commands.create_first(staff.services, password=PASSWORD, **(wish | {"email": "ada"}))
    await commands.create_first(staff.services, password=PASSWORD, **wish)
    with pytest.raises(AccountExists):
        await commands.create_first(staff.services, password=PASSWORD, **wish)
    actor = await staff.actor("ada")
    assert actor is not None
    assert actor.role is Role.ADMINISTRATOR


async def test_loading_the_same_staff_twice_changes_nothing(staff: Staff) -> None:
    wish: dict[str, Any] = {"email": staff.email("dana"), "name": "Dana", "password": PASSWORD, "if_missing": True}
    post: dict[str, Any] = {"facility_id": staff.house.facility.id, "role": Role.DOCTOR, "clinics": ["lab"]}
    account_id = await commands.create_staff(staff.services, **wish, **post)
    await changed(staff, account_id, {"clinics": ["xray"]})
    assert await commands.create_staff(staff.services, **wish, **post) == account_id
    actor = await staff.actor("dana")
    assert actor is not None
    assert actor.clinics == {"xray"}
