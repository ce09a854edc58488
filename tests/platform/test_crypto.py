"""The keyring: what it seals opens only where it belongs, and keys change without anything being lost."""

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.platform.crypto import CannotOpenError, KeyFileError, Keyring, KeyringError, UnknownKeyError

RING = Keyring.generate()
ROTATED = RING.rotate()
texts = st.text(st.characters(codec="utf-8"), max_size=200)
short = st.text(st.characters(codec="utf-8"), max_size=12)
WHERE = "patient.phone:42"


@given(texts, short, short)
def test_what_is_sealed_opens_at_its_place(text: str, facility: str, where: str) -> None:
    assert RING.open(RING.seal(text, facility=facility, where=where), facility=facility, where=where) == text


@given(texts, st.tuples(short, short), st.tuples(short, short))
def test_it_opens_at_no_other_place(text: str, home: tuple[str, str], other: tuple[str, str]) -> None:
    sealed = RING.seal(text, facility=home[0], where=home[1])
    if home == other:
        return
    with pytest.raises(CannotOpenError):
        RING.open(sealed, facility=other[0], where=other[1])


def test_place_and_facility_cannot_be_shifted_into_each_other() -> None:
    sealed = RING.seal("Amina", facility="a", where="b|c")
    with pytest.raises(CannotOpenError):
        RING.open(sealed, facility="a|b", where="c")
    assert RING.blind("c", facility="a", where="b") != RING.blind("bc", facility="a", where="")


@given(texts, st.data())
def test_any_changed_bit_is_noticed(text: str, data: st.DataObject) -> None:
    sealed = bytearray(RING.seal(text, facility="mmc", where=WHERE))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises(CannotOpenError):
        RING.open(bytes(sealed), facility="mmc", where=WHERE)


@given(st.binary(max_size=80))
def test_bytes_that_were_never_sealed_are_refused(rubbish: bytes) -> None:
    with pytest.raises(CannotOpenError):
        RING.open(rubbish, facility="mmc", where=WHERE)


@given(texts, st.integers(1, 32))
def test_a_cut_value_is_refused(text: str, missing: int) -> None:
    with pytest.raises(CannotOpenError):
        RING.open(RING.seal(text, facility="mmc", where=WHERE)[:-missing], facility="mmc", where=WHERE)


def test_the_text_does_not_show_and_no_two_seals_are_alike() -> None:
    sealed = [RING.seal("Amina Haddad", facility="mmc", where=WHERE) for _ in range(50)]
    assert len(set(sealed)) == 50
    assert not any(b"Amina" in value for value in sealed)


def test_another_installation_opens_nothing() -> None:
    sealed = RING.seal("Amina", facility="mmc", where=WHERE)
    with pytest.raises(CannotOpenError):
        Keyring.generate().open(sealed, facility="mmc", where=WHERE)


def test_after_rotation_old_values_open_and_are_stale() -> None:
    before = RING.seal("Amina", facility="mmc", where=WHERE)
    after = ROTATED.seal("Amina", facility="mmc", where=WHERE)
    assert ROTATED.open(before, facility="mmc", where=WHERE) == "Amina"
    assert (ROTATED.stale(before), ROTATED.stale(after)) == (True, False)
    with pytest.raises(CannotOpenError, match="key 2"):
        RING.open(after, facility="mmc", where=WHERE)


def test_rotation_in_two_passes_leaves_no_server_without_the_key() -> None:
    added = RING.add(now=datetime(2026, 11, 21, tzinfo=UTC))
    promoted = added.promote(2)
    assert (added.primary_id, added.key_ids, promoted.primary_id) == (1, (1, 2), 2)
    assert added.created(2) == datetime(2026, 11, 21, tzinfo=UTC)
    sealed = promoted.seal("Amina", facility="mmc", where=WHERE)
    assert added.open(sealed, facility="mmc", where=WHERE) == "Amina"


def test_a_retired_key_opens_nothing_more() -> None:
    sealed = RING.seal("Amina", facility="mmc", where=WHERE)
    retired = ROTATED.retire(1)
    assert retired.key_ids == (2,)
    with pytest.raises(CannotOpenError):
        retired.open(sealed, facility="mmc", where=WHERE)
    with pytest.raises(KeyringError, match="primary"):
        ROTATED.retire(2)


def test_ids_are_not_used_twice_while_their_key_is_there() -> None:
    assert ROTATED.retire(1).rotate().key_ids == (2, 3)


