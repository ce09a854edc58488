"""News that travels up in the same transaction: a higher floor listens to what a lower floor writes.

A listener may refuse (its exception takes the change with it) and may write more. Whoever writes calls ``tell`` after its rows
are written; where nobody listens, that costs a look into a dictionary. Work that may wait goes through the outbox instead.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from dawr.platform.db import WriteTx
from dawr.platform.services import Services

Listener = Callable[[WriteTx, Services, Sequence[Any]], Awaitable[None]]


def now(services: Services, topic: str, listener: Listener) -> None:
    """Has ``listener(tx, services, news)`` called in every transaction that tells this topic, in the order of registration;
    once, however often it is registered."""

    async def heard(tx: WriteTx, news: Sequence[Any]) -> None:
        await listener(tx, services, news)

    services.db.listeners.setdefault(topic, {})[listener] = heard


async def tell(tx: WriteTx, topic: str, news: Sequence[Any]) -> None:
    """Tells the topic's listeners what the transaction has just written."""
    if topic in tx.listeners:
        for heard in tx.listeners[topic].values():
            await heard(tx, news)
