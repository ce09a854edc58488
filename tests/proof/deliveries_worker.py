"""The workers that tell people, as a process that is killed at a step of its own choice.

Read from its standard input, a line a life: ``<step> <after>``. Each life is a fork that has everything imported, and ends
itself with SIGKILL the ``after``-th time it comes to the step. ``-`` is no step: that life ends when it is told to.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from dawr.notifications import jobs_rounds, rules, store, store_deliveries
from dawr.notifications.channel import use
from dawr.notifications.channels.email import Email
from dawr.notifications.channels.sms import Sms
from dawr.notifications.jobs_send import Sender
from dawr.notifications.jobs_tail import QueueReader
from dawr.notifications.rules_channels import Pace, Reached
from dawr.platform.clock import ShiftedClock
from dawr.platform.config import Settings
from dawr.platform.crypto import Keyring
from dawr.platform.db import Database, ReadTx
from dawr.platform.metrics import Metrics
from dawr.platform.ratelimit import RateLimiter
from dawr.platform.services import Services

STEPS = ("read", "put", "claimed", "sent", "mark", "marked")
"""Before the cursor moves and everything commits; after that commit; after the claim's; after the vendor's answer; before the
commit of the mark; after it."""
LEASE = 2
Step = Callable[..., Awaitable[Any]]


class Mail(Email):
    """Writes to an address made of the phone: tickets have no other."""

    async def addresses(self, tx: ReadTx, services: Services, person: Reached) -> Sequence[str]:
        return (f"{person.phone.lstrip('+')}@example.org",) if person.phone else ()


def services_on(url: str, keys: str, ahead: timedelta) -> Services:
    """What one process has, with channels that may ask this machine; its clock is ``ahead`` of this machine's."""
    settings = Settings(database_url=url, outgoing_networks=(ip_network("127.0.0.0/8"),), demo=True)
    clock, metrics, keyring = ShiftedClock(ahead), Metrics(), Keyring.from_setting(keys)
    db = Database(url, clock=clock, metrics=metrics, size=12)
    limits = RateLimiter(db.pool, keyring, metrics=metrics)
    made = Services(settings=settings, clock=clock, keyring=keyring, db=db, limits=limits, metrics=metrics)
    use(made, [Sms(made), Mail(made)])
    return made


def hurry(at_once: int) -> None:
    """Leases and pauses short enough for a test; vendors that take more than any does, ``at_once`` each."""
    store_deliveries.LEASE_SECONDS = LEASE
    rules.FIRST_PAUSE, rules.LONGEST_PAUSE = 0.1, 1.0
    jobs_rounds.POLL_SECONDS = 0.2
    Sms.pace = Email.pace = Pace(per_second=5000, burst=5000, at_once=at_once, seconds=LEASE / 2)


def _dying(step: Step, after: int, *, before: bool) -> Step:
    """The step, as whose ``after``-th time is the last thing that the process does."""
    left = [after]

    async def run(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if before and left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        done = await step(*args, **kwargs)
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return run


def plant(step: str, after: int) -> None:
    """Has this process die at the step."""
    places: dict[str, tuple[Any, str, bool]] = {
        "read": (store, "move_cursor", True),
        "put": (store, "claim_cursor", True),
        "claimed": (Sender, "_send", True),
        "sent": (Sender, "_hand_over", False),
        "mark": (store_deliveries, "mark", False),
        "marked": (Sender, "_mark", False),
    }
    owner, name, before = places[step]
    # A queue's reading is one transaction: the claim of the next cursor follows the commit of the one before.
    times = 2 if step == "put" else 1 if step == "read" else after
    setattr(owner, name, _dying(getattr(owner, name), times, before=before))


async def live(url: str, keys: str, ahead: timedelta) -> None:
    services = services_on(url, keys, ahead)
    workers = (QueueReader(services), Sender(services))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [one.stop() for one in workers])
    await services.db.open()
    await asyncio.gather(*(one.run() for one in workers))
    await services.db.close()


def main() -> None:
    url, keys, ahead, at_once = sys.argv[1:5]
    hurry(int(at_once))
    for line in sys.stdin:
        step, after = line.split()
        child = os.fork()
        if child == 0:
            if step in STEPS:
                plant(step, int(after))
            asyncio.run(live(url, keys, timedelta(seconds=float(ahead))))
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
