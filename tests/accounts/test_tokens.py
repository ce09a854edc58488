"""What was not made with our keys, for this use and for now, is nobody's."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

from dawr.accounts import tokens
from dawr.platform.crypto import Keyring
from dawr.platform.errors import Unauthenticated

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
LIVES = timedelta(minutes=15)
SESSION = uuid4()
KEYRING = Keyring.generate()


def token(keyring: Keyring = KEYRING) -> str:
    return tokens.signed(keyring, account_id=uuid4(), session_id=SESSION, now=NOW, lives=LIVES)


def made(header: dict[str, Any] | None = None, key: bytes | None = None, **claims: Any) -> str:
    """A token like ours but for what is named; a claim of None is left out."""
    issued = int(NOW.timestamp())
    ours = {"iss": tokens.ISSUER, "aud": tokens.AUDIENCE, "sub": str(uuid4()), "sid": str(SESSION), "iat": issued}
    all_claims = ours | {"exp": issued + 900} | claims
    kept = {name: value for name, value in all_claims.items() if value is not None}
    full = {"alg": "HS256", "kid": "1", "typ": tokens.TYPE} | (header or {})
    secret = key or KEYRING.derive("access-token", 1)
    return jwt.encode(
        {name: value for name, value in full.items() if value is not None},
        kept,
        OctKey.import_key(secret),
        [full["alg"]],
        default_type=None,
    )


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def refused(text: str, *, keyring: Keyring = KEYRING, now: datetime = NOW) -> bool:
    try:
        tokens.session_of(keyring, text, now=now)
    except Unauthenticated:
        return True
    return False


def test_our_own_token_names_its_session() -> None:
    assert tokens.session_of(KEYRING, token(), now=NOW) == SESSION
    assert tokens.session_of(KEYRING, made(), now=NOW) == SESSION


def test_it_is_good_to_its_last_second_and_no_longer() -> None:
    assert not refused(token(), now=NOW + LIVES - timedelta(seconds=1))
    assert refused(token(), now=NOW + LIVES)


def test_a_server_whose_clock_is_behind_takes_it() -> None:
    assert not refused(token(), now=NOW - timedelta(minutes=5))


@pytest.mark.parametrize(
    "forged",
    [
        made(key=b"k" * 32),
        made(key=KEYRING.derive("mac/csrf", 1)),
        made({"kid": "2"}),
        made({"kid": "one"}),
        made({"kid": None}),
        made({"kid": "-1"}),
        made({"alg": "HS384"}),
        made({"typ": "JWT"}),
        made({"typ": None}),
        made(iss="somebody"),
        made(aud="another-api"),
        made(iss=None),
        made(aud=None),
        made(exp=None),
        made(sid=None),
        made(sid="not-a-session"),
        made(sid=5),
        made(exp="tomorrow"),
    ],
)
def test_whatever_differs_from_ours_is_refused(forged: str) -> None:
    assert refused(forged)


def test_a_token_without_signature_is_refused() -> None:
    _, claims, _ = token().split(".")
    for algorithm in ("none", "None", "NONE", ""):
        for signature in ("", "c2lnbmVk"):
            assert refused(f"{part({'alg': algorithm, 'kid': '1', 'typ': tokens.TYPE})}.{claims}.{signature}")


@given(st.integers(0, 10_000), st.characters(codec="ascii"))
def test_one_changed_character_is_enough(place: int, character: str) -> None:
    text = token()
    place %= len(text)
    changed = text[:place] + character + text[place + 1 :]
    assert changed == text or refused(changed)


@given(st.text(max_size=300))
def test_any_other_text_is_refused(text: str) -> None:
    assert refused(text)
    assert refused(f"{part({'alg': 'HS256', 'kid': '1'})}.{text}.{text}")


def test_a_very_long_token_is_not_looked_at() -> None:
    assert refused(token() + "A" * 3000)


def test_keys_rotate_and_retire() -> None:
    rotated = KEYRING.rotate()
    assert not refused(token(), keyring=rotated)
    assert not refused(token(rotated), keyring=rotated)
    assert refused(token(rotated), keyring=KEYRING)
    assert refused(token(), keyring=rotated.retire(1))


@given(st.uuids(), st.binary(min_size=32, max_size=32))
def test_a_session_and_its_secret_travel_as_one_text(session_id: UUID, secret: bytes) -> None:
    text = tokens.packed(session_id, secret)
    assert len(text) == 64
    assert tokens.unpacked(text) == (session_id, secret)


@given(st.text(max_size=80))
def test_any_other_text_is_no_session(text: str) -> None:
    found = tokens.unpacked(text)
    assert found is None or tokens.packed(*found) == text


@given(st.uuids(), st.binary(min_size=32, max_size=32))
def test_the_secret_after_one_is_always_the_same_and_only_ours(session_id: UUID, secret: bytes) -> None:
    following = tokens.following(KEYRING, session_id, secret)
    assert following == tokens.following(KEYRING, session_id, secret) != secret
    assert following != tokens.following(Keyring.generate(), session_id, secret)
    assert following != tokens.following(KEYRING, uuid4(), secret)


def test_a_csrf_token_fits_its_own_session_alone() -> None:
    text = tokens.csrf(KEYRING, SESSION)
    assert tokens.csrf_fits(KEYRING, SESSION, text)
    assert tokens.csrf_fits(KEYRING.rotate(), SESSION, text)
    assert not tokens.csrf_fits(KEYRING, uuid4(), text)
    assert not tokens.csrf_fits(Keyring.generate(), SESSION, text)
    assert not any(tokens.csrf_fits(KEYRING, SESSION, other) for other in ("", text[:-1], text + "A", "é" * 48))


def test_a_device_is_known_for_those_who_signed_in_on_it() -> None:
    amina, rui, sam = uuid4(), uuid4(), uuid4()
    shared = tokens.with_device(KEYRING, tokens.with_device(KEYRING, None, amina), rui)
    assert tokens.known_device(KEYRING, shared, amina)
    assert tokens.known_device(KEYRING, shared, rui)
    assert tokens.known_device(KEYRING, shared, sam) is None
    assert tokens.known_device(Keyring.generate(), shared, amina) is None
    assert tokens.known_device(KEYRING, None, amina) is None


def test_signing_in_again_keeps_the_device_and_its_count() -> None:
    amina = uuid4()
    cookie = tokens.with_device(KEYRING, None, amina)
    assert tokens.with_device(KEYRING, cookie, amina) == cookie


def test_the_cookie_of_a_shared_desk_does_not_grow_for_ever() -> None:
    people, cookie = [uuid4() for _ in range(12)], None
    for one in people:
        cookie = tokens.with_device(KEYRING, cookie, one)
    known = [tokens.known_device(KEYRING, cookie, one) is not None for one in people]
    assert known == [False] * 4 + [True] * 8
