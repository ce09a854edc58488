import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from dawr.platform import outbox
from dawr.platform.embedded_postgres import EmbeddedPostgres
from dawr.platform.errors import Unavailable
from dawr.platform.outbox import Handler, OutboxWorker
from dawr.platform.services import Services
from tests.platform import servers

FACILITY = uuid4()
TOPIC = "visit_created"


@pytest.fixture
def services(one_process: Services) -> Services:
    return one_process


class Notes:
    """A handler that keeps what it was given; it fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.seen: list[Mapping[str, Any]] = []
        self.failures = failures
        self.changed = asyncio.Event()

    async def __call__(self, services: Services, facility_id: UUID, payload: Mapping[str, Any]) -> None:
        self.seen.append(payload)
        self.changed.set()
        if len(self.seen) <= self.failures:
            raise ConnectionError("the gateway hung up on Amina")

    async def until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class Running:
    """A worker at work in the block."""

    def __init__(self, services: Services, handler: Handler, *, concurrency: int = 8) -> None:
        self.worker = OutboxWorker(services, handlers={TOPIC: handler}, together={}, concurrency=concurrency)

    async def __aenter__(self) -> OutboxWorker:
        self.task = asyncio.create_task(self.worker.run())
        return self.worker

    async def __aexit__(self, *_: object) -> None:
        self.worker.stop()
        await asyncio.wait_for(self.task, 5)


async def put(services: Services, key: str = "queue:lab/1", **more: Any) -> None:
    async with services.db.write(FACILITY) as tx:
        await outbox.put(tx, TOPIC, {"visit": key}, key=key, **more)


async def rows(services: Services) -> list[dict[str, Any]]:
    async with services.db.read() as tx:
        return await tx.rows("SELECT *, due > clock_timestamp() AS later FROM outbox ORDER BY id")


async def gone(services: Services) -> None:
    async with asyncio.timeout(10):
        while await rows(services):
            await asyncio.sleep(0.02)


async def make_due(services: Services) -> None:
    async with services.db.write() as tx:
        await tx.execute("UPDATE outbox SET due = clock_timestamp()")


async def test_what_is_put_is_done_and_then_gone(services: Services) -> None:
    notes = Notes()
    async with Running(services, notes):
        await put(services)
        await notes.until(lambda: bool(notes.seen))
        await gone(services)
    assert notes.seen == [{"visit": "queue:lab/1"}]


async def test_a_commit_wakes_the_worker_before_it_would_look_by_itself(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "POLL_SECONDS", 60)
    notes = Notes()
    async with Running(services, notes):
        await put(services, "queue:lab/1")
        await notes.until(lambda: len(notes.seen) == 1, seconds=2)
        await put(services, "queue:lab/2")
        await notes.until(lambda: len(notes.seen) == 2, seconds=2)


async def test_nothing_follows_a_change_that_was_not_made(services: Services) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with services.db.write(FACILITY) as tx:
            await outbox.put(tx, TOPIC, {}, key="queue:lab/1")
            raise ZeroDivisionError
    assert await rows(services) == []


async def test_the_same_key_is_the_same_work(services: Services) -> None:
    await put(services)
    await put(services)
    assert len(await rows(services)) == 1


async def test_work_may_be_put_off(services: Services) -> None:
    await put(services, run_after=services.clock.now() + timedelta(hours=1))
    assert await outbox.claim(services.db, limit=9, topics=[TOPIC]) == []
    assert (await outbox.backlog(services.db)).late_seconds < -3000


@pytest.mark.parametrize("value", ["Amina Noor", "أمينة", "", "a\nb", "x" * 201])
async def test_what_could_describe_a_person_is_refused(services: Services, value: str) -> None:
    async with services.db.write(FACILITY) as tx:
        with pytest.raises(ValueError, match="ids and enums"):
            await outbox.put(tx, TOPIC, {"name": value}, key="queue:lab/1")


async def test_a_topic_without_a_handler_here_waits_for_who_has_one(services: Services) -> None:
    await put(services)
    assert await outbox.claim(services.db, limit=9, topics=["another"]) == []


async def test_a_topic_has_one_handler() -> None:
    outbox.later("test_one_handler")(Notes())
    with pytest.raises(ValueError, match="has a handler already"):
        outbox.later("test_one_handler")(Notes())


class Together(Notes):
    """A handler of many, which fails where one of them is bad."""

    async def of_many(self, _: Services, facility_id: UUID, payloads: Sequence[Mapping[str, Any]]) -> None:
        self.seen.append({"visits": sorted(one["visit"] for one in payloads)})
        if any(one["visit"] == "bad" for one in payloads):
            raise ConnectionError

    def worker(self, services: Services) -> Running:
        running = Running(services, self)
        running.worker = OutboxWorker(services, handlers={}, together={TOPIC: self.of_many})
        return running


async def test_what_was_committed_together_is_done_together(services: Services) -> None:
    notes = Together()
    for visit in ("one", "other"):
        await put(services, visit)
    async with notes.worker(services):
        await gone(services)
    assert notes.seen == [{"visits": ["one", "other"]}]


async def test_what_fails_together_is_tried_again_alone(services: Services) -> None:
    notes = Together()
    for visit in ("good", "bad"):
        await put(services, visit)
    async with notes.worker(services):
        async with asyncio.timeout(10):
            while len(await rows(services)) > 1:
                await make_due(services)
                await asyncio.sleep(0.02)
    assert notes.seen[0] == {"visits": ["bad", "good"]}
    assert {"visits": ["good"]} in notes.seen
    assert [one["key"] for one in await rows(services)] == ["bad"]


async def test_several_workers_share_the_work_without_doing_any_twice(
    postgres: EmbeddedPostgres, services: Services
) -> None:
    notes = Notes()
    for number in range(60):
        await put(services, f"queue:lab/{number}")
    async with servers.services(postgres.url) as other:
        async with Running(services, notes, concurrency=3), Running(other, notes, concurrency=3):
            await notes.until(lambda: len(notes.seen) >= 60)
            await gone(services)
    assert sorted(str(one["visit"]) for one in notes.seen) == sorted(f"queue:lab/{number}" for number in range(60))


async def test_a_failure_comes_back_later_and_keeps_the_kind_of_its_error_alone(services: Services) -> None:
    notes = Notes(failures=1)
    await put(services)
    async with Running(services, notes):
        await notes.until(lambda: len(notes.seen) == 1)
        async with asyncio.timeout(5):
            while (await rows(services))[0]["last_error"] is None:
                await asyncio.sleep(0.02)
        (row,) = await rows(services)
        assert (row["last_error"], row["attempts"], row["later"]) == ("ConnectionError", 1, True)
        await make_due(services)
        await notes.until(lambda: len(notes.seen) == 2)
        await gone(services)


async def test_pauses_grow_and_differ(services: Services) -> None:
    pauses: dict[int, set[float]] = {}
    for attempts in (1, 6, 40):
        for number in range(8):
            await put(services, f"queue:lab/{attempts}-{number}")
    async with services.db.write() as tx:
        await tx.execute("UPDATE outbox SET attempts = split_part(split_part(key, '/', 2), '-', 1)::int - 1")
    for one in await outbox.claim(services.db, limit=99, topics=[TOPIC]):
        await outbox.fail(services.db, one, ConnectionError())
    async with services.db.read() as tx:
        for row in await tx.rows("SELECT attempts, extract(epoch FROM due - now())::float AS pause FROM outbox"):
            pauses.setdefault(row["attempts"], set()).add(row["pause"])
    assert 0.5 <= min(pauses[1]) <= max(pauses[1]) <= 2.1
    assert 31 <= min(pauses[6]) < max(pauses[6]) <= 65
    assert 1790 <= min(pauses[40]) < max(pauses[40]) <= 3601


async def test_what_fails_for_a_day_is_kept_dead_and_not_tried_again(services: Services) -> None:
    await put(services)
    (claimed,) = await outbox.claim(services.db, limit=1, topics=[TOPIC])
    async with services.db.write() as tx:
        await tx.execute("UPDATE outbox SET wanted_at = wanted_at - interval '25 hours'")
    assert await outbox.fail(services.db, claimed, ConnectionError())
    await make_due(services)
    assert await outbox.claim(services.db, limit=1, topics=[TOPIC]) == []
    found = await outbox.backlog(services.db)
    assert (found.pending, found.dead) == (0, 1)


async def test_what_is_put_for_a_later_day_has_its_day_then(services: Services) -> None:
    later = services.clock.now() + timedelta(days=30)
    await put(services, run_after=later)
    async with services.db.read() as tx:
        assert await tx.value("SELECT wanted_at FROM outbox WHERE dead_at IS NULL ORDER BY id DESC LIMIT 1") == later


async def test_nobody_else_gets_a_row_while_its_lease_runs(services: Services) -> None:
    await put(services)
    assert len(await outbox.claim(services.db, limit=1, topics=[TOPIC], lease=60)) == 1
    assert await outbox.claim(services.db, limit=1, topics=[TOPIC]) == []


async def test_whose_lease_ran_out_does_not_disturb_who_followed(services: Services) -> None:
    await put(services)
    (late,) = await outbox.claim(services.db, limit=1, topics=[TOPIC], lease=0)
    (following,) = await outbox.claim(services.db, limit=1, topics=[TOPIC])
    await outbox.fail(services.db, late, ConnectionError())
    (row,) = await rows(services)
    assert (row["attempts"], row["last_error"]) == (following.attempts, None)


async def test_a_handler_that_takes_too_long_is_stopped_and_tried_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "HANDLER_SECONDS", 0.05)
    never = asyncio.Event()

    async def hang(*_: object) -> None:
        await never.wait()

    await put(services)
    async with Running(services, hang), asyncio.timeout(5):
        while (await rows(services))[0]["last_error"] is None:
            await asyncio.sleep(0.02)
    assert (await rows(services))[0]["last_error"] == "TimeoutError"


async def test_stopping_lets_what_is_running_end(services: Services) -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(*_: object) -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    await put(services)
    running = Running(services, work)
    worker = await running.__aenter__()
    await begun.wait()
    worker.stop()
    may_end.set()
    await running.__aexit__()
    assert ended.is_set()
    assert await rows(services) == []


async def test_stopping_gives_back_at_once_what_does_not_end(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "STOP_SECONDS", 0.05)
    begun = asyncio.Event()

    async def hang(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    await put(services)
    async with Running(services, hang):
        await begun.wait()
    (claimed,) = await outbox.claim(services.db, limit=1, topics=[TOPIC])
    assert claimed.attempts == 1


async def test_a_restart_of_the_database_only_delays(postgres: EmbeddedPostgres, services: Services) -> None:
    notes = Notes()
    async with Running(services, notes):
        await put(services, "queue:lab/1")
        await notes.until(lambda: len(notes.seen) == 1)
        os.kill(postgres.pid, signal.SIGQUIT)
        async with asyncio.timeout(20):
            while len(notes.seen) < 2:
                try:
                    await put(services, "queue:lab/2")
                    await notes.until(lambda: len(notes.seen) == 2)
                except Unavailable:
                    await asyncio.sleep(0.1)
        await gone(services)


DYING = """
    import asyncio, os, signal, sys
    from dawr.platform.outbox import OutboxWorker
    from tests.platform import servers

    async def work(services, facility_id, payload):
        print("done", payload["visit"], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    async def main():
        async with servers.services(sys.argv[1]) as services:
            await OutboxWorker(services, handlers={"visit_created": work}).run()

    asyncio.run(main())
"""


async def test_a_process_killed_between_doing_and_saying_so_is_followed_by_another(
    postgres: EmbeddedPostgres, services: Services, pytestconfig: pytest.Config
) -> None:
    await put(services)
    command = [sys.executable, "-c", textwrap.dedent(DYING), postgres.url]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=pytestconfig.rootpath, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "done queue:lab/1\n"), done.stderr
    assert len(await rows(services)) == 1
    await make_due(services)  # what sixty seconds would do to its lease
    notes = Notes()
    async with Running(services, notes):
        await notes.until(lambda: len(notes.seen) == 1)
        await gone(services)
