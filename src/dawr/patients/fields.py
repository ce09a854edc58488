"""What is kept of a person as the columns of the table ``patient``: one text a field, each sealed by itself."""

from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any
from uuid import UUID

import orjson

from dawr.patients.rules import Channel, Gender, Identity, PatientCard, Preferences
from dawr.patients.vault import PatientKey

SEALED = (
    "names_sealed",
    "birth_sealed",
    "gender_sealed",
    "phones_sealed",
    "national_id_sealed",
    "record_number_sealed",
    "language_sealed",
    "email_sealed",
    "preferences_sealed",
)
NOTHING: Mapping[str, None] = dict.fromkeys(SEALED)


def sealed(identity: Identity, key: PatientKey) -> dict[str, bytes | None]:
    """The row's columns of an identity."""
    texts = _texts(identity)
    return {
        column: None if texts[column] is None else key.seal(str(texts[column]), _place(column, key.patient))
        for column in SEALED
    }


def opened(row: Mapping[str, Any], key: PatientKey) -> Identity:
    """The identity in a row that has the columns ``SEALED``."""

    def text(column: str) -> str | None:
        value = row[column]
        return None if value is None else key.open(value, _place(column, key.patient))

    return _identity(text)


def card(row: Mapping[str, Any], key: PatientKey | None) -> PatientCard:
    """The card of a row; without a key there is nothing to show."""
    return PatientCard(
        patient=row["patient"],
        version=row["version"],
        created_at=row["created_at"],
        identity=opened(row, key) if key else None,
        erased=key is None,
    )


def _place(column: str, patient: UUID) -> str:
    return f"patient.{column}:{patient}"


def _texts(identity: Identity) -> dict[str, str | None]:
    born = identity.birth_date.isoformat() if identity.birth_date else identity.birth_year
    preferences = identity.preferences
    return {
        "names_sealed": _json({"name": identity.name, "names": dict(identity.names)}),
        "birth_sealed": str(born) if born else None,
        "gender_sealed": identity.gender.value if identity.gender else None,
        "phones_sealed": _json(list(identity.phones)) if identity.phones else None,
        "national_id_sealed": identity.national_id,
        "record_number_sealed": identity.record_number,
        "language_sealed": identity.language,
        "email_sealed": identity.email,
        "preferences_sealed": _json(preferences.answer()) if preferences != Preferences() else None,
    }


def _identity(text: Callable[[str], str | None]) -> Identity:
    names, born, gender = orjson.loads(text("names_sealed") or "{}"), text("birth_sealed"), text("gender_sealed")
    whole = born if born and "-" in born else None
    return Identity(
        name=names.get("name", ""),
        names=names.get("names", {}),
        birth_date=date.fromisoformat(whole) if whole else None,
        birth_year=int(born) if born and not whole else None,
        gender=Gender(gender) if gender else None,
        phones=tuple(orjson.loads(text("phones_sealed") or "[]")),
        national_id=text("national_id_sealed"),
        record_number=text("record_number_sealed"),
        language=text("language_sealed"),
        email=text("email_sealed"),
        preferences=preferences_of(orjson.loads(text("preferences_sealed") or "{}")),
    )


def preferences_of(answer: Mapping[str, Any]) -> Preferences:
    """What ``Preferences.answer`` gave."""
    channels, start, end = answer.get("channels"), answer.get("quiet_from"), answer.get("quiet_to")
    return Preferences(
        channels=None if channels is None else tuple(Channel(one) for one in channels),
        quiet=(time.fromisoformat(start), time.fromisoformat(end)) if start and end else None,
        opted_out=bool(answer.get("opted_out")),
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
