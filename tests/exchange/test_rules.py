"""How a file is read: its form, its values, and what a spreadsheet could make of them."""

import codecs
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dawr.exchange.rules import COLUMNS, CannotExchange, Kind, Reading, Row, defused, undefused
from dawr.exchange.rules_file import written
from dawr.exchange.rules_patients import cells_of, identity_of, is_cut
from dawr.patients.api_shapes import NewPatient
from dawr.patients.rules import Gender, Identity, Preferences
from tests.exchange.conftest import sheet, table

PATIENTS = Kind.PATIENTS
AMINA = {"name": "Amina Al-Thani", "name_ar": "أمينة آل ثاني", "phone": "5550 1234", "birth_date": "1980-05-01"}


def read(**cells: str) -> tuple[Identity, list[str]]:
    """What a row says, and the columns with mistakes."""
    reading = Reading(Row(2, {"name": "Amina"} | cells))
    return identity_of(reading), [one.column for one in reading.mistakes]


def names(content: bytes) -> list[str]:
    return [row.cells["name_ar"] for row in sheet(PATIENTS, content).rows()]


# The file


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
    ids=["utf-8", "marked", "utf-16-le", "utf-16-be"],
)
def test_what_programs_write_is_read(delimiter: str, mark: bytes, encoding: str) -> None:
    text = table(PATIENTS, [AMINA, AMINA], delimiter=delimiter).decode()
    assert names(mark + text.encode(encoding)) == [AMINA["name_ar"]] * 2


def test_columns_come_in_any_order_and_spelling() -> None:
    columns = [f" {one.upper()} " for one in reversed(COLUMNS[PATIENTS])]
    row = ",".join(AMINA.get(one, "") for one in reversed(COLUMNS[PATIENTS]))
    assert names(f"{','.join(columns)}\n\n,,\n{row}\n".encode())[-1] == AMINA["name_ar"]


def test_a_row_is_told_by_the_line_it_begins_on() -> None:
    rows = f'{",".join(COLUMNS[PATIENTS])}\n"Ami\nna"{"," * 12}\n\nOmar{"," * 12}\nToo,few\n'
    found = list(sheet(PATIENTS, rows.encode()).rows())
    assert [(one.line, one.wrong) for one in found] == [(2, ""), (5, ""), (6, "The row has 2 cells instead of 13")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "It names none of them"),
        (b"name,phone,\x1b[2J\n", r"missing: name_ar.*not known: \?\[2j"),
        (b"Amina,+97455501234\n", r"It names none of them\.$"),
        (table(PATIENTS, []).replace(b"email", b"e-mail"), "missing: email; some are not known: e-mail"),
        (table(PATIENTS, []).replace(b"\r\n", b",name\r\n"), "Some are there twice: name"),
        (table(PATIENTS, [AMINA]) + "Zoë".encode("latin-1"), "neither UTF-8 nor UTF-16"),
        (table(PATIENTS, [AMINA]) + b'"never closed\n', "breaks off after line 2"),
        (table(PATIENTS, [AMINA]).decode().encode("utf-16-le"), "It names none of them"),
    ],
    ids=["empty", "other columns", "no columns", "misspelt", "twice", "latin-1", "cut short", "utf-16 without a mark"],
)
def test_another_file_is_refused_whole(content: bytes, said: str) -> None:
    with pytest.raises(CannotExchange, match=said):
        list(sheet(PATIENTS, content).rows())


def test_of_weekday_and_day_one_is_enough() -> None:
    header = ",".join(one for one in COLUMNS[Kind.SCHEDULES] if one != "day")
    assert list(sheet(Kind.SCHEDULES, f"{header}\n".encode()).rows()) == []


# The values


