"""What a client makes of a stream: a snapshot, folded with every update after it, must be what a fresh fetch gives."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import httpx2
import orjson

from tests.realtime.sse import Event, connect

NOT_FOLDED = ("as_of", "cursor", "mean_wait_minutes")
WITH_DESK = ("called", "serving")


class Fold:
    """The state of one clinic's queue as ``/queue/status`` answers it, kept up to date by updates alone."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.state = {name: deepcopy(value) for name, value in snapshot.items() if name not in NOT_FOLDED}

    def apply(self, update: dict[str, Any]) -> None:
        """Moves a code from one group to another; into waiting it comes behind those ``ahead``, else to the end."""
        code, desk = update["code"], update["desk"]
        leaving, coming = update["from"], update["to"]
        if leaving is None:
            self.state["last_number"] = max(self.state["last_number"], update["number"])
        place = self._take(leaving, code)
        if coming in WITH_DESK:
            item: Any = {"code": code, "desk": desk}
        else:
            item = code
        if coming in ("waiting", "called", "serving", "held"):
            group = self.state[coming]
            index = update["ahead"] if coming == "waiting" else place if coming == leaving else len(group)
            group.insert(index, item)
        self._count(leaving, -1)
        self._count(coming, 1)

    def _take(self, group: str | None, code: str) -> int:
        """Where the code stood in its group. That it stood there is part of the proof."""
        if group not in ("waiting", "called", "serving", "held"):
            return 0
        codes = [one["code"] if isinstance(one, dict) else one for one in self.state[group]]
        index = codes.index(code)
        del self.state[group][index]
        return index

    def _count(self, group: str | None, by: int) -> None:
        if group is not None:
            self.state["counts"][group] += by

    def take(self, event: Event) -> None:
        """Whatever a clinic's stream sends."""
        if event.name == "reset":
            self.__init__(event.data)  # type: ignore[misc]
        elif event.name == "queue_update":
            self.apply(event.data)


def version_of(cursor: str, clinic: str) -> int:
    """The version in an id. Clients must not look into it; a proof must know when it has heard everything."""
    _, _, _, versions = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    version: int = versions[clinic]
    return version


async def fresh(base: str, clinic: str) -> dict[str, Any]:
    # No certificates are read (that is slow): this is plain http.
    async with httpx2.AsyncClient(verify=False, timeout=20) as client:
        answer = await client.get(f"{base}/api/v1/queue/status", params={"clinic": clinic})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@asynccontextmanager
async def proves_stream(base: str, clinic: str) -> AsyncIterator[list[Event]]:
    """Proves that the snapshot before the block and the events of the block give exactly what a fetch after it gives.

    ``base`` is the address of the facility (``http://127.0.0.1:8080/f/mmc``). The list has the events once the block is over.
    """
    heard: list[Event] = []
    async with connect(base, clinic=clinic) as stream:
        first = await stream.one("connected")
        fold, version = Fold(first.data), version_of(first.id or "", clinic)
        yield heard
        now = await fresh(base, clinic)
        while version < version_of(now["cursor"], clinic):
            event = await stream.next()
            assert event is not None, "the stream ended before everything was told"
            if event.name == "heartbeat":
                continue
            came = version_of(event.id or "", clinic)
            assert came == version + 1 or (event.name == "reset" and came > version), (version, event)
            heard.append(event)
            fold.take(event)
            version = came
        assert fold.state == Fold(now).state