@given(texts)
def test_the_blind_index_is_stable_and_survives_rotation(text: str) -> None:
    index = RING.blind(text, facility="mmc", where="patient.phone")
    assert len(index) == 16
    assert index == ROTATED.blind(text, facility="mmc", where="patient.phone")
    assert index != RING.blind(text, facility="city", where="patient.phone")
    assert index != RING.blind(text, facility="mmc", where="patient.name")


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_a_mac_holds_for_its_message_purpose_and_key(message: bytes, other: bytes) -> None:
    key_id, mac = ROTATED.mac("ticket", message)
    assert (key_id, len(mac)) == (2, 32)
    assert ROTATED.verify_mac("ticket", message, 2, mac)
    assert ROTATED.verify_mac("ticket", other, 2, mac) is (message == other)
    assert not ROTATED.verify_mac("csrf", message, 2, mac)
    assert not ROTATED.verify_mac("ticket", message, 1, mac)
    assert not ROTATED.verify_mac("ticket", message, 99, mac)


def test_a_mac_under_an_earlier_key_is_made_again() -> None:
    assert ROTATED.mac("ticket", b"id", key_id=1) == RING.mac("ticket", b"id")


def test_derived_keys_differ_by_purpose_and_key() -> None:
    keys = {ROTATED.derive(purpose, key_id) for purpose in ("access", "refresh", "seal") for key_id in (1, 2)}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}
    assert RING.derive("access", 1) == ROTATED.derive("access", 1)
    with pytest.raises(UnknownKeyError):
        RING.derive("access", 2)


def test_no_secret_is_used_as_it_stands() -> None:
    stored = json.loads(RING.to_json())
    raw = {base64.b64decode(stored["index"]), *(base64.b64decode(key["secret"]) for key in stored["keys"])}
    assert RING.derive("access", 1) not in raw


def test_json_and_setting_give_the_same_keyring_back() -> None:
    sealed = ROTATED.seal("Amina", facility="mmc", where=WHERE)
    for again in (Keyring.from_json(ROTATED.to_json()), Keyring.from_setting(ROTATED.to_setting())):
        assert again.open(sealed, facility="mmc", where=WHERE) == "Amina"
        assert again.to_json() == ROTATED.to_json()


def test_the_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys.json"
    first = Keyring.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keyring.load_or_create(path).to_json() == first.to_json()
    assert [entry.name for entry in path.parent.iterdir()] == ["keys.json"]


def test_starts_at_the_same_time_agree_on_the_keys(tmp_path: Path) -> None:
    for attempt in range(10):
        path = tmp_path / f"{attempt}.json"
        with ThreadPoolExecutor(8) as pool:
            rings = list(pool.map(Keyring.load_or_create, [path] * 8))
        assert len({ring.to_json() for ring in rings}) == 1


def test_saving_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    rotated = Keyring.load_or_create(path).rotate()
    rotated.save(path)
    assert Keyring.load_or_create(path).to_json() == rotated.to_json()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def _changed(**changes: object) -> str:
    return json.dumps(json.loads(ROTATED.to_json()) | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        _changed(version=2),
        _changed(primary=9),
        _changed(index="c2hvcnQ="),
        _changed(index="*"),
        _changed(keys=[]),
        _changed(keys=[*json.loads(RING.to_json())["keys"], *json.loads(ROTATED.to_json())["keys"]]),
        _changed(
            keys=[{"id": 2**32, "created": "2026-11-21T00:00:00+00:00", "secret": base64.b64encode(b"k" * 32).decode()}]
        ),
    ],
    ids=range(11),
)
def test_keys_in_a_wrong_form_are_refused(text: str) -> None:
    with pytest.raises(KeyFileError):
        Keyring.from_json(text)


def test_an_unreadable_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{broken")
    with pytest.raises(KeyFileError):
        Keyring.load_or_create(path)
    assert path.read_text() == "{broken"


def test_nothing_printed_shows_a_secret() -> None:
    stored = json.loads(RING.to_json())
    with pytest.raises(KeyFileError) as caught:
        Keyring.from_json(_changed(index=stored["index"][:-8]))
    shown = repr(RING) + repr(RING._keys) + str(caught.value) + repr(caught.value.__cause__)
    assert stored["keys"][0]["secret"] not in shown
    assert stored["index"][:-8] not in shown
