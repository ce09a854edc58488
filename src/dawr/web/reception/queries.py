"""Where reception may send people: the facility's clinics and doctors, with names in the reader's language."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import named


async def places(here: Context, lang: str) -> dict[str, list[dict[str, Any]]]:
    """``clinics`` in the order they are shown, and ``doctors``, each with the clinics they work in."""
    async with here.read() as tx:
        clinics, doctors = await facilities.clinics(tx), await facilities.doctors(tx)
    return {
        "clinics": [{"clinic": one.id, "name": named(one.name, lang), "floor": one.floor} for one in clinics],
        "doctors": [_doctor(one.id, one.name, lang) | {"clinics": list(one.clinics)} for one in doctors],
    }


def _doctor(doctor: str, names: Mapping[str, str], lang: str) -> dict[str, Any]:
    return {"doctor": doctor, "name": named(names, lang)}


def today(here: Context) -> date:
    """The day that a calendar on the wall of the house shows."""
    return here.services.clock.now().astimezone(ZoneInfo(here.facility.zone)).date()
