"""What a request's body may be: known fields only, and no text that could confuse a screen, a log or the store."""

import re
import unicodedata
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator

FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _without_control_characters(value: Any) -> Any:
    # Not recursive: what a stranger sends may be nested as deeply as the stack allows.
    inside = [value]
    while inside:
        one = inside.pop()
        if isinstance(one, str):
            if FORBIDDEN.search(one):
                raise ValueError("control characters are not allowed")
        elif isinstance(one, dict):
            inside += one
            inside += one.values()
        elif isinstance(one, list):
            inside += one
    return value


def decimal(text: str) -> str:
    """Digits of any script as ASCII digits: people type the numbers their keyboard has."""
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _known_form(given: Any) -> Any:
    """An id is opaque to clients: a text that is no id of ours is one that nobody has."""
    try:
        return UUID(given) if isinstance(given, str) else given
    except ValueError:
        return UUID(int=0)


class Body(BaseModel):
    """The base of every request body: unknown fields and control characters are refused, spaces around texts dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _plain_texts(cls, value: Any) -> Any:
        return _without_control_characters(value)


def _day(given: Any) -> date:
    """``2026-11-21`` and no other form: left to itself a number would be read as seconds since 1970."""
    if not isinstance(given, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        raise ValueError("a day reads 2026-11-21")
    return date.fromisoformat(given)


Day = Annotated[date, BeforeValidator(_day)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Phone = Annotated[str, AfterValidator(decimal), StringConstraints(pattern=r"^\+?[0-9][0-9 ()./-]{3,30}$")]
PersonName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]
OpaqueId = Annotated[UUID, BeforeValidator(_known_form)]
