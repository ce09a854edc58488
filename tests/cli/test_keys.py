"""``dawr keys``: everything sealed with an earlier key is sealed anew, and then that key may go."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from dawr.cli_keys import PLACES
from dawr.platform import keyguard, resealing
from dawr.platform.clock import SystemClock
from dawr.platform.crypto import CannotOpenError, Keyring
from dawr.platform.ids import new_id
from dawr.platform.keyguard import code_of
from dawr.platform.schema import metadata
from tests.cli.conftest import Dawr

Owner = psycopg.Connection[tuple[Any, ...]]
FACILITY = UUID("01900000-0000-7000-8000-000000000001")
ACCOUNT = UUID("01900000-0000-7000-8000-000000000002")
# Sealed with a patient's own key: that key's wrapping is what is sealed anew.
OWN = {
    "patient_access.reason_sealed",
    "visit_reason.reason_sealed",
    *(f"patient.{one.name}" for one in metadata.tables["patient"].columns if one.name.endswith("_sealed")),
}


@pytest.fixture
def owner(dawr: Dawr) -> Iterator[Owner]:
    """A connection to the program's database, inside a facility of its own."""
    with psycopg.connect(dawr.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SELECT set_config('dawr.facility', %s, false)", (str(FACILITY),))
        connection.execute("INSERT INTO directory.facility (facility_id, slug) VALUES (%s, 'house')", (FACILITY,))
        yield connection


def keyring(dawr: Dawr) -> Keyring:
    return Keyring.load_or_create(Path(dawr.environment["DAWR_DATA_DIR"]) / "keys.json")


def wrapped(owner: Owner, keys: Keyring, count: int) -> dict[UUID, str]:
    """Patients with keys that this keyring wrapped, as texts by their ids."""
    texts = {new_id(SystemClock().now()): f"secret {n}" for n in range(count)}
    for patient, text in texts.items():
        sealed = keys.seal(text, facility=str(FACILITY), where=f"patient_key.wrapped:{patient}")
        owner.execute(
            "INSERT INTO patient (facility_id, patient, survivor, created_at, version) VALUES (%s, %s, %s, now(), 1)",
            (FACILITY, patient, patient),
        )
        owner.execute("INSERT INTO patient_key VALUES (%s, %s, %s)", (FACILITY, patient, sealed))
    return texts


def opened(owner: Owner, keys: Keyring) -> dict[UUID, str]:
    rows = owner.execute("SELECT patient, wrapped FROM patient_key ORDER BY patient").fetchall()
    return {
        UUID(str(patient)): keys.open(bytes(sealed), facility=str(FACILITY), where=f"patient_key.wrapped:{patient}")
        for patient, sealed in rows
    }


def test_every_sealed_column_is_sealed_anew() -> None:
    sealed = {f"{table.fullname}.{one.name}" for table in metadata.tables.values() for one in table.columns}
    wanted = {one for one in sealed if one.endswith("_sealed")} - OWN
    assert sorted(wanted - {place.name for place in PLACES}) == []
    assert sorted({place.name for place in PLACES} - sealed) == []


def test_all_values_are_sealed_with_the_new_key(dawr: Dawr, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 3)
    texts = wrapped(owner, keyring(dawr), 7)
    answer = dawr("keys", "rotate")
    assert (answer.code, answer.errors) == (0, "")
    assert "patient_key.wrapped: 7 of 7" in answer.output
    assert "7 values are sealed with key 2." in answer.output
    assert opened(owner, keyring(dawr).retire(1)) == texts


def test_the_staff_s_names_too(dawr: Dawr, owner: Owner) -> None:
    before = keyring(dawr)
    sealed = [
        before.seal(f"Rui {one}", facility="", where=f"account.{one}:{ACCOUNT}") for one in ("email", "display_name")
    ]
    owner.execute(
        "INSERT INTO directory.account (account_id, email, email_index, display_name, password_hash, created_at)"
        " VALUES (%s, %s, 'x', %s, '$argon2id$x', now())",
        (ACCOUNT, *sealed),
    )
    assert dawr("keys", "rotate").code == 0
    row = owner.execute("SELECT email FROM directory.account").fetchone()
    assert row is not None
    assert keyring(dawr).retire(1).open(row[0], facility="", where=f"account.email:{ACCOUNT}") == "Rui email"


def test_a_run_that_was_cut_short_goes_on_without_another_key(dawr: Dawr, owner: Owner) -> None:
    texts = wrapped(owner, keyring(dawr), 2)
    rotated = keyring(dawr).rotate()
    rotated.save(Path(dawr.environment["DAWR_DATA_DIR"]) / "keys.json")
    more = wrapped(owner, rotated, 1)
    assert "2 values are sealed with key 2." in dawr("keys", "rotate").output
    assert keyring(dawr).key_ids == (1, 2)
    assert opened(owner, keyring(dawr).retire(1)) == texts | more


def running(owner: Owner, *key_ids: int, primary: int = 1, ago: int = 0) -> None:
    """A server holds these keys, and was last heard of so many seconds ago."""
    owner.execute("DELETE FROM key_holder")
    owner.execute(
        "INSERT INTO key_holder VALUES (gen_random_uuid(), %s, %s, clock_timestamp() - make_interval(secs => %s))",
        (list(key_ids), primary, ago),
    )


def test_a_server_that_does_not_know_the_key_comes_first_however_long_it_runs(dawr: Dawr, owner: Owner) -> None:
    before = keyring(dawr)
    texts = wrapped(owner, before, 1)
    running(owner, 1)
    for _ in range(2):
        answer = dawr("keys", "rotate")
        assert (answer.code, "Start them again" in answer.errors) == (1, True)
        assert opened(owner, before) == texts
    running(owner, 1, 2, primary=2)
    assert dawr("keys", "rotate").code == 0
    assert keyring(dawr).key_ids == (1, 2)
    assert opened(owner, keyring(dawr).retire(1)) == texts


def test_a_key_is_not_promoted_before_every_server_knows_it(dawr: Dawr, owner: Owner) -> None:
    keyring(dawr)
    assert dawr("admin", "keys", "add").code == 0
    running(owner, 1)
    answer = dawr("admin", "keys", "promote", "2")
    assert (answer.code, "do not know key 2 yet" in answer.errors) == (1, True)
    assert keyring(dawr).primary_id == 1
    running(owner, 1, 2)
    assert dawr("admin", "keys", "promote", "2").code == 0
    assert keyring(dawr).primary_id == 2


def test_both_steps_at_once_wait_until_nobody_runs(dawr: Dawr, owner: Owner) -> None:
    keyring(dawr)
    running(owner, 1)
    answer = dawr("admin", "keys", "rotate")
    assert (answer.code, "1 servers and workers are running" in answer.errors) == (1, True)
    assert keyring(dawr).key_ids == (1,)
    running(owner, 1, ago=keyguard.LIVES_SECONDS + 1)
    assert dawr("admin", "keys", "rotate").code == 0
    assert keyring(dawr).primary_id == 2


def test_a_key_of_a_setting_neither(dawr: Dawr, owner: Owner) -> None:
    added = Keyring.generate().add().to_setting()
    running(owner, 1)
    for change in ("promote 2", "rotate"):
        answer = dawr("admin", "keys", *change.split(), DAWR_KEYS=added)
        assert (answer.code, answer.output) == (1, "")


@pytest.mark.parametrize("command", ["admin facility list", "export doctors --facility nowhere"])
def test_every_program_says_which_keys_it_holds(dawr: Dawr, owner: Owner, command: str) -> None:
    owner.execute("CREATE RULE kept AS ON DELETE TO key_holder DO INSTEAD NOTHING")
    dawr(*command.split())
    assert owner.execute("SELECT key_ids, primary_id FROM key_holder").fetchall() == [([1], 1)]


def test_who_has_not_been_heard_of_for_a_minute_is_not_waited_for(dawr: Dawr, owner: Owner) -> None:
    texts = wrapped(owner, keyring(dawr), 1)
    running(owner, 1, ago=keyguard.LIVES_SECONDS + 1)
    assert dawr("keys", "rotate").code == 0
    assert opened(owner, keyring(dawr).retire(1)) == texts


@pytest.mark.parametrize("key_ids", [(1,), (1, 2)])
def test_a_key_that_a_server_still_seals_with_stays(dawr: Dawr, owner: Owner, key_ids: tuple[int, ...]) -> None:
    assert dawr("keys", "rotate").code == 0
    running(owner, *key_ids)
    answer = dawr("keys", "retire", "1", "--at-once")
    assert (answer.code, "still go by key 1" in answer.errors) == (1, True)
    assert keyring(dawr).key_ids == (1, 2)


def test_a_value_no_key_opens_is_told_and_left(dawr: Dawr, owner: Owner) -> None:
    wrapped(owner, keyring(dawr), 1)
    stray = wrapped(owner, Keyring.generate(), 1)
    answer = dawr("keys", "rotate")
    assert answer.code == 1
    assert "1 values are sealed with key 2." in answer.output
    assert "1 values open with none of the keys" in answer.errors
    assert len(stray) == 1


def test_a_key_that_still_seals_something_stays(dawr: Dawr, owner: Owner) -> None:
    wrapped(owner, keyring(dawr), 1)
    dawr("admin", "keys", "rotate")
    answer = dawr("keys", "retire", "1", "--at-once")
    assert answer.code == 1
    assert "patient_key.wrapped 1" in answer.errors
    assert keyring(dawr).key_ids == (1, 2)


def test_what_it_made_runs_out_first(dawr: Dawr) -> None:
    dawr("admin", "keys", "rotate")
    assert "younger than 2 days" in dawr("keys", "retire", "1").errors
    assert keyring(dawr).key_ids == (1, 2)


def test_a_key_that_nothing_needs_goes(dawr: Dawr, owner: Owner) -> None:
    texts, first = wrapped(owner, keyring(dawr), 1), keyring(dawr)
    owner.execute("INSERT INTO installation (key_id, code) VALUES (%s, %s)", code_of(first))
    dawr("keys", "rotate")
    answer = dawr("keys", "retire", "1", "--at-once")
    assert (answer.code, keyring(dawr).key_ids) == (0, (2,))
    assert opened(owner, keyring(dawr)) == texts
    with pytest.raises(CannotOpenError):
        opened(owner, first)
    assert dawr("demo").code == 0


def test_a_request_known_by_a_retired_key_is_refused_and_not_done_twice(dawr: Dawr, owner: Owner) -> None:
    owner.execute(
        "INSERT INTO idempotency_claim (facility_id, caller, key, key_id, fingerprint, at)"
        " VALUES (%s, 'public', 'k', 1, 'f', %s)",
        (FACILITY, SystemClock().now() - timedelta(days=9)),
    )
    dawr("admin", "keys", "rotate")
    assert "1 requests made with it" in dawr("keys", "retire", "1", "--at-once").output
    row = owner.execute("SELECT key_id, length(fingerprint) FROM idempotency_claim").fetchone()
    assert row == (2, 32)


def test_the_present_key_cannot_go(dawr: Dawr) -> None:
    keyring(dawr)
    assert "primary key cannot be retired" in dawr("keys", "retire", "1").errors


def test_other_keys_change_nothing(dawr: Dawr, owner: Owner) -> None:
    owner.execute("INSERT INTO installation (key_id, code) VALUES (%s, %s)", code_of(Keyring.generate()))
    assert "not the keys this database was written with" in dawr("keys", "rotate").errors
    assert keyring(dawr).key_ids == (1,)


def test_keys_in_a_setting_are_not_made_here(dawr: Dawr) -> None:
    answer = dawr("keys", "rotate", DAWR_KEYS=Keyring.generate().to_setting())
    assert (answer.code, "dawr admin keys add" in answer.errors) == (1, True)
