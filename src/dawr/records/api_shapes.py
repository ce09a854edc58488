"""What records share over HTTP: the context, ids, days, and how an operation's success is described."""

from datetime import date
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, BeforeValidator

from dawr.facilities.queries import Context
from dawr.platform.http.bodies import OpaqueId
from dawr.platform.http.context import context


def _day(given: Any) -> Any:
    """``2026-11-21`` and no other form."""
    if not isinstance(given, str) or len(given) != 10:
        raise ValueError("a day reads 2026-11-21")
    return date.fromisoformat(given)


Here = Annotated[Context, Depends(context)]
IdInBody = OpaqueId
IdInPath = IdInBody
Day = Annotated[date, BeforeValidator(_day)]


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """An operation's ``responses`` where it succeeds."""
    return {status: {"model": model}}
