"""Patients out of a file: checked by the patients' own checks, made by their own command, claimed so that none is made twice."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import orjson
from psycopg.errors import UniqueViolation

from dawr.exchange.rules import TWICE, Reading, Row
from dawr.exchange.rules_import import Checked, Likely, Taken, Unit
from dawr.exchange.rules_patients import SAYS, cells_of, identity_of
from dawr.facilities.queries import Context
from dawr.patients import commands as patients
from dawr.patients import queries_find
from dawr.patients.rules import Identity, MistakeInIdentity
from dawr.platform import idempotency
from dawr.platform.db import ReadTx
from dawr.platform.idempotency import Key, Outcome

BATCH_ROWS = 200
# Nobody who waits for something that a batch holds shall notice it, however slow the machine.
BATCH_SECONDS = 0.5
CALLER = "import:patients"
CREATED = 201
_RACES = 5
_WHERE = "exchange.patients"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A patient to be made; ``key`` claims the row that says so."""

    identity: Identity
    key: Key


class Patients:
    batch = BATCH_ROWS

    def __init__(self, here: Context, *, alike: bool = False) -> None:
        """``alike``: rows that say the same are as many people."""
        self._here = here
        self._alike = alike
        self._lines: dict[bytes, int] = {}
        self._times: Counter[bytes] = Counter()

    def units(self, rows: Iterable[Row]) -> Iterator[Unit]:
        return ((row,) for row in rows)

    async def check(self, units: Sequence[Unit]) -> Sequence[Checked]:
        async with self._here.read() as tx:
            pass
        # The checks take from a transaction what time it is, and nothing else: it need not stay open for them.
        return [self._checked(tx, row) for unit in units for row in unit]

    def _checked(self, tx: ReadTx, row: Row) -> Checked:
        reading = Reading(row)
        identity = identity_of(reading)
        if not reading.mistakes:
            try:
                identity = patients.sound(tx, self._here, identity)
            except MistakeInIdentity as problem:
                column = problem.extra["field"]
                reading.wrong(column, SAYS.get(column, problem.title))
        key = key_of(self._here, identity)
        if not reading.mistakes:
            first = self._lines.setdefault(key.key, row.line)
            self._times[key.key] += 1
            if self._alike:
                key = key_of(self._here, identity, nth=self._times[key.key])
            elif first != row.line:
                reading.wrong("", TWICE.format(line=first))
        return Checked(row.line, 1, Wanted(identity, key), tuple(reading.mistakes))

    async def likely(self, checked: Sequence[Checked]) -> Sequence[Likely]:
        """Those rows that are likely about somebody who is there, and whom no earlier run of this file has made."""
        left, found = [one for one in checked if not one.mistakes], list[Likely]()
        while left:
            until, done = time.monotonic() + BATCH_SECONDS, 0
            async with self._here.read() as tx:
                before = await _taken_before(tx, [one.what for one in left])
                for one in left:
                    if one.what.key.key not in before:
                        found += await self._like(tx, one)
                    done += 1
                    if time.monotonic() > until:
                        break
            left = left[done:]
        return found

    async def _like(self, tx: ReadTx, one: Checked) -> list[Likely]:
        same = await queries_find.duplicates(tx, self._here, one.what.identity)
        return [Likely(one.line, each.card.patient, each.reasons) for each in same[:1]]

    async def take(self, checked: Sequence[Checked]) -> Taken:
        left = [one.what for one in checked]
        taken = 0
        while left:
            done, made = await self._take_first(left)
            left, taken = left[done:], taken + made
        return Taken(taken=taken, before=len(checked) - taken)

    async def _take_first(self, wanted: Sequence[Wanted]) -> tuple[int, int]:
        """As many as one transaction is for: how many of the rows are done, and how many patients were made."""
        for _ in range(_RACES):
            try:
                return await self._take_once(wanted)
            except UniqueViolation:
                # Somebody imports the same rows at this moment, and was first.
                continue
        return await self._take_once(wanted)

    async def _take_once(self, wanted: Sequence[Wanted]) -> tuple[int, int]:
        until, done = time.monotonic() + BATCH_SECONDS, 0
        claims: list[tuple[Key, Outcome]] = []
        async with self._here.write() as tx:
            before = await _taken_before(tx, wanted)
            for one in wanted:
                if one.key.key not in before:
                    await patients.create(tx, self._here, one.identity)
                    # Not whose row it is: that would be left over when the patient is erased.
                    claims.append((one.key, Outcome(CREATED, "", {})))
                done += 1
                if time.monotonic() > until:
                    break
            # In one order, so that two imports of one file never wait for each other in a circle.
            await idempotency.claim_and_keep(tx, sorted(claims, key=lambda claim: claim[0].key))
        return done, len(claims)


def key_of(here: Context, identity: Identity, *, nth: int = 1) -> Key:
    """What a row is claimed by: the same for every row that says the same, in this facility, but for the ``nth`` that shall be a
    person of their own. It outlives a change of keys."""
    keyring = here.services.keyring
    says = orjson.dumps(cells_of(identity) + [nth] * (nth > 1))
    digest = keyring.blind(says.decode(), facility=here.facility.id_text, where=_WHERE)
    return Key(CALLER, digest, partial(_signed, here, digest))


def _signed(here: Context, digest: bytes, key_id: int | None) -> tuple[int, bytes]:
    return here.services.keyring.mac("import", digest, key_id=key_id)


async def _taken_before(tx: ReadTx, wanted: Sequence[Wanted]) -> set[bytes]:
    return await idempotency.seen(tx, CALLER, [one.key.key for one in wanted])
