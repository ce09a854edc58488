"""A patient as a row."""

import re
from collections.abc import Mapping

from dawr.exchange.rules import COLUMNS, LANGUAGES, Kind, Reading
from dawr.patients.rules import OLDEST_YEAR, Gender, Identity, Preferences

PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{3,30}")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
LONGEST_NUMBER = 64
LONGEST_EMAIL = 254
PHONES = ("phone", "phone_2")
NO_PHONE = "This should be a phone number, with its country's code where it is another country's"
NO_EMAIL = "This should be an e-mail address"
NO_LANGUAGE = "This should be the code of a language, such as ar, en or hi"
SAYS = {
    "birth_date": f"This should be a day from {OLDEST_YEAR} to today",
    "birth_year": f"This should be a year from {OLDEST_YEAR} to now, and that of the birth date",
}
"""What is said of a field that the patients' own check refuses."""


def identity_of(reading: Reading) -> Identity:
    """Who the row is about; of no use where there were mistakes."""
    names = {one: reading.text(f"name_{one}") for one in LANGUAGES}
    phones = [reading.digits(one, PHONE, NO_PHONE) for one in PHONES]
    return Identity(
        name=reading.needed("name"),
        names={language: name for language, name in names.items() if name},
        birth_date=reading.day("birth_date"),
        birth_year=reading.number("birth_year", OLDEST_YEAR, 9999),
        gender=reading.one_of("gender", Gender),
        phones=tuple(one for one in phones if one),
        national_id=reading.text("national_id", longest=LONGEST_NUMBER),
        record_number=reading.text("record_number", longest=LONGEST_NUMBER),
        language=reading.text("language", form=LANGUAGE, say=NO_LANGUAGE),
        email=reading.text("email", longest=LONGEST_EMAIL, form=EMAIL, say=NO_EMAIL),
    )


def cells_of(identity: Identity) -> list[str]:
    """The row of an identity. Two identities that have the same one are the same to a file."""
    values: Mapping[str, object] = {
        "name": identity.name,
        **{f"name_{one}": identity.names.get(one) for one in LANGUAGES},
        **dict(zip(PHONES, identity.phones, strict=False)),
        "birth_date": identity.birth_date and identity.birth_date.isoformat(),
        "birth_year": None if identity.birth_date else identity.birth_year,
        "gender": identity.gender and identity.gender.value,
        "national_id": identity.national_id,
        "record_number": identity.record_number,
        "language": identity.language,
        "email": identity.email,
    }
    return [str(values.get(one) or "") for one in COLUMNS[Kind.PATIENTS]]


def is_cut(identity: Identity) -> bool:
    """Whether a row has no place for some of it."""
    more = set(identity.names) - set(LANGUAGES) or len(identity.phones) > len(PHONES)
    return bool(more) or identity.preferences != Preferences()
