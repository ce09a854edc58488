"""Finding patients by blind tokens: no statement reads the whole table, and few rows are ever opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.facilities.queries import Context
from dawr.patients import queries
from dawr.patients.rules import Identity, PatientCard, QueryTooShort, likeness
from dawr.patients.rules_names import SHORTEST, asked, asked_beginnings, asked_keys, begins
from dawr.patients.tokens import BLOOM_BITS, Token, Tokens, written
from dawr.platform.db import ReadTx

MOST_DUPLICATES = 10
_MOST_SAME = 50
_EXAMINED = 5000
_LOOKS = 8
_COUNTED = 100
_OPENED = 60
_FEWEST_DIGITS = 5

_WITH_TOKENS = """
SELECT DISTINCT i.patient FROM patient_index i
JOIN unnest(%(kinds)s::text[], %(tokens)s::bytea[]) AS wanted (kind, token) ON i.kind = wanted.kind AND i.token = wanted.token
WHERE i.facility_id = %(facility_id)s AND i.patient < %(before)s
ORDER BY i.patient DESC LIMIT %(limit)s
"""
# How many names begin so, as far as that matters, and how far back the newest of them reach where there are more: ids tell when a
# record was made, and the rarer a beginning, the older its hundredth record.
_HOW_MANY = """
SELECT wanted.token, few.many, few.reach FROM unnest(%(tokens)s::bytea[]) AS wanted (token)
CROSS JOIN LATERAL (
    SELECT count(*) AS many, (array_agg(newest.patient ORDER BY newest.patient DESC))[%(most)s] AS reach FROM (
        SELECT i.patient FROM patient_index i
        WHERE i.facility_id = %(facility_id)s AND i.kind = 'name' AND i.token = wanted.token AND i.patient < %(before)s
        ORDER BY i.patient DESC LIMIT %(most)s
    ) AS newest
) AS few
"""
# Newest records first, no more of ``start`` than needed; of the names that cannot begin as asked hardly any.
_NAMED = f"""
SELECT start.patient FROM (
    SELECT i.patient, i.bloom FROM patient_index i
    WHERE i.facility_id = %(facility_id)s AND i.kind = 'name' AND i.token = %(start)s AND i.patient < %(before)s
    ORDER BY i.patient DESC LIMIT %(examined)s
) AS start
WHERE (start.bloom & %(bloom)s::bit({BLOOM_BITS})) = %(bloom)s::bit({BLOOM_BITS})
ORDER BY start.patient DESC LIMIT %(limit)s
"""
_LAST_EXAMINED = """
SELECT i.patient FROM patient_index i
WHERE i.facility_id = %(facility_id)s AND i.kind = 'name' AND i.token = %(start)s AND i.patient < %(before)s
ORDER BY i.patient DESC OFFSET %(examined)s - 1 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Found:
    """``after`` is where the next page begins; ``None`` at the end."""

    cards: Sequence[PatientCard]
    after: UUID | None


@dataclass(frozen=True, slots=True)
class Duplicate:
    card: PatientCard
    reasons: tuple[str, ...]

    def answer(self) -> dict[str, Any]:
        return self.card.summary() | {"reasons": list(self.reasons)}


async def search(tx: ReadTx, here: Context, query: str, *, before: UUID | None = None, limit: int = 20) -> Found:
    """Patients by a phone number in any spelling, a number of identity, or the beginnings of words of a name; newest first.
    ``QueryTooShort`` for less than three letters."""
    here.actor.require(Right.PATIENTS)
    if any(one.isdecimal() for one in query):
        return await _numbered(tx, here, query, before=before, limit=limit)
    words = asked(query)
    if not words:
        raise QueryTooShort
    return await _named(tx, here, words, before=before, limit=limit)


async def duplicates(tx: ReadTx, here: Context, identity: Identity, *, but: UUID | None = None) -> list[Duplicate]:
    """Records that are likely of the same person, the likeliest first, at most ``MOST_DUPLICATES``; never ``but`` itself."""
    here.actor.require(Right.PATIENTS)
    ids = await _with_tokens(tx, queries.tokens_of(here).likely_same(identity), before=None, limit=_MOST_SAME)
    cards = await _surviving(tx, here, ids)
    likely = [
        Duplicate(card, reasons)
        for card in cards
        if card.patient != but and card.identity and (reasons := likeness(identity, card.identity))
    ]
    return sorted(likely, key=lambda one: (-len(one.reasons), one.card.patient))[:MOST_DUPLICATES]


