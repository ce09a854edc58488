"""Patients in bulk, as the product would have registered them: sealed under keys of their own, found by the same tokens.

Rows go in by COPY, past the checks of foreign keys; every key, sealed field and token is what the product's own code makes.
Words of names come from few lists, the first of each far more often than the last, so that some beginnings have very many
people and others few.
"""

import functools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg

from dawr.patients.fields import SEALED, sealed
from dawr.patients.phones import region_of
from dawr.patients.rules import Gender, Identity
from dawr.patients.rules_names import keys, plain_words
from dawr.patients.tokens import Token, Tokens
from dawr.patients.vault import PatientKey
from dawr.platform.crypto import Keyring
from dawr.platform.embedded_postgres_home import running_url
from dawr.platform.ids import new_id
from tests.proof.program import Program

FIRST = (
    *("Mohammed", "Ahmed", "Ali", "Fatima", "Maryam", "Aisha", "Omar", "Khalid", "Amina", "Yousef", "Noor", "Hassan"),
    *("Rahul", "Priya", "Anjali", "Sanjay", "Deepak", "Lakshmi", "Maria", "Jose", "John", "Grace", "Zubaida", "Ximena"),
)
ARABIC = ("محمد", "أحمد", "علي", "فاطمة", "مريم", "عائشة", "عمر", "خالد", "أمينة", "يوسف", "نور", "حسن")
_BEGIN = (
    "Al-",
    "Ba",
    "Cha",
    "Da",
    "Fer",
    "Gha",
    "Hu",
    "Ja",
    "Kha",
    "La",
    "Mo",
    "Na",
    "Pa",
    "Ra",
    "Sa",
    "Tha",
    "Va",
    "Ya",
    "Za",
)
_MIDDLE = ("bi", "da", "fi", "ha", "ki", "la", "ma", "ni", "ra", "sha", "ta", "wa")
_END = ("di", "l", "m", "n", "ni", "r", "ri", "sh", "war", "yan", "zi")
FAMILIES = tuple(begin + middle + end for middle in _MIDDLE for begin in _BEGIN for end in _END)
CHUNK = 10_000
_TABLES = {
    "patient": ("facility_id", "patient", "survivor", "created_at", "version", *SEALED),
    "patient_key": ("facility_id", "patient", "wrapped"),
    "patient_index": ("facility_id", "kind", "token", "patient"),
}


_plain = functools.lru_cache(maxsize=None)(plain_words)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a measurement looks for."""

    patient: UUID
    identity: Identity


class Bulk:
    """Writes patients into the default facility of a running program. ``sample`` keeps some of them to be looked for."""

    def __init__(self, program: Program, *, sample: int) -> None:
        self._url = running_url(program.data_folder / "postgres")
        self._keyring = Keyring.load_or_create(program.data_folder / "keys.json")
        self._chance = random.Random(7)
        self._sample = sample
        self.people: list[Person] = []

    def write(self, count: int) -> None:
        """``count`` patients, then statistics as a server that has run for a day has them."""
        assert self._url is not None
        with psycopg.connect(self._url) as connection:
            row = connection.execute("SELECT facility_id, zone FROM facility WHERE slug = 'mmc'").fetchone()
            assert row is not None
            self._tokens = Tokens(self._keyring, str(row[0]), region_of(row[1]))
            self._name_tokens = functools.lru_cache(maxsize=None)(self._tokens_of_word)
            connection.execute("SET session_replication_role = replica")
            for start in range(0, count, CHUNK):
                self._chunk(
                    connection, row[0], range(start, min(count, start + CHUNK)), keep_each=max(1, count // self._sample)
                )
                connection.commit()
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE) patient, patient_key, patient_index")

    def _chunk(self, connection: psycopg.Connection, facility: UUID, numbers: Sequence[int], *, keep_each: int) -> None:
        rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _TABLES}
        now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=numbers[0])
        for n in numbers:
            patient, identity = new_id(now + timedelta(milliseconds=n)), self._identity(n)
            key = PatientKey.generate(facility=facility, patient=patient)
            fields = sealed(identity, key)
            rows["patient"].append((facility, patient, patient, now, 1, *(fields[one] for one in SEALED)))
            rows["patient_key"].append((facility, patient, key.wrap(self._keyring)))
            rows["patient_index"] += [(facility, kind, token, patient) for kind, token in self._tokens_of(identity)]
            if n % keep_each == 0:
                self.people.append(Person(patient, identity))
        # Neighbours in the index are written together.
        rows["patient_index"].sort(key=lambda row: row[1:3])
        for table, columns in _TABLES.items():
            with connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows[table]:
                    copy.write_row(row)

    def _identity(self, n: int) -> Identity:
        first, father = self._often(len(FIRST)), self._often(len(FIRST))
        names = {"ar": f"{ARABIC[first]} {ARABIC[father]}"} if first < len(ARABIC) and father < len(ARABIC) else {}
        return Identity(
            name=f"{FIRST[first]} {FIRST[father]} {FAMILIES[self._often(len(FAMILIES))]}",
            names=names,
            birth_date=date(1940, 1, 1) + timedelta(days=self._chance.randrange(30_000)),
            gender=Gender.FEMALE if n % 2 else Gender.MALE,
            phones=(f"+974{30_000_000 + n}",),
            record_number=f"MR-{n:07}",
        )

    def _often(self, count: int) -> int:
        """A number below ``count``, low ones more often: a tenth of all people share the commonest of 24 names."""
        return int(count * self._chance.random() ** 2)

    def _tokens_of(self, identity: Identity) -> Iterator[Token]:
        """As ``Tokens.of``, with what is the same for many made once: there are few words, and each number's forms are known."""
        phone = identity.phones[0]
        found: set[Token] = {self._tokens.token("phone", one) for one in (phone[1:], phone[4:])}
        found |= self._tokens.numbers(identity.record_number)
        for name in identity.spellings:
            words = name.split()
            found |= {one for word in words for one in self._name_tokens(word)}
            plain = " ".join(sorted(one for word in words for one in _plain(word)))
            found.add(self._tokens.token("person", f"{plain}|{identity.year}"))
        return iter(found)

    def _tokens_of_word(self, word: str) -> frozenset[Token]:
        return frozenset(self._tokens.names(keys(word)))

    def differs(self) -> list[str]:
        """Whose tokens here are not those that the product makes; nobody's."""
        return [
            str(one.patient)
            for one in self.people[:200]
            if set(self._tokens_of(one.identity)) != self._tokens.of(one.identity)
        ]
