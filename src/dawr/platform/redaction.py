"""What may be written down about people: nothing. Values on their way to a log pass through here.

Three nets, each for what slips through the one before: fields whose *key* says that they describe a person or open a
door; *patterns* inside texts (phone numbers, e-mail addresses, credentials, ``/t/<secret>``, ``name='…'``); and *types*: an
object that is not plain data is named, never printed, and of an exception only what cannot hold a caller's words. A
name inside a sentence is caught by none of them: what is logged is a constant, with ids as fields.
"""

import os
import re
from collections import deque
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from typing import Any
from uuid import UUID

import psycopg

from dawr.platform.errors import Problem

REDACTED = "[redacted]"
_LONGEST_TEXT = 2000
_MOST_ITEMS = 100
_DEEPEST = 6
_LARGEST_PLAIN_NUMBER = 10**8

_PERSONAL = re.compile(
    r"(full|first|last|sur|user)?names?|phones?|mobile|msisdn|e?mails?|birth|birthday|birthdate|dob|national|nationality"
    r"|gender|passwords?|passwd|passphrase|tokens?|secrets?|authorization|cookies?|credentials?|csrf|pins?|otp|apikey"
    r"|query|notes?|text|body|payload|kwargs|args"
)
_NAMED_THINGS = re.compile(
    r"application|class|clinic|column|constraint|department|event|file|func|function|hook|host|job|limit|logger|metric"
    r"|module|plugin|process|queue|role|schema|setting|table|task|thread|worker"
)
_LARGE_NUMBERS = re.compile(r"id|bytes|size|version|number|pid|xid|ns|us|ms|milliseconds|microseconds|seconds")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

_KEYS_IN_TEXT = (
    r"(?:[\w-]{0,30}[_-])?(?:name|phone|mobile|e-?mail|password|passwd|token|secret|authorization|cookie|national_id|query|"
    r"notes?|pin|otp|birth_date|api_?key)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"(?<=://)[^/\s@]+(?=@)", REDACTED),
        (r"(?<=/[atu]/)[^\s/?#\"']+", REDACTED),
        (r"\?[^\s\"'?=]*=[^\s\"']*", f"?{REDACTED}"),
        (r"(?<![a-z])(bearer|basic)\s+[\w.~+/=-]{6,}", rf"\1 {REDACTED}"),
        (r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?", REDACTED),
        # What PostgreSQL quotes of a row.
        (r"(?<=\)=\()[^)]*(?=\))", REDACTED),
        (r"(?<=row contains )\(.*\)", f"({REDACTED})"),
        (
            rf"(\b{_KEYS_IN_TEXT}\b[\"']?\s*(?:=|:(?!:))\s*)"
            rf"(?!\[redacted\]|%\()(?:\"[^\"]*\"?|'[^']*'?|[^\s,;&)}}\]]+)",
            rf"\1{REDACTED}",
        ),
        (r"[^\s@<>\"'(),;:=\[\]]{1,64}@[^\s@<>\"'(),;:=\[\]]{1,255}", REDACTED),
    )
)
# Most texts have nothing of what the patterns begin with, and are not searched for each.
_SUSPICIOUS = re.compile(r"[@=?:]|/[atu]/|bearer|basic|eyJ|contains", re.IGNORECASE)
# Digits are looked for outside of what is known to be an id or a time.
_DIGITS = re.compile(
    r"(?P<kept>\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"
    r"|\b20[2-9]\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?\b)"
    r"|\+?\d(?:[ \u00a0().\-/]{0,2}\d){6,}",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """The text without what looks like a phone number, an address, a credential or a named personal value."""
    cut = text[:_LONGEST_TEXT] + ("…" if len(text) > _LONGEST_TEXT else "")
    if cut.isalpha():
        return cut
    if _SUSPICIOUS.search(cut):
        for pattern, replacement in _PATTERNS:
            cut = pattern.sub(replacement, cut)
    return _DIGITS.sub(lambda found: found["kept"] or REDACTED, cut)


@lru_cache(maxsize=1000)
def is_personal(key: str) -> bool:
    """Whether a field of this name is hidden whatever it holds: ``phone``, ``access_token``, ``patientName``."""
    words = [word.lower() for word in _WORD.findall(key)]
    if len(words) > 1 and words[-1] == "name" and _NAMED_THINGS.fullmatch(words[-2]):
        words.pop()
    return words == ["user"] or words[-1:] == ["key"] or any(_PERSONAL.fullmatch(word) for word in words)


def redact(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that is safe to write down: plain data only, personal fields hidden, texts masked."""
    return {_masked_key(str(key)): _field(str(key), value, 0) for key, value in fields.items()}


def safe(value: Any) -> Any:
    """One value without a name, as ``redact`` treats it."""
    return _plain(value, "", 0)


def describe(error: BaseException) -> str:
    """What can be said of an exception: not its own words, which may quote what a caller sent.

    A problem has its code, the system's errors an errno, the database's a SQLSTATE and the constraint. Kept, masked, are
    the words of our own exceptions, which quote nobody, and of a lost connection to the database.
    """
    if isinstance(error, Problem):
        return error.code
    if type(error).__module__.startswith("dawr."):
        return _first_line(error)
    if isinstance(error, psycopg.Error):
        known = (error.sqlstate, error.diag.table_name, error.diag.constraint_name)
        said = " ".join(part for part in known if part)
        return said or (_first_line(error) if isinstance(error, psycopg.OperationalError) else REDACTED)
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return REDACTED if error.args else ""


@lru_cache(maxsize=1000)
def _masked_key(key: str) -> str:
    return mask(key)


def _first_line(error: BaseException) -> str:
    return mask((str(error).splitlines() or [""])[0])


def _field(key: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_personal(key):
        return REDACTED
    return _plain(value, key, depth)


def _plain(value: Any, key: str, depth: int) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, Enum):
        return value.name
    if type(value) is int:
        return value if abs(value) < _LARGEST_PLAIN_NUMBER or _counts(key) else REDACTED
    if type(value) is str:
        return mask(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset | deque):
        return _collection(value, key, depth)
    return _named(value)


def _counts(key: str) -> bool:
    words = _WORD.findall(key)
    return bool(words) and _LARGE_NUMBERS.fullmatch(words[-1].lower()) is not None


def _collection(value: Any, key: str, depth: int) -> Any:
    if depth >= _DEEPEST:
        return f"<{type(value).__name__}>"
    items = list(value.items() if isinstance(value, Mapping) else value)[:_MOST_ITEMS]
    if isinstance(value, Mapping):
        return {_masked_key(str(name)): _field(str(name), item, depth + 1) for name, item in items}
    return [_plain(item, key, depth + 1) for item in items]


def _named(value: Any) -> str:
    if isinstance(value, UUID | date | datetime | time | IPv4Address | IPv6Address | IPv4Network | IPv6Network):
        return str(value)
    if isinstance(value, timedelta | Decimal | PurePath):
        return mask(str(value))
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {describe(value)}".removesuffix(": ")
    return f"<{type(value).__name__}>"
