"""What a follower of a facility's log could not be told, over HTTP: shown, and told once more."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path
from starlette.responses import Response

from dawr.platform import followers
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.http.once import Place, once, outcome
from dawr.platform.idempotency import Outcome

FailureNo = Annotated[int, Path(ge=1, lt=2**63)]


async def failures(tx: ReadTx, follower: str) -> dict[str, Any]:
    """The latest hundred."""
    found = await followers.failures(tx, follower)
    return {"items": [{**asdict(one), "at": one.at.isoformat()} for one in found], "next": None}


async def resend(
    here: Place, follower: str, no: int | None, *, load: Callable[[WriteTx], Awaitable[object]] | None = None
) -> Response:
    """One that was skipped, or every one, is to be told again; ``load`` finds whom and locks them. ``FailureNotFound``."""

    async def work(tx: WriteTx) -> Outcome:
        if load:
            await load(tx)
        await followers.ask_again(tx, follower, no)
        return outcome(follower)

    return await once(here, work, lambda tx, _: failures(tx, follower))
