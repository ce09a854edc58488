"""Who may do what, whom a password or an address is refused for, and what a facility must never be without."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.accounts import rules
from dawr.accounts.rules import (
    PER_CLINIC,
    RIGHTS,
    STRANGER,
    SYSTEM,
    Actor,
    InvalidEmail,
    LastAdministrator,
    Membership,
    Right,
    Role,
    RoleNotAllowed,
    WeakPassword,
)
from dawr.platform.errors import Forbidden, Unauthenticated

EMAIL = "amina@example.org"
CLINICS = ("lab", "xray", "eyes")
roles = st.sampled_from(Role)
rights = st.sampled_from(Right)
clinics = st.sampled_from(CLINICS)
clinic_sets = st.frozensets(clinics)
memberships = st.builds(
    Membership,
    account_id=st.just(UUID(int=7)),
    role=st.sampled_from([role for role in Role if role is not Role.OPERATOR]),
    clinics=clinic_sets,
    doctor=st.none(),
    desk=st.none(),
    disabled=st.booleans(),
    removed=st.just(False),
    version=st.just(3),
    created_at=st.just(datetime(2026, 11, 21, tzinfo=UTC)),
)


def staff(role: Role, own: frozenset[str] = frozenset(), *, operator: bool = False) -> Actor:
    return Actor(kind="staff", role=role, clinics=own, operator=operator)


@given(roles, rights, clinic_sets, clinics)
def test_a_right_holds_if_the_role_has_it_and_for_a_doctor_in_their_own_clinics(
    role: Role, right: Right, own: frozenset[str], clinic: str
) -> None:
    limited = role is Role.DOCTOR and right in PER_CLINIC
    expected = right in RIGHTS[role] and (not limited or clinic in own)
    assert staff(role, own).may(right, clinic) is expected


@given(roles, rights, clinic_sets, clinics)
def test_require_raises_exactly_where_may_says_no(role: Role, right: Right, own: frozenset[str], clinic: str) -> None:
    actor = staff(role, own)
    if actor.may(right, clinic):
        actor.require(right, clinic)
    else:
        with pytest.raises(Forbidden):
            actor.require(right, clinic)


@given(rights)
def test_strangers_and_patients_have_no_right_and_the_house_has_all(right: Right) -> None:
    assert not STRANGER.may(right)
    assert not Actor(kind="patient", ticket=UUID(int=1)).may(right)
    assert SYSTEM.may(right)
    with pytest.raises(Unauthenticated):
        STRANGER.require(right)


@given(roles, rights, clinic_sets)
def test_being_an_operator_adds_the_installation_and_nothing_else(
    role: Role, right: Right, own: frozenset[str]
) -> None:
    plain, operator = staff(role, own), staff(role, own, operator=True)
    assert operator.may(right) is (plain.may(right) or right is Right.INSTALLATION)


def test_each_step_up_the_stairs_adds_rights() -> None:
    assert RIGHTS[Role.DISPLAY] < RIGHTS[Role.RECEPTION] < RIGHTS[Role.ADMINISTRATOR]
    assert RIGHTS[Role.DISPLAY] < RIGHTS[Role.DOCTOR]
    # What is clinical is the doctors' alone.
    assert RIGHTS[Role.DOCTOR] - RIGHTS[Role.ADMINISTRATOR] == {Right.CONSULT, Right.HISTORY}
    assert RIGHTS[Role.OPERATOR].isdisjoint(RIGHTS[Role.ADMINISTRATOR])


def test_the_log_names_an_actor_without_naming_a_person() -> None:
    account_id = UUID(int=7)
    assert Actor(kind="staff", account_id=account_id, role=Role.DOCTOR).label == f"account:{account_id}"
    assert (STRANGER.label, SYSTEM.label) == ("stranger", "system")


@given(
    memberships, st.booleans(), st.sampled_from([role for role in Role if role is not Role.OPERATOR]), st.integers(0, 2)
)
def test_the_last_administrator_stays_one(before: Membership, disabled: bool, role: Role, others: int) -> None:
    would_be = replace(before, role=role, disabled=disabled)
    leaves_none = before.administers and not would_be.administers and others == 0
    if leaves_none:
        with pytest.raises(LastAdministrator):
            rules.changed(before, {"role": role, "disabled": disabled}, other_administrators=others)
    else:
        after = rules.changed(before, {"role": role, "disabled": disabled}, other_administrators=others)
        assert after == would_be


@given(memberships)
def test_what_is_not_named_stays_as_it_is(before: Membership) -> None:
    assert rules.changed(before, {}, other_administrators=0) == before


@given(memberships)
def test_a_facility_cannot_make_an_operator(before: Membership) -> None:
    with pytest.raises(RoleNotAllowed):
        rules.changed(before, {"role": Role.OPERATOR}, other_administrators=5)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "ninechars",
        "password1234",
        "PassWord1234",
        "1234567890",
        "aaaaaaaaaaaa",
        "abababababab",
        EMAIL,
        "x" * 257,
    ],
)
def test_a_password_that_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        rules.check_password(password, email=EMAIL)


@pytest.mark.parametrize("password", ["AMINA@example.org", "amina@EXAMPLE.ORG", "ａｍｉｎａ@example.org"])
def test_the_address_in_another_spelling_is_no_password(password: str) -> None:
    with pytest.raises(WeakPassword):
        rules.check_password(password, email=EMAIL)


@pytest.mark.parametrize(
    "password", ["correct horse", "مستشفى قطر ٢٠٢٦", "x7!kq-lampe", "y" * 250 + "zab", "🩺🩺🩺🩺🩺 ok no"]
)
def test_length_is_enough(password: str) -> None:
    rules.check_password(password, email=EMAIL)


def test_the_list_of_common_passwords_is_short_and_holds_only_what_length_lets_through() -> None:
    assert len(rules._COMMON) <= 200
    assert all(len(word) >= rules.SHORTEST_PASSWORD and word == word.casefold() for word in rules._COMMON)


@pytest.mark.parametrize(
    "text", ["", "amina", "@example.org", "amina@", "a@b@c", "a b@c.d", "a\x00@b.c", "a@b.c\n" * 2, "x" * 65 + "@b.c"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidEmail):
        rules.mailbox(text)


@pytest.mark.parametrize("text", [" amina@example.org ", "أمينة@مثال.قطر", "a.b+c@sub.example.org"])
def test_an_address_is_kept_as_it_was_written(text: str) -> None:
    assert rules.mailbox(text) == text.strip()


@given(st.emails())
def test_capitals_make_no_other_person(email: str) -> None:
    assert rules.email_key(email) == rules.email_key(email.upper()) == rules.email_key(f" {email} ")


SITE = "https://queue.example.org"


@pytest.mark.parametrize(
    ("fetch_site", "origin", "expected"),
    [
        ("same-origin", None, True),
        ("none", None, True),
        ("same-site", SITE, False),
        ("cross-site", SITE, False),
        ("nonsense", None, False),
        (None, SITE, True),
        (None, "HTTPS://QUEUE.EXAMPLE.ORG", True),
        (None, "http://queue.example.org", False),
        (None, "https://evil.example", False),
        (None, "https://queue.example.org.evil.example", False),
        (None, "null", False),
        (None, "", False),
        (None, None, None),
    ],
)
def test_where_a_request_came_from(fetch_site: str | None, origin: str | None, expected: bool | None) -> None:
    assert rules.same_origin(fetch_site=fetch_site, origin=origin, origins={SITE}) is expected


def test_only_https_gets_the_strict_cookie_names() -> None:
    assert rules.cookie_name(secure=True) == "__Host-dawr"
    assert rules.cookie_name(secure=False) == "dawr"
    assert rules.device_cookie_name(secure=True).startswith("__Host-")
