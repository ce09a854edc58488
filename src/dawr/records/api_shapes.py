"""What records share over HTTP: the context, ids, days, and how an operation's success is described."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, BeforeValidator

from dawr.facilities.queries import Context
from dawr.platform.http.context import context


def _known_form(given: Any) -> Any:
    """An id is opaque to clients: a text that is no id of ours is one that nobody has."""
    try:
        return UUID(given) if isinstance(given, str) else given
    except ValueError:
        return UUID(int=0)


def _day(given: Any) -> Any:
    """``2026-11-21`` and no other form."""
    if not isinstance(given, str) or len(given) != 10:
        raise ValueError("a day reads 2026-11-21")
    return date.fromisoformat(given)


Here = Annotated[Context, Depends(context)]
IdInBody = Annotated[UUID, BeforeValidator(_known_form)]
IdInPath = IdInBody
Day = Annotated[date, BeforeValidator(_day)]


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """An operation's ``responses`` where it succeeds."""
    return {status: {"model": model}}
