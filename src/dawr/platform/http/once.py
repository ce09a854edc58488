"""A handler's whole change: one transaction, the client's key claimed first, the answer shown from the record."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

import orjson
from starlette.responses import Response

from dawr.platform import idempotency
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.idempotency import Key, Outcome

REPLAYED = "Idempotent-Replayed"


class Place(Protocol):
    """What is needed of a request's context."""

    @property
    def idempotency_key(self) -> Key | None: ...

    def write(self) -> AbstractAsyncContextManager[WriteTx]: ...


class Glance(Protocol):
    """What is needed of a request's context to look whether it was answered before."""

    @property
    def idempotency_key(self) -> Key | None: ...

    def read(self) -> AbstractAsyncContextManager[ReadTx]: ...


Work = Callable[[WriteTx], Awaitable[Outcome]]
Show = Callable[[WriteTx, Outcome], Awaitable[dict[str, Any]]]


async def once(here: Place, work: Work, show: Show, *, same: Sequence[str] = ()) -> Response:
    """Does ``work`` and answers what ``show`` makes of its outcome; a replay shows the outcome kept, as it is now, but for
    the members named in ``same``, which are as they were."""
    key = here.idempotency_key
    async with here.write() as tx:
        earlier = await idempotency.claim(tx, key) if key else None
        outcome = earlier or await work(tx)
        content = await show(tx, outcome)
        if earlier:
            content |= {name: earlier.note[name] for name in same}
        elif key:
            kept = {name: content[name] for name in same}
            await idempotency.keep(tx, key, replace(outcome, note={**outcome.note, **kept}))
    return answer(content, outcome.status, replayed=earlier is not None)


async def answered(here: Glance) -> bool:
    """Whether this very request was answered before: what would keep a new one out is then not asked."""
    key = here.idempotency_key
    if key is None:
        return False
    async with here.read() as tx:
        return await idempotency.earlier(tx, key) is not None


def outcome(record: UUID | str, *, status: int = 200, **note: Any) -> Outcome:
    return Outcome(status, str(record), note)


def answer(content: Any, status: int = 200, *, replayed: bool = False) -> Response:
    response = _Json(orjson.dumps(content), status)
    if replayed:
        response.headers[REPLAYED] = "true"
    return response


class _Json(Response):
    """JSON that is not kept. Its headers are written down: to make them out of a mapping costs more than the JSON itself."""

    def __init__(self, body: bytes, status: int) -> None:
        self.body, self.status_code, self.background = body, status, None
        self.raw_headers = [
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]
