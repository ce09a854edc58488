"""How facilities, clinics, departments and doctors are shown over HTTP."""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import segno
from fastapi import Depends, Path
from pydantic import Field, StringConstraints

from dawr.accounts.rules import Right
from dawr.facilities.queries import Context
from dawr.facilities.rules import Clinic, Department, Doctor, Facility, named
from dawr.facilities.rules_settings import clinic_settings, department_settings, doctor_settings, facility_settings
from dawr.platform.http.context import context

Here = Annotated[Context, Depends(context)]
SlugInPath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
DeskInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,15}$")]
NamesInBody = Annotated[
    dict[str, Annotated[str, StringConstraints(max_length=100)]],
    Field(min_length=1, max_length=20, examples=[{"en": "Laboratory", "ar": "المختبر"}]),
]
VersionInBody = Annotated[
    int, Field(ge=1, le=2**31 - 1, description="The version read before; another one now is a 409")
]
PUBLIC = ("clinic", "names", "prefix", "department", "floor", "entry", "hours", "desks")


# What is shown


def facility_card(here: Context, facility: Facility, now: datetime) -> dict[str, Any]:
    settings = facility_settings(facility)
    if not here.actor.may(Right.WATCH):
        settings.pop("pause_reason")
    day = facility.service_day(now)
    return settings | {"name": named(facility.name, here.language), "service_day": day.isoformat()}


def clinic_card(
    here: Context, clinic: Clinic, *, doctors: Sequence[Doctor], now: datetime, zone: str
) -> dict[str, Any]:
    """What a join page needs; the staff's also holds every setting. ``doctors``: at least those of the clinic."""
    settings = clinic_settings(clinic)
    shown = settings if here.actor.may(Right.WATCH) else {field: settings[field] for field in PUBLIC}
    mine = [one for one in doctors if one.id in clinic.doctors]
    return shown | {
        "name": named(clinic.name, here.language),
        "state": clinic.state(now, zone).value,
        "doctors": [{"doctor": one.id, "name": named(one.name, here.language)} for one in mine],
    }


def department_card(here: Context, department: Department) -> dict[str, Any]:
    return department_settings(department) | {"name": named(department.name, here.language)}


def doctor_card(here: Context, doctor: Doctor) -> dict[str, Any]:
    return doctor_settings(doctor) | {"name": named(doctor.name, here.language)}


def qr_code(address: str) -> str:
    """An SVG document that cameras read as the address; it survives a scratch (error level M)."""
    drawn = io.BytesIO()
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=8, border=4, light="#fff", xmldecl=False)
    return drawn.getvalue().decode()
