"""What records share over HTTP: the context, ids, days, and how an operation's success is described."""

from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel

from dawr.facilities.queries import Context
from dawr.platform.http.bodies import OpaqueId
from dawr.platform.http.context import context

Here = Annotated[Context, Depends(context)]
IdInBody = OpaqueId
IdInPath = IdInBody


def answers(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """An operation's ``responses`` where it succeeds."""
    return {status: {"model": model}}