def test_digits_of_every_script_are_understood() -> None:
    arabic, _ = read(phone="+٩٧٤ ٥٥٥٠ ١٢٣٤", birth_date="\u200f١٩٨٠-٠٥-٠١")
    hindi, _ = read(phone="५५५०१२३४", birth_year="१९८०")
    assert (arabic.phones, arabic.birth_date) == (("+974 5550 1234",), date(1980, 5, 1))
    assert (hindi.phones, hindi.birth_year) == (("55501234",), 1980)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("name", "Ami\nna"),
        ("name_ar", "\u202eanimA"),
        ("phone", "five"),
        ("phone_2", "123"),
        ("birth_date", "01/05/1980"),
        ("birth_date", "1980-02-30"),
        ("birth_year", "80"),
        ("gender", "woman"),
        ("national_id", "9" * 65),
        ("language", "Arabic"),
        ("email", "amina"),
    ],
)
def test_what_the_api_refuses_is_a_mistake_of_its_column(column: str, cell: str) -> None:
    assert read(**{column: cell})[1] == [column]


VALUES = [
    "x",
    "+97455501234",
    "٥٥٥٠١٢٣٤",
    "(974) 5550",
    "12345",
    "a@b",
    "a b@c",
    "ar",
    "hi-Deva",
    "AR",
    "1980-05-01",
    "x\x85x",
    "é" * 70,
]


@pytest.mark.parametrize("column", ["name", "phone", "national_id", "language", "email", "birth_date", "gender"])
def test_the_file_takes_what_the_api_takes_and_nothing_else(column: str) -> None:
    verdicts = {value: (read(**{column: value})[1] == [], _api_takes(column, value)) for value in VALUES}
    assert {value: both for value, both in verdicts.items() if both[0] != both[1]} == {}


def _api_takes(column: str, value: str) -> bool:
    try:
        NewPatient.model_validate({"name": "Amina", column: value})
    except ValidationError:
        return False
    return True


# There and back


def text_of(**options: Any) -> st.SearchStrategy[str]:
    signs = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))
    dangerous = st.sampled_from(["=1+1", "+x", "-x", "@x", "'=x", "''-", "'x", 'a"b', "a,b", "a;=b", "\u200fx"])
    texts = st.one_of(dangerous, st.text(signs, min_size=1, **options))
    return texts.map(str.strip).filter(bool)


identities = st.builds(
    Identity,
    name=text_of(max_size=60),
    names=st.dictionaries(st.sampled_from(["ar", "en", "hi"]), text_of(max_size=60)),
    birth_date=st.none() | st.dates(date(1880, 1, 1), date(2026, 1, 1)),
    gender=st.none() | st.sampled_from(Gender),
    phones=st.lists(st.from_regex(r"\+?[0-9]{4,15}", fullmatch=True).filter(str.isascii), max_size=2).map(tuple),
    national_id=st.none() | text_of(max_size=20),
    record_number=st.none() | text_of(max_size=20),
    language=st.none() | st.sampled_from(["ar", "hi-Deva"]),
    email=st.none() | st.just("amina@example.org"),
)


@settings(max_examples=50)
@given(identities)
def test_what_is_written_is_what_is_read(identity: Identity) -> None:
    content = written([COLUMNS[PATIENTS], cells_of(identity)]).encode()
    (row,) = sheet(PATIENTS, content).rows()
    reading = Reading(row)
    assert (identity_of(reading), reading.mistakes) == (identity, [])


@given(text_of())
def test_nothing_written_begins_a_formula(text: str) -> None:
    assert defused(text)[0] not in "=+-@＝＋－＠"
    assert undefused(defused(text)) == text


@pytest.mark.parametrize(
    "more",
    [{"names": {"ur": "امینہ"}}, {"phones": ("1111", "2222", "3333")}, {"preferences": Preferences(opted_out=True)}],
)
def test_what_has_no_column_is_known_to_be_left(more: dict[str, Any]) -> None:
    assert is_cut(Identity("Amina", **more))
    assert not is_cut(Identity("Amina", names={"ar": "أمينة"}, phones=("1111", "2222")))
