"""Redaction: what describes a person or opens a door does not come out, what finds a fault does."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.platform.crypto import KeyFileError
from dawr.platform.errors import Conflict
from dawr.platform.redaction import REDACTED, describe, is_personal, mask, redact, safe


@dataclass
class Patient:
    name: str


class State(Enum):
    WAITING = "waiting"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("called +974 5551 2345 twice", "2345"),
        ("called 55512345", "55512345"),
        ("called (0249) 91-234-5678", "5678"),
        ("identity 28412345678 refused", "28412345678"),
        ("رقم ٥٥٥١٢٣٤٥ مكرر", "٥٥٥١٢٣٤٥"),
        ("mail to amina.haddad@example.org failed", "amina"),
        ("mail to أمينة@example.org failed", "أمينة"),
        ("GET /t/Zk3-secret_x HTTP/1.1", "Zk3"),
        ("GET https://dawr.example/f/city/t/Zk3?x=1", "Zk3"),
        ("GET /patients?who=Amina&x=1 404", "Amina"),
        ("Authorization: Bearer abc.def-123", "abc.def"),
        ("sent bearer abcdef123456", "abcdef"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln expired", "eyJ"),
        ("cannot reach postgresql://dawr:hunter2@db/dawr", "hunter2"),
        ("Patient(name='Amina Haddad', id=1)", "Amina"),
        ('{"phone": "abc", "national_id": "xyz"}', "xyz"),
        ("password=hunter2, retry", "hunter2"),
        ("patient_name: Amina", "Amina"),
        ("Key (who)=(Amina Haddad) already exists.", "Haddad"),
        ("Failing row contains (1, Amina, null).", "Amina"),
        ("notes='chest pain", "chest"),
    ],
)
def test_patterns_are_hidden(text: str, hidden: str) -> None:
    assert hidden in text
    assert hidden not in mask(text)
    assert REDACTED in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "ticket 019aa5f2-1234-7000-8123-123456789012 called",
        "at 2026-11-21T23:07:00.150123 in series 2",
        "service day 2026-11-21, code LAB-031",
        "worker 12 took 450 ms on port 5432",
        "no such task: dawr.notifications.send",
        "SELECT id FROM patient WHERE name_index = %(name)s AND phone = %(phone)s",
        "connection to server at 127.0.0.1 failed",
    ],
)
def test_what_finds_a_fault_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "key",
    [
        "name",
        "patient_name",
        "patientName",
        "phone",
        "phoneNumber",
        "email",
        "password",
        "access_token",
        "refreshToken",
        "client_secret",
        "Authorization",
        "Set-Cookie",
        "national_id",
        "query",
        "notes",
        "note",
        "pin",
        "user",
        "api_key",
        "birth_date",
        "task_kwargs",
        "NAME",
        "X-CSRF-Token",
        "hostname_phone",
    ],
)
def test_personal_keys(key: str) -> None:
    assert is_personal(key)


@pytest.mark.parametrize(
    "key",
    [
        "task_name",
        "queue_name",
        "constraintName",
        "clinic",
        "ticket",
        "code",
        "milliseconds",
        "route",
        "hostname",
        "key_id",
        "user_agent",
        "path",
        "desk",
        "statement",
        "filename",
    ],
)
def test_technical_keys(key: str) -> None:
    assert not is_personal(key)


def test_fields_are_hidden_at_any_depth_and_absence_stays_visible() -> None:
    found = redact({"visit": {"patient": [{"name": "Amina", "id": 7}], "phone": None}, "ok": True})
    assert found == {"visit": {"patient": [{"name": REDACTED, "id": 7}], "phone": None}, "ok": True}


def test_objects_are_named_and_never_printed() -> None:
    assert safe(Patient("Amina")) == "<Patient>"
    assert safe([Patient("Amina"), b"Amina", object]) == ["<Patient>", "<bytes>", "<type>"]


def test_plain_values_come_out_readable() -> None:
    ticket = UUID("019aa5f2-1234-7000-8123-123456789012")
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    assert safe([1, 2.5, State.WAITING, ticket, moment]) == [
        1,
        2.5,
        "WAITING",
        str(ticket),
        "2026-11-21 00:00:00+00:00",
    ]


def test_a_long_number_is_a_phone_number_unless_its_key_counts_something() -> None:
    assert redact({"value": 97455512345, "memory_bytes": 200_000_000, "event_id": 123456789, "n": 31}) == {
        "value": REDACTED,
        "memory_bytes": 200_000_000,
        "event_id": 123456789,
        "n": 31,
    }


def test_bottomless_and_endless_values_have_an_end() -> None:
    loop: list[object] = ["x" * 100_000]
    loop += [loop] * 500
    assert len(json.dumps(safe(loop[:1]))) < 5000
    nested: dict[str, object] = {}
    for _ in range(100):
        nested = {"a": nested}
    assert json.dumps(safe(nested)).count("a") < 10


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["1 ", "a@", "name=", "?a=", "(", "-1.", "eyJ.", "/t/", '"name":"'])
def test_no_text_makes_it_slow(piece: str) -> None:
    for _ in range(20):
        mask(piece * 10_000)


def test_exceptions_are_described_without_their_words() -> None:
    assert describe(ValueError("Amina Haddad")) == REDACTED
    assert describe(KeyError("Amina")) == REDACTED
    assert describe(Conflict("%(name)s is waiting", params={"name": "Amina"})) == "conflict"
    assert describe(FileNotFoundError(2, "No such file", "/var/amina.pdf")) == "No such file or directory"
    assert describe(KeyFileError("two keys have the same id")) == "two keys have the same id"
    assert describe(psycopg.OperationalError("connection to 10.0.0.1 failed\nAmina")) == "connection to 10.0.0.1 failed"


async def test_database_errors_keep_their_state_and_constraint(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("CREATE TEMPORARY TABLE person (name text CONSTRAINT one_name UNIQUE)")
        await connection.execute("INSERT INTO person VALUES ('Amina')")
        with pytest.raises(psycopg.errors.UniqueViolation) as caught:
            await connection.execute("INSERT INTO person VALUES ('Amina')")
        assert describe(caught.value) == "23505 person one_name"
        await connection.rollback()


CANARY = "Zainab Q. Canary"
PERSONAL_KEYS = ["name", "phone", "email", "password", "token", "secret", "authorization", "cookie", "national_id"]
keys = st.sampled_from([*PERSONAL_KEYS, "query", "notes", "patient_name", "accessToken"])
secrets = st.dictionaries(
    keys, st.sampled_from([CANARY, [CANARY], {"first": CANARY}, CANARY.encode(), Patient(CANARY)])
)
trees = st.recursive(
    secrets | st.just(Patient(CANARY)) | st.just(ValueError(CANARY)) | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), trees, max_size=4), secrets)
def test_no_canary_survives(fields: dict[str, object], more: dict[str, object]) -> None:
    assert "Canary" not in json.dumps(redact(fields | more))


@given(
    st.from_regex(r"\+?[0-9]{2,3}([ -]?[0-9]{2,4}){2,3}", fullmatch=True), st.text(max_size=20), st.text(max_size=20)
)
def test_no_phone_number_survives_in_a_text(phone: str, before: str, after: str) -> None:
    digits = re.sub(r"\D", "", phone)
    if len(digits) < 7 or phone.startswith("20"):
        return
    assert phone not in mask(f"{before} {phone} {after}")


PIECES = [
    "name",
    "=",
    ": ",
    "'",
    '"',
    "[redacted]",
    "Amina",
    "+974 5551",
    "2345",
    "?",
    "a@b",
    "/t/",
    "Bearer ",
    "eyJ",
    ".",
    ",",
    " ",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=20).map("".join))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)
