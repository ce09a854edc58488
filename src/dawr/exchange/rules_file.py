"""Tables in CSV as hospitals' programs write them, read row by row: nothing of a large file is kept.

UTF-8 with or without a mark at its beginning, UTF-16 with one; cells parted by comma, semicolon or tab, whichever makes the
first line the wanted columns, in any order.
"""

import codecs
import csv
import io
from collections.abc import Generator, Iterator, Sequence
from typing import BinaryIO

from dawr.exchange.rules import CELLS, COLUMNS, EITHER, CannotExchange, Kind, Row, defused

DELIMITERS = (",", ";", "\t")
LONGEST_LINE = 100_000
_LONGEST_NAME = 40
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Sheet:
    """A file of one kind. ``source`` can be read more than once; what is no such table is ``CannotExchange``."""

    def __init__(self, source: BinaryIO, kind: Kind) -> None:
        self._source = source
        self._kind = kind

    def rows(self) -> Generator[Row, None, None]:
        """The rows in order, from the first on whenever it is called; empty ones are passed over."""
        self._source.seek(0)
        text = io.TextIOWrapper(self._source, encoding=_encoding(self._source), newline="")
        try:
            yield from self._read(text)
        finally:
            text.detach()

    def _read(self, text: io.TextIOWrapper) -> Iterator[Row]:
        line = 1
        try:
            first = text.readline(LONGEST_LINE)
            delimiter, columns = header(first, self._kind)
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            for cells in reader:
                line, begins = reader.line_num + 1, line + 1
                if any(cell.strip() for cell in cells):
                    yield _row(begins, columns, cells)
        except UnicodeError:
            raise CannotExchange(f"The file is neither UTF-8 nor UTF-16, somewhere after line {line}.") from None
        except csv.Error as error:
            raise CannotExchange(f"The table breaks off after line {line}: {error}.") from None


def header(line: str, kind: Kind) -> tuple[str, list[str]]:
    """The delimiter and the columns that a first line names; ``CannotExchange`` where they are others than wanted."""
    found = [(one, _names(line, one)) for one in DELIMITERS]
    delimiter, names = max(found, key=lambda one: len(set(one[1]) & set(COLUMNS[kind])))
    _require(names, kind)
    return delimiter, names


def _names(line: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=delimiter), [])
    return [cell.strip().casefold() for cell in cells]


def _require(names: Sequence[str], kind: Kind) -> None:
    wanted, either = COLUMNS[kind], EITHER.get(kind, frozenset())
    missing = [one for one in wanted if one not in names and not (one in either and either & set(names))]
    unknown = [_shown(one) for one in names if one not in wanted]
    twice = sorted({one for one in names if names.count(one) > 1} & set(wanted))
    said = [("are missing", missing), ("are not known", unknown), ("are there twice", twice)]
    wrong = [f"{what}: {', '.join(dict.fromkeys(which))}" for what, which in said if which]
    if not set(names) & set(wanted):
        # What stands there instead may be somebody's data.
        raise CannotExchange(f"The first line has to name the columns {', '.join(wanted)}. It names none of them.")
    if wrong:
        raise CannotExchange(
            f"The first line has to name the columns {', '.join(wanted)}. Some {'; some '.join(wrong)}."
        )


def _shown(name: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in name[:_LONGEST_NAME]) or "(empty)"


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(columns):
        wrong = CELLS.format(count=len(cells), wanted=len(columns))
        return Row(line, dict(zip(columns, cells, strict=False)), wrong)
    return Row(line, dict(zip(columns, cells, strict=True)))


def _encoding(source: BinaryIO) -> str:
    begin = source.read(4)
    source.seek(0)
    return next((name for mark, name in _MARKS if begin.startswith(mark)), "utf-8")


def written(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines of CSV, with nothing in them that a spreadsheet would run."""
    out = io.StringIO()
    csv.writer(out).writerows([defused(cell) for cell in row] for row in rows)
    return out.getvalue()
