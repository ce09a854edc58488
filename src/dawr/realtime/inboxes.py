"""Who waits for news in an inbox. They are told only that there is something; each then asks for their own.

A wake says for whom by its name. One that was lost is made up for within seconds: the facility's youngest notice is another one.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from uuid import UUID

from dawr.accounts.rules_inbox import LATEST, PREFIX
from dawr.platform.errors import Problem
from dawr.platform.logging import get_logger
from dawr.platform.services import Services
from dawr.realtime.outlet import Outlet
from dawr.realtime.rules import frame

SOMETHING = frame("inbox_update", b"{}")
UNHEARD = nullcontext()
log = get_logger(__name__)


class Inboxes:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._listeners: dict[UUID, dict[Outlet, frozenset[str]]] = {}
        self._latest: dict[UUID, object] = {}
        self._woken: set[UUID] = set()

    def listening(self, facility: UUID, outlet: Outlet, names: frozenset[str]) -> AbstractContextManager[None]:
        """While the block lasts, the client hears of what wakes one of ``names``. Most streams have none, and pay nothing."""
        return self._listening(facility, outlet, names) if names else UNHEARD

    @contextmanager
    def _listening(self, facility: UUID, outlet: Outlet, names: frozenset[str]) -> Iterator[None]:
        here = self._listeners.setdefault(facility, {})
        here[outlet] = names
        try:
            yield
        finally:
            del here[outlet]
            if not here and self._listeners.get(facility) is here:
                del self._listeners[facility]
                self._latest.pop(facility, None)
                self._woken.discard(facility)

    def wake(self, facility: UUID, streams: Collection[str]) -> None:
        here = self._listeners.get(facility)
        woken = {one for one in streams if one.startswith(PREFIX)} if here else None
        if not here or not woken:
            return
        self._woken.add(facility)
        for outlet, names in here.items():
            if not names.isdisjoint(woken):
                outlet.push(SOMETHING)

    def wake_all(self) -> None:
        for facility in self._listeners:
            self._wake_everybody(facility)

    def _wake_everybody(self, facility: UUID) -> None:
        for outlet in self._listeners.get(facility, {}):
            outlet.push(SOMETHING)

    async def poll(self, seconds: float) -> None:
        """Looks again and again whether a wake was lost."""
        while True:
            await asyncio.sleep(seconds)
            for facility in tuple(self._listeners):
                try:
                    await self._look(facility)
                except Problem:
                    continue  # the store is out of reach, and everybody is told so
                except Exception as error:
                    log.error("inbox_read_failed", error=type(error).__name__, exc_info=error)

    async def _look(self, facility: UUID) -> None:
        ask = self._services.additions.get(LATEST)
        if ask is None:
            return
        woken = facility in self._woken
        self._woken.discard(facility)
        async with self._services.db.read(facility) as tx:
            latest = await ask(tx)
        if not woken and self._latest.get(facility, latest) != latest:
            self._wake_everybody(facility)
        if facility in self._listeners:
            self._latest[facility] = latest
