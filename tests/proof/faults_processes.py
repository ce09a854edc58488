"""Processes that are killed, stopped and started again."""

import asyncio
import os
import random
import signal
from functools import partial
from math import inf

from tests.proof.driver import Mix
from tests.proof.faults import Scenario
from tests.proof.faults_stage import Setting, Stage, send

TWO = Setting(processes=2)
_LEFT_OPEN = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'dawr' AND state = 'idle in transaction' AND now() - state_change > interval '40 ms'
  AND EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
              WHERE l.pid = pg_stat_activity.pid AND c.relname = 'queue' AND l.mode = 'RowShareLock')
"""
SERVED = Setting(processes=2, server=True, lines=True)


async def kill_app(stage: Stage) -> None:
    """One of the processes; whoever watches over it starts it again. The first takes its PostgreSQL with it."""
    one = random.choice(stage.programs)
    await one.kill()
    await one.start()


async def kill_backend(stage: Stage) -> None:
    """The one whose transaction is oldest, else any of the product's: PostgreSQL then ends all others and recovers."""
    with stage.owner() as owner:
        found = owner.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'dawr' ORDER BY xact_start NULLS LAST LIMIT 1"
        ).fetchone()
    assert found is not None
    send([found["pid"]], signal.SIGKILL)
    await _ended(found["pid"])


async def kill_postmaster(stage: Stage) -> None:
    pid = stage.postmaster()
    send([pid], signal.SIGKILL)
    await _ended(pid)


async def end_postgres(number: signal.Signals, stage: Stage) -> None:
    """Asks it to end; whoever watches over it starts it again."""
    pid = stage.postmaster()
    send([pid], number)
    await _ended(pid)


async def restart_postgres(seconds: float, stage: Stage) -> None:
    """Stopped in order, away for a while, started."""
    assert stage.server is not None
    await asyncio.to_thread(stage.server.stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(stage.server.start)


async def kill_all(stage: Stage) -> None:
    """Every process of the product and of PostgreSQL in one moment, and then all started again."""
    pids = [one.process.pid for one in stage.programs if one.process]
    send([*stage.postgres_pids(), *pids], signal.SIGKILL)
    for one in stage.programs:
        await one.kill()
    for one in stage.programs:
        await one.start()


async def stop_app(seconds: float, stage: Stage) -> None:
    """One of the processes does nothing for a while, and then goes on as if it had not been away: the worst moment for the
    others is in the middle of a transaction, so that is when."""
    one = random.choice(stage.programs)
    with stage.owner() as owner:
        for _ in range(300):
            one.signal(signal.SIGSTOP)
            await asyncio.sleep(0.05)
            if owner.execute(_LEFT_OPEN).fetchone():
                break
            one.signal(signal.SIGCONT)
            await asyncio.sleep(random.uniform(0.01, 0.03))
        else:
            raise AssertionError("the process was never met inside a transaction")
    await asyncio.sleep(seconds)
    one.signal(signal.SIGCONT)


async def stop_postgres(seconds: float, stage: Stage) -> None:
    pids = stage.postgres_pids()
    assert pids
    send(pids, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    send(pids, signal.SIGCONT)


async def nothing(stage: Stage) -> None:
    """No fault at all: what is found then is no fault's."""
    await asyncio.sleep(1)


async def _ended(pid: int) -> None:
    """Until the process is gone, or somebody else's."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"process {pid} does not end")


# A process that hangs loses a lock after 3 s, but others of its requests may be next in line, for 8 s at most.
UNLOCKED_WITHIN = 13.0


def _stops(who: str, seconds: float) -> Scenario:
    fault = {"app": stop_app, "PostgreSQL": stop_postgres}[who]
    whom = {"app": "one of two processes inside a transaction", "PostgreSQL": "all of PostgreSQL"}[who]
    return Scenario(
        f"{who.lower()}-stops-{seconds:g}s",
        f"SIGSTOP of {whom} for {seconds:g} s",
        TWO,
        partial(fault, seconds),
        times=3 if seconds < 5 else 1,
        is_long=seconds > 10,
        still_at_most=UNLOCKED_WITHIN if who == "app" else inf,
    )


SCENARIOS = (
    Scenario("no-fault", "two processes, no fault", TWO, nothing, times=1, least=400),
    Scenario("app-killed", "kill -9 of one of two processes, and a new start", TWO, kill_app, times=5),
    Scenario("backend-killed", "kill -9 of one PostgreSQL backend", TWO, kill_backend, times=5),
    Scenario("postmaster-killed", "kill -9 of the postmaster", TWO, kill_postmaster, times=5),
    Scenario("all-killed", "kill -9 of everything, and a new start", TWO, kill_all, times=3),
    Scenario(
        "all-killed-in-a-crowd",
        "kill -9 of everything while 48 people join at once",
        TWO,
        kill_all,
        mix=Mix(people=48, pause=0.0, only_joins=True),
        least=300,
    ),
    Scenario("postgres-ended", "fast shutdown of PostgreSQL", TWO, partial(end_postgres, signal.SIGINT)),
    Scenario("postgres-ended-at-once", "immediate shutdown", TWO, partial(end_postgres, signal.SIGQUIT)),
    Scenario("postgres-away", "PostgreSQL stopped, 3 s later started", SERVED, partial(restart_postgres, 3.0)),
    *(_stops("app", seconds) for seconds in (1, 5, 15, 60)),
    *(_stops("PostgreSQL", seconds) for seconds in (1, 5, 15, 60)),
)
