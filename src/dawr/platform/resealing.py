"""Seals stored values anew after the primary key has changed, and tells which keys are still needed.

Works under the owner of the tables, on a connection of its own, in small transactions: the app goes on meanwhile. Nothing is
remembered between runs: what is not sealed with the primary key is what is left to do, so a run that was cut short goes on
where it was. Rows that somebody else holds at the moment are passed over and done at the end, one by one.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from dawr.platform.crypto import CannotOpenError, Keyring
from dawr.platform.keyguard import HOLDERS_SEALING_WITH, HOLDERS_WITHOUT, KNOWN, OtherKeys, code_of, fits

BATCH = 500
_HASH_BYTES = 32
# The first byte says that the keyring sealed it, the next four with which key; what other keys sealed is none of ours.
_STALE = "get_byte({column}, 0) = 1 AND substring({column} FROM 2 FOR 4) <> %(key)s"
_WITH = "get_byte({column}, 0) = 1 AND substring({column} FROM 2 FOR 4) = %(key)s"
_COUNT = "SELECT count(*) FROM {table} WHERE {scope} AND {column} IS NOT NULL AND "
_BATCH = """
SELECT {keys}, {column} FROM {table}
WHERE {scope} AND {column} IS NOT NULL AND get_byte({column}, 0) = 1 AND substring({column} FROM 2 FOR 4) <> %(key)s
  AND {after}