async def _numbered(tx: ReadTx, here: Context, query: str, *, before: UUID | None, limit: int) -> Found:
    signs = [one for one in query if one.isalnum()]
    if len(signs) < SHORTEST:
        raise QueryTooShort
    tokens = queries.tokens_of(here).numbers(query)
    if len(signs) >= _FEWEST_DIGITS and all(one.isdecimal() for one in signs):
        tokens |= queries.tokens_of(here).phone(query)
    ids = await _with_tokens(tx, tokens, before=before, limit=limit + 1)
    page = ids[:limit]
    return Found(await _surviving(tx, here, page), page[-1] if len(ids) > limit else None)


async def _with_tokens(tx: ReadTx, tokens: set[Token], *, before: UUID | None, limit: int) -> list[UUID]:
    if not tokens:
        return []
    kinds, codes = [kind for kind, _ in tokens], [code for _, code in tokens]
    rows = await tx.rows(_WITH_TOKENS, kinds=kinds, tokens=codes, before=before or queries.END, limit=limit)
    return [row["patient"] for row in rows]


async def _named(tx: ReadTx, here: Context, words: Sequence[str], *, before: UUID | None, limit: int) -> Found:
    """The rarest of the tokens and the Bloom filters beside it say which names may begin as asked; the names themselves, opened,
    whether they do. Where nobody is among those looked at, it looks further by itself, a few times."""
    found = Found((), before or queries.END)
    tokens = queries.tokens_of(here)
    rarest = await _rarest(tx, tokens, asked_keys(words), before or queries.END)
    wanted = {"start": rarest, "bloom": written(tokens.bits(asked_beginnings(words))), "examined": _EXAMINED}
    for _ in range(_LOOKS):
        if found.cards or found.after is None:
            break
        found = await _looked(tx, here, words, wanted, before=found.after, limit=limit)
    return found


async def _looked(
    tx: ReadTx, here: Context, words: Sequence[str], wanted: Mapping[str, object], *, before: UUID, limit: int
) -> Found:
    rows = await tx.rows(_NAMED, **wanted, before=before, limit=_OPENED)
    ids = [row["patient"] for row in rows]
    cards, last = await _fitting(tx, here, words, ids, limit)
    if last is None and len(ids) == _OPENED:
        last = ids[-1]
    elif last is None:
        # Everything found is told, and not everything was looked at: the next page goes on from there.
        last = await tx.value(_LAST_EXAMINED, **wanted, before=before)
    return Found(cards, last)


async def _rarest(tx: ReadTx, tokens: Tokens, keys: Sequence[str], before: UUID) -> bytes:
    """The token that the fewest names have."""
    codes = [code for _, code in sorted(tokens.names(keys))]
    if len(codes) > 1:
        counted = await tx.rows(_HOW_MANY, tokens=codes, most=_COUNTED, before=before)
        return bytes(min(counted, key=lambda row: (row["many"], row["reach"] or queries.END))["token"])
    return codes[0]


async def _fitting(
    tx: ReadTx, here: Context, words: Sequence[str], ids: Sequence[UUID], limit: int
) -> tuple[list[PatientCard], UUID | None]:
    """Of these records those whose names begin as asked, at most ``limit``, each person once; where that was reached before the
    end, the last one looked at. Records are opened a page at a time."""
    fitting: list[tuple[UUID, PatientCard]] = []
    last: UUID | None = None
    for start in range(0, len(ids), limit):
        some = ids[start : start + limit]
        opened = await queries.own_cards(tx, here, some)
        for one in some:
            survivor, card = opened[one]
            if card.identity and begins(words, card.identity.spellings):
                fitting.append((survivor, card))
            if len(fitting) == limit:
                last = one if one != ids[-1] else None
                break
        if len(fitting) == limit:
            break
    merged = await _surviving(tx, here, [survivor for survivor, card in fitting if survivor != card.patient])
    surviving = {card.patient: card for card in merged}
    return list({survivor: surviving.get(survivor, card) for survivor, card in fitting}.values()), last


async def _surviving(tx: ReadTx, here: Context, ids: Sequence[UUID]) -> list[PatientCard]:
    """The cards of these records or of those they were merged into, in the same order, nobody twice."""
    cards = await queries.cards(tx, here, ids) if ids else {}
    found = {cards[one].patient: cards[one] for one in ids if one in cards}
    return list(found.values())
