"""Files that people bring and take away, as tables of text: their columns, how a value is read, what a mistake is.

A mistake names a line, a column and a sentence, never the value: reports of mistakes are passed around and printed.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from typing import TypeVar

E = TypeVar("E", bound=StrEnum)


class Kind(StrEnum):
    """What a file is about."""

    PATIENTS = "patients"
    DOCTORS = "doctors"
    SCHEDULES = "schedules"


LANGUAGES = ("ar", "en", "hi")
"""Whose names have a column."""
COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    Kind.PATIENTS: (
        *("name", "name_ar", "name_en", "name_hi", "phone", "phone_2", "birth_date", "birth_year", "gender"),
        *("national_id", "record_number", "language", "email"),
    ),
    Kind.DOCTORS: ("doctor", "name_en", "name_ar", "name_hi", "clinics"),
    Kind.SCHEDULES: (
        *("doctor", "weekday", "day", "opens", "closes", "slot_minutes", "capacity", "clinic"),
        *("valid_from", "valid_until"),
    ),
}
# Of these columns a file may have one alone.
EITHER: Mapping[Kind, frozenset[str]] = {Kind.SCHEDULES: frozenset({"weekday", "day"})}

MISSING = "This is missing"
NO_DAY = "This should be a day such as 1980-05-31"
NO_TIME = "This should be a time such as 08:30"
NO_NUMBER = "This should be a whole number from {low} to {high}"
TOO_LONG = "This has more than {longest} characters"
UNPRINTABLE = "This has a line break, or another sign that is not printed"
CELLS = "The row has {count} cells instead of {wanted}"
TWICE = "The same as line {line}"

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_DIRECTIONS = re.compile("[\u200e\u200f\u061c]")
_FORMULA = re.compile("'*[=+@＝＋－＠-]")
_DEFUSED = re.compile("'+[=+@＝＋－＠-]")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_NUMBER = re.compile(r"\d{1,9}")


class CannotExchange(Exception):
    """The file as a whole cannot be read or written. The message is a sentence for the person at the console."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """``column`` is empty where the whole row is meant."""

    line: int
    column: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: the line it begins on, its cells by column. ``wrong`` says why it is no row of this table, and its
    cells may then stand in other columns than they belong to."""

    line: int
    cells: Mapping[str, str]
    wrong: str = ""


def defused(text: str) -> str:
    """As it may stand in a spreadsheet, which would take a text beginning so for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def undefused(cell: str) -> str:
    """What ``defused`` made of a text, taken back."""
    return cell[1:] if _DEFUSED.match(cell) else cell


def decimal(text: str) -> str:
    """Digits of any script as ASCII digits, without the invisible marks that say which way a text runs."""
    plain = _DIRECTIONS.sub("", text).strip()
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in plain)


@dataclass(slots=True)
class Reading:
    """A row as it is read: each value is asked for once, what is wrong is noted, an empty cell is ``None``."""

    row: Row
    mistakes: list[Mistake] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.row.wrong:
            self.wrong("", self.row.wrong)

    def wrong(self, column: str, sentence: str) -> None:
        self.mistakes.append(Mistake(self.row.line, column, sentence))

    def text(
        self, column: str, *, longest: int = 200, form: re.Pattern[str] | None = None, say: str = ""
    ) -> str | None:
        """``form`` is what the whole text fits, ``say`` what is said where it does not."""
        if self.row.wrong:
            return None
        text = undefused(self.row.cells.get(column, "").strip()).strip()
        if _FORBIDDEN.search(text):
            self.wrong(column, UNPRINTABLE)
        elif len(text) > longest:
            self.wrong(column, TOO_LONG.format(longest=longest))
        elif form and text and not form.fullmatch(text):
            self.wrong(column, say)
        else:
            return text or None
        return None

    def needed(self, column: str) -> str:
        """A text that has to be there; empty where it is not."""
        before, text = len(self.mistakes), self.text(column)
        if text is None and len(self.mistakes) == before and not self.row.wrong:
            self.wrong(column, MISSING)
        return text or ""

    def digits(self, column: str, form: re.Pattern[str], say: str) -> str | None:
        """A text of digits and signs between them, whatever script its digits are of."""
        text = self.text(column)
        plain = None if text is None else decimal(text)
        if plain is not None and not form.fullmatch(plain):
            self.wrong(column, say)
            return None
        return plain

    def number(self, column: str, low: int, high: int) -> int | None:
        say = NO_NUMBER.format(low=low, high=high)
        text = self.digits(column, _NUMBER, say)
        if text is not None and not low <= int(text) <= high:
            self.wrong(column, say)
            return None
        return None if text is None else int(text)

    def day(self, column: str) -> date | None:
        text = self.digits(column, _DAY, NO_DAY)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            self.wrong(column, NO_DAY)
            return None

    def clock(self, column: str) -> time | None:
        text = self.digits(column, _CLOCK, NO_TIME)
        return time.fromisoformat(text) if text else None

    def one_of(self, column: str, choices: type[E]) -> E | None:
        names = [one.value for one in choices]
        found = self.chosen(column, names)
        return choices(found) if found else None

    def chosen(self, column: str, names: list[str]) -> str | None:
        text = self.text(column)
        if text is not None and text.casefold() not in names:
            self.wrong(column, f"This should be one of {', '.join(names)}")
            return None
        return text.casefold() if text else None