ORDER BY {keys} LIMIT %(limit)s FOR NO KEY UPDATE {skip}
"""
_SAVE = "UPDATE {table} SET {column} = %s WHERE {scope} AND ({keys}) = ({marks})"
_FACILITIES = "SELECT facility_id FROM directory.facility ORDER BY no"
_FORGET_REPLAYS = """
UPDATE idempotency_claim SET key_id = %(primary)s, fingerprint = %(nothing)s
WHERE facility_id = current_setting('dawr.facility')::uuid AND key_id = %(key)s
"""
_REPLAYS = """
SELECT count(*) FROM idempotency_claim
WHERE facility_id = current_setting('dawr.facility')::uuid AND key_id = %(key)s
"""
_REMEMBER = "UPDATE installation SET key_id = %(key_id)s, code = %(code)s"
Connection = psycopg.Connection[tuple[object, ...]]
Told = Callable[[str, int, int], None]
"""Called after each batch with the column's name, how many are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column that the keyring seals. ``where`` is what it was sealed with, with the key's columns in braces; ``of_facility``
    is false for a table of the whole installation, whose values are sealed for the facility ``""``."""

    table: str
    column: str
    keys: tuple[str, ...]
    where: str
    of_facility: bool = True

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(slots=True)
class Outcome:
    done: int = 0
    unreadable: int = 0


class Resealing:
    """``connection`` belongs to the owner of the tables and is in autocommit: each batch is a transaction of its own."""

    def __init__(self, connection: Connection, keyring: Keyring, places: Sequence[Sealed]) -> None:
        self._connection = connection
        self._keyring = keyring
        self._places = places

    def stale(self) -> dict[Sealed, int]:
        """How many values of each column are not sealed with the primary key."""
        return {
            place: sum(self._count(place, one, _STALE, None) for one in self._scopes(place)) for place in self._places
        }

    def used(self, key_id: int) -> dict[Sealed, int]:
        """How many values of each column this key sealed."""
        counts = {
            place: sum(self._count(place, one, _WITH, key_id) for one in self._scopes(place)) for place in self._places
        }
        return {place: count for place, count in counts.items() if count}

    def require_same_keys(self) -> None:
        """``OtherKeys`` where the database was written with others."""
        with self._connection.cursor(row_factory=dict_row) as cursor:
            known = cursor.execute(KNOWN).fetchone()
        if known and not fits(self._keyring, known):
            raise OtherKeys

    def holders_without(self, key_id: int) -> int:
        """How many running processes do not know this key: they cannot open what it seals."""
        return self._counted(HOLDERS_WITHOUT, key_id)

    def holders_sealing_with(self, key_id: int) -> int:
        """How many running processes seal with this key."""
        return self._counted(HOLDERS_SEALING_WITH, key_id)

    def _counted(self, question: LiteralString, key_id: int) -> int:
        row = self._connection.execute(question, {"key": key_id}).fetchone()
        return int(str(row[0])) if row else 0

    def run(self, told: Told) -> Outcome:
        """Seals anew what another key than the primary one sealed."""
        outcome = Outcome()
        for place, many in self.stale().items():
            done = 0
            for facility in self._scopes(place) if many else ():
                for count in self._column(place, facility, outcome):
                    done += count
                    told(place.name, done, many)
        return outcome

    def remember(self) -> None:
        """Makes the primary key the one by which the database knows its keys."""
        key_id, code = code_of(self._keyring)
        self._connection.execute(_REMEMBER, {"key_id": key_id, "code": code})

    def replays(self, key_id: int) -> int:
        """How many requests that clients might send again are known by this key."""
        return sum(self._replays(one, _REPLAYS, key_id) for one in self._facilities())

    def forget_replays(self, key_id: int) -> None:
        """Makes those requests unknowable: sent again, they are refused, and never done twice."""
        for facility in self._facilities():
            self._replays(facility, _FORGET_REPLAYS, key_id)

    def _replays(self, facility: UUID, statement: str, key_id: int) -> int:
        given = {"key": key_id, "primary": self._keyring.primary_id, "nothing": secrets.token_bytes(_HASH_BYTES)}
        with self._connection.transaction():
            self._enter(facility)
            answer = self._connection.execute(statement, given)
            row = answer.fetchone() if answer.description else None
        return int(str(row[0])) if row else 0

    def _column(self, place: Sealed, facility: UUID | None, outcome: Outcome) -> Iterator[int]:
        """How many each batch sealed, until none is left; at the end those that others held."""
        for skip, limit in (("SKIP LOCKED", BATCH), ("", 1)):
            after: tuple[object, ...] | None = None
            while True:
                with self._connection.transaction():
                    self._enter(facility)
                    rows = self._batch(place, facility, after, limit=limit, skip=skip)
                    fresh = [one for one in (self._sealed(place, facility, row) for row in rows) if one]
                    self._save(place, facility, fresh)
                if not rows:
                    break
                after = rows[-1][:-1]
                outcome.done += len(fresh)
                outcome.unreadable += len(rows) - len(fresh) if not skip else 0
                yield len(fresh)

    def _batch(
        self, place: Sealed, facility: UUID | None, after: tuple[object, ...] | None, *, limit: int, skip: str
    ) -> list[tuple[object, ...]]:
        marks = sql.SQL(", ").join(sql.Placeholder(f"after_{n}") for n in range(len(place.keys)))
        beyond = sql.SQL("({}) > ({})").format(_names(place.keys), marks) if after else sql.SQL("true")
        statement = self._statement(_BATCH, place, after=beyond, skip=sql.SQL("SKIP LOCKED" if skip else ""))
        given = {"facility": facility, "key": self._keyring.primary_id.to_bytes(4), "limit": limit}
        return self._connection.execute(
            statement, given | {f"after_{n}": value for n, value in enumerate(after or ())}
        ).fetchall()

    def _sealed(self, place: Sealed, facility: UUID | None, row: tuple[object, ...]) -> tuple[object, ...] | None:
        """The value anew with the row's key after it; ``None`` for one that no key of ours opens."""
        *keys, value = row
        assert isinstance(value, bytes)
        where = place.where.format(**dict(zip(place.keys, keys, strict=True)))
        owner = str(facility) if facility else ""
        try:
            text = self._keyring.open(value, facility=owner, where=where)
        except CannotOpenError:
            return None
        fresh = self._keyring.seal(text, facility=owner, where=where)
        return (fresh, facility, *keys) if facility else (fresh, *keys)

    def _save(self, place: Sealed, facility: UUID | None, rows: Sequence[tuple[object, ...]]) -> None:
        marks = sql.SQL(", ").join(sql.Placeholder() for _ in place.keys)
        scope = sql.SQL("facility_id = %s") if facility else sql.SQL("true")
        statement = self._statement(_SAVE, place, marks=marks, scope=scope)
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def _count(self, place: Sealed, facility: UUID | None, condition: str, key_id: int | None) -> int:
        key = self._keyring.primary_id if key_id is None else key_id
        with self._connection.transaction():
            self._enter(facility)
            statement = self._statement(_COUNT + condition, place)
            row = self._connection.execute(statement, {"facility": facility, "key": key.to_bytes(4)}).fetchone()
        return int(str(row[0])) if row else 0

    def _statement(self, text: str, place: Sealed, **parts: sql.Composable) -> sql.Composed:
        named = {
            "table": sql.Identifier(*place.table.split(".")),
            "column": sql.Identifier(place.column),
            "keys": _names(place.keys),
            "scope": sql.SQL("facility_id = %(facility)s" if place.of_facility else "true"),
        }
        return sql.SQL(text).format(**(named | parts))

    def _enter(self, facility: UUID | None) -> None:
        """Row security is forced: the owner, too, sees one facility at a time."""
        if facility is not None:
            self._connection.execute("SELECT set_config('dawr.facility', %s, true)", (str(facility),))

    def _scopes(self, place: Sealed) -> list[UUID] | list[None]:
        return self._facilities() if place.of_facility else [None]

    def _facilities(self) -> list[UUID]:
        return [row[0] for row in self._connection.execute(_FACILITIES).fetchall() if isinstance(row[0], UUID)]


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
