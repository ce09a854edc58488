"""Retries: enough of them to pass over a stumble, never so many that they feed an outage."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.platform.retry import RetryBudget, in_time, pause_before, retry


class Stumble(Exception):
    pass


class Service:
    """Fails as often as told, then answers; remembers when it was called."""

    def __init__(self, failures: int, error: type[BaseException] = Stumble) -> None:
        self.failures = failures
        self.error = error
        self.calls: list[float] = []

    async def __call__(self) -> str:
        self.calls.append(time.monotonic())
        if len(self.calls) <= self.failures:
            raise self.error
        return "answer"


class Watch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_stumble_is_passed_over() -> None:
    service = Service(failures=2)
    assert await retry(service, on=(Stumble,), deadline=5) == "answer"
    assert len(service.calls) == 3


async def test_after_the_last_attempt_the_error_is_raised_as_it_was() -> None:
    service = Service(failures=9)
    with pytest.raises(Stumble):
        await retry(service, on=(Stumble,), attempts=2, deadline=5)
    assert len(service.calls) == 2


async def test_other_errors_are_not_tried_again() -> None:
    service = Service(failures=1, error=KeyError)
    with pytest.raises(KeyError):
        await retry(service, on=(Stumble,), deadline=5)
    assert len(service.calls) == 1


async def test_no_pause_begins_that_would_pass_the_deadline() -> None:
    service, started = Service(failures=99), time.monotonic()
    with pytest.raises(Stumble):
        await retry(service, on=(Stumble,), attempts=99, deadline=0.3)
    assert time.monotonic() - started < 0.35


async def test_the_deadline_ends_an_attempt_that_hangs() -> None:
    never = asyncio.Event()
    with pytest.raises(TimeoutError):
        await retry(never.wait, on=(Stumble,), deadline=0.05)


async def test_work_that_cannot_be_cancelled_does_not_hold_the_caller() -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await in_time(stubborn(), 0.05)
    assert time.monotonic() - started < 1
    release.set()


async def test_who_stops_waiting_stops_the_work() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(in_time(work(), 60))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(ended.wait(), 1)


@given(st.integers(1, 40))
def test_pauses_have_full_jitter_and_a_cap(number: int) -> None:
    longest = pause_before(number, uniform=lambda _, high: high)
    assert longest == min(1.0, 0.1 * 2 ** (number - 1))
    assert 0 <= pause_before(number) <= longest


async def test_in_an_outage_retries_stay_within_the_budget() -> None:
    budget = RetryBudget(share=0.1, always=0)
    service = Service(failures=10**6)
    calls = [retry(service, on=(Stumble,), attempts=2, budget=budget, deadline=2) for _ in range(200)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(answer, Stumble) for answer in answers)
    assert 200 < len(service.calls) <= 220


def test_a_process_with_little_to_do_may_retry_a_few_times() -> None:
    budget = RetryBudget(share=0.1, always=3, monotonic=Watch())
    budget.call()
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]


def test_the_budget_comes_back_when_its_window_has_passed() -> None:
    watch = Watch()
    budget = RetryBudget(always=1, window=10, monotonic=watch)
    assert (budget.take(), budget.take()) == (True, False)
    watch.seconds += 9
    assert not budget.take()
    watch.seconds += 1
    assert budget.take()


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=300))
def test_in_no_window_is_the_share_exceeded(steps: list[tuple[float, bool]]) -> None:
    watch, taken, calls = Watch(), list[float](), list[float]()
    budget = RetryBudget(share=0.2, window=10, always=0, monotonic=watch)
    for pause, wants_retry in steps:
        watch.seconds += pause
        if not wants_retry:
            budget.call()
            calls.append(watch.seconds)
        elif budget.take():
            taken.append(watch.seconds)
            recent = [moment for moment in calls if moment > watch.seconds - 10]
            # Slots are a tenth of the window: what is counted lies between nine tenths and the whole of it.
            assert len([moment for moment in taken if moment > watch.seconds - 9]) <= 0.2 * len(recent)
