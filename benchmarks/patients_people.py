"""Patients in bulk, as the product would have registered them: sealed under keys of their own, found by the same tokens.

Rows go in by COPY, past the checks of foreign keys; every key, sealed field and token is what the product's own code makes.
Words of names come from few lists, the first of each far more often than the last, so that some beginnings have very many
people and others few.
"""

import functools
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg

from dawr.patients.fields import SEALED, sealed
from dawr.patients.phones import region_of
from dawr.patients.rules import Gender, Identity
from dawr.patients.rules_names import beginnings, keys, plain_words
from dawr.patients.tokens import Entry, Token, Tokens, written
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
    "patient_index": ("facility_id", "kind", "token", "bloom", "patient"),
}
# Sorted once they are all there, instead of one by one into indexes that have long left the cache.
_LATER = "patient_index"
_DEFINED = """
SELECT 'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || conname || ' ' || pg_get_constraintdef(oid) AS made,
       'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || conname AS gone
FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype = 'p'
UNION ALL
SELECT pg_get_indexdef(indexrelid), 'DROP INDEX ' || indexrelid::regclass
FROM pg_index WHERE indrelid = %(table)s::regclass AND NOT indisprimary
"""

_plain = functools.lru_cache(maxsize=None)(plain_words)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a measurement looks for."""

    patient: UUID
    identity: Identity


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows as COPY reads them, by table, and some of the people in them."""

    copies: dict[str, bytes]
    people: list[Person]


class Bulk:
    """Writes patients into the default facility of a running program. ``sample`` keeps some of them to be looked for."""

    def __init__(self, program: Program, *, sample: int) -> None:
        self._url = running_url(program.data_folder / "postgres")
        self._keys = (program.data_folder / "keys.json").read_text("utf-8")
        self._sample = sample
        self.people: list[Person] = []

    def write(self, count: int) -> None:
        """``count`` patients, then statistics as a server that has run for a day has them."""
        assert self._url is not None
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute("SELECT facility_id, zone FROM facility WHERE slug = 'mmc'").fetchone()
            assert row is not None
            self._maker = Maker(self._keys, *row, keep_each=max(1, count // self._sample))
            for setting in (
                "session_replication_role = replica",
                "synchronous_commit = off",
                "maintenance_work_mem = '1GB'",
            ):
                connection.execute(f"SET {setting}".encode())
            later = connection.execute(_DEFINED, {"table": _LATER}).fetchall()
            for _, gone in later:
                connection.execute(gone)
            self._copy(connection, count)
            for made, _ in later:
                connection.execute(made)
            connection.execute("VACUUM (ANALYZE) patient, patient_key, patient_index")

    def _copy(self, connection: psycopg.Connection, count: int) -> None:
        """Made by every core, a few chunks ahead of the database."""
        chunks = [range(start, min(count, start + CHUNK)) for start in range(0, count, CHUNK)]
        cores = multiprocessing.get_context("forkserver")
        with cores.Pool(initializer=_begin_making, initargs=(self._maker,)) as pool:
            for chunk in pool.imap(_make, chunks):
                self.people += chunk.people
                for table, rows in chunk.copies.items():
                    with connection.cursor().copy(f"COPY {table} ({', '.join(_TABLES[table])}) FROM STDIN") as copy:
                        copy.write(rows)

    def differs(self) -> list[str]:
        """Whose tokens here are not those that the product makes; nobody's."""
        return [str(one.patient) for one in self.people[:200] if self._maker.differs(one.identity)]


class Maker:
    """Makes people, and the rows that the product would have written of them. Each chunk is the same whoever makes it."""

    def __init__(self, keys: str, facility: UUID, zone: str, *, keep_each: int) -> None:
        self._given = (keys, facility, zone, keep_each)
        self._facility, self._keep_each = facility, keep_each
        self._keyring = Keyring.from_json(keys)
        self._tokens = Tokens(self._keyring, str(facility), region_of(zone))
        self._named = functools.lru_cache(maxsize=None)(self._named_of)
        self._chance = random.Random()

    def __reduce__(self) -> tuple[object, ...]:
        keys, facility, zone, keep_each = self._given
        return functools.partial(Maker, keep_each=keep_each), (keys, facility, zone)

    def chunk(self, numbers: Sequence[int]) -> Chunk:
        self._chance.seed(numbers[0])
        rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _TABLES}
        now, people = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=numbers[0]), list[Person]()
        for n in numbers:
            patient, identity = new_id(now + timedelta(milliseconds=n)), self._identity(n)
            key = PatientKey.generate(facility=self._facility, patient=patient)
            fields = sealed(identity, key)
            rows["patient"].append((self._facility, patient, patient, now, 1, *(fields[one] for one in SEALED)))
            rows["patient_key"].append((self._facility, patient, key.wrap(self._keyring)))
            rows["patient_index"] += [
                (self._facility, kind, token, bloom, patient) for kind, token, bloom in self._entries(identity)
            ]
            if n % self._keep_each == 0:
                people.append(Person(patient, identity))
        return Chunk({table: "".join(map(_line, some)).encode() for table, some in rows.items()}, people)

    def differs(self, identity: Identity) -> bool:
        return set(self._entries(identity)) != self._tokens.entries(identity)

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

    def _entries(self, identity: Identity) -> Iterator[Entry]:
        """As ``Tokens.entries``, with what is the same for many made once: words are few, and the forms of a number known."""
        phone = identity.phones[0]
        found, bits = set[Token](), 0
        found |= {self._tokens.token("phone", one) for one in (phone[1:], phone[4:])}
        found |= self._tokens.numbers(identity.record_number)
        for name in identity.spellings:
            words = name.split()
            for word in words:
                tokens, of_word = self._named(word)
                found |= tokens
                bits |= of_word
            plain = " ".join(sorted(one for word in words for one in _plain(word)))
            found.add(self._tokens.token("person", f"{plain}|{identity.year}"))
        bloom = written(bits)
        return ((kind, code, bloom if kind == "name" else None) for kind, code in found)

    def _named_of(self, word: str) -> tuple[frozenset[Token], int]:
        return frozenset(self._tokens.names(keys(word))), self._tokens.bits(beginnings(word))


_making: list[Maker] = []


def _begin_making(maker: Maker) -> None:
    _making.append(maker)


def _make(numbers: Sequence[int]) -> Chunk:
    return _making[0].chunk(numbers)


def _line(row: Sequence[object]) -> str:
    return "\t".join(map(_value, row)) + "\n"


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return f"\\\\x{value.hex()}"
    return "\\N" if value is None else str(value)
