"""Rate limits: exact for any number of callers, pools and limits at once, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.schema import CreateTable

from dawr.platform.crypto import Keyring
from dawr.platform.errors import TooManyRequests, Unavailable
from dawr.platform.metrics import Metrics
from dawr.platform.ratelimit import Limit, RateLimiter, rate_limit

SCHEMA = "rate_limit_test"
DAY = timedelta(days=1)
KEYRING = Keyring.generate()
DEVICE = Limit("device", per_period=24, period=DAY, burst=8)
ADDRESS = Limit("address", per_period=24, period=DAY, burst=5)
Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]


@pytest.fixture(scope="module")
async def pools(database_url: str) -> AsyncIterator[tuple[Pool, Pool]]:
    """Two pools, as two processes have them, on a table of this module's own."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        await connection.execute(f"SET search_path = {SCHEMA}")
        await connection.execute(str(CreateTable(rate_limit).compile(dialect=dialect())))  # type: ignore[no-untyped-call]
        kwargs = {"autocommit": True, "options": f"-c search_path={SCHEMA}"}
        async with (
            AsyncConnectionPool(database_url, kwargs=kwargs, min_size=4, max_size=8, open=False) as one,
            AsyncConnectionPool(database_url, kwargs=kwargs, min_size=4, max_size=8, open=False) as other,
        ):
            yield one, other
        await connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


@pytest.fixture
async def pool(pools: tuple[Pool, Pool]) -> Pool:
    await run(pools[0], "TRUNCATE rate_limit")
    return pools[0]


@pytest.fixture
def limiter(pool: Pool) -> RateLimiter:
    return RateLimiter(pool, KEYRING, metrics=Metrics())


async def run(pool: Pool, sql: str) -> list[Any]:
    async with pool.connection() as connection:
        cursor = await connection.execute(sql)
        return await cursor.fetchall() if cursor.description else []


async def pass_time(pool: Pool, time: timedelta) -> None:
    """What waiting does, without waiting: every moment in the table lies that much further back."""
    await run(pool, f"UPDATE rate_limit SET tat = tat - interval '{time.total_seconds()} seconds'")


async def allowed(limiter: RateLimiter, *pairs: tuple[Limit, str]) -> bool:
    try:
        await limiter.check(*pairs)
    except TooManyRequests:
        return False
    return True


async def count_allowed(limiter: RateLimiter, times: int, *pairs: tuple[Limit, str]) -> int:
    return sum([await allowed(limiter, *pairs) for _ in range(times)])


async def test_a_burst_passes_and_the_next_is_told_when_to_come_back(limiter: RateLimiter) -> None:
    assert await count_allowed(limiter, 8, (DEVICE, "phone")) == 8
    with pytest.raises(TooManyRequests) as refusal:
        await limiter.check((DEVICE, "phone"))
    assert refusal.value.retry_after is not None
    assert 3590 < refusal.value.retry_after <= 3600


async def test_who_comes_back_when_told_passes_once(limiter: RateLimiter, pool: Pool) -> None:
    await count_allowed(limiter, 8, (DEVICE, "phone"))
    await pass_time(pool, timedelta(minutes=59))
    assert not await allowed(limiter, (DEVICE, "phone"))
    await pass_time(pool, timedelta(minutes=1))
    assert await count_allowed(limiter, 3, (DEVICE, "phone")) == 1


async def test_after_a_long_rest_the_burst_is_whole_and_not_larger(limiter: RateLimiter, pool: Pool) -> None:
    await count_allowed(limiter, 8, (DEVICE, "phone"))
    await pass_time(pool, timedelta(days=30))
    assert await count_allowed(limiter, 12, (DEVICE, "phone")) == 8


async def test_subjects_and_limits_do_not_share(limiter: RateLimiter) -> None:
    await count_allowed(limiter, 9, (DEVICE, "phone"))
    assert await allowed(limiter, (DEVICE, "tablet"))
    assert await allowed(limiter, (ADDRESS, "phone"))


async def test_concurrent_callers_over_two_pools_get_exactly_the_burst(pool: Pool, pools: tuple[Pool, Pool]) -> None:
    limiters = [RateLimiter(one, KEYRING, metrics=Metrics()) for one in pools]
    for attempt in range(5):
        calls = [allowed(limiters[number % 2], (DEVICE, f"phone {attempt}")) for number in range(60)]
        assert sum(await asyncio.gather(*calls)) == 8


async def test_a_refusal_by_one_limit_takes_nothing_from_the_other(limiter: RateLimiter) -> None:
    both = ((DEVICE, "phone"), (ADDRESS, "wifi"))
    assert await count_allowed(limiter, 10, *both) == 5
    assert await count_allowed(limiter, 10, (DEVICE, "phone")) == 3


async def test_nor_does_it_when_many_race_for_the_last_place(pool: Pool, pools: tuple[Pool, Pool]) -> None:
    limiters = [RateLimiter(one, KEYRING, metrics=Metrics()) for one in pools]
    for attempt in range(5):
        device, address = (DEVICE, f"phone {attempt}"), (ADDRESS, f"wifi {attempt}")
        orders = [(device, address), (address, device)]
        calls = [allowed(limiters[number % 2], *orders[number % 3 % 2]) for number in range(60)]
        assert sum(await asyncio.gather(*calls)) == 5
        assert await count_allowed(limiters[0], 10, device) == 3


async def test_the_wait_is_the_longest_of_the_refusing_limits(limiter: RateLimiter) -> None:
    slow = Limit("slow", per_period=2, period=DAY, burst=1)
    await count_allowed(limiter, 1, (slow, "x"))
    await count_allowed(limiter, 5, (ADDRESS, "x"))
    with pytest.raises(TooManyRequests) as refusal:
        await limiter.check((ADDRESS, "x"), (slow, "x"))
    assert refusal.value.retry_after is not None
    assert 43_000 < refusal.value.retry_after <= 43_200


async def test_one_subject_named_twice_is_counted_once(limiter: RateLimiter) -> None:
    assert await count_allowed(limiter, 9, (DEVICE, "phone"), (DEVICE, "phone")) == 8


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(st.none(), st.integers(1, 7000)), min_size=1, max_size=25), burst=st.integers(1, 4))
async def test_it_is_the_algorithm_of_the_textbook(
    limiter: RateLimiter, pool: Pool, steps: list[int | None], burst: int
) -> None:
    """``None`` is a request, a number lets so many seconds pass (whole ones: the test itself takes far less)."""
    limit = Limit("model", per_period=24, period=DAY, burst=burst)
    await run(pool, "TRUNCATE rate_limit")
    ahead = 0
    for step in steps:
        if step is not None:
            await pass_time(pool, timedelta(seconds=step))
            ahead = max(0, ahead - step)
            continue
        fits = ahead + 3600 <= burst * 3600
        assert await allowed(limiter, (limit, "x")) is fits
        ahead += 3600 * fits


async def test_a_server_clock_set_back_does_not_lock_anyone_out(limiter: RateLimiter, pool: Pool) -> None:
    await count_allowed(limiter, 8, (DEVICE, "phone"))
    await pass_time(pool, -timedelta(days=400))
    assert await count_allowed(limiter, 10, (DEVICE, "phone")) == 8


async def test_the_table_does_not_know_whose_keys_they_are(limiter: RateLimiter, pool: Pool) -> None:
    await limiter.check((DEVICE, "+97455512345"), (ADDRESS, "198.51.100.7"))
    keys = [bytes(row[0]) for row in await run(pool, "SELECT key FROM rate_limit")]
    assert [len(key) for key in keys] == [16, 16]
    assert not any(b"5551" in key or b"198." in key for key in keys)


async def test_the_table_is_unlogged(pool: Pool) -> None:
    rows = await run(pool, f"SELECT relpersistence::text FROM pg_class WHERE oid = '{SCHEMA}.rate_limit'::regclass")
    assert rows == [("u",)]


async def test_the_sweep_takes_what_says_nothing_more(limiter: RateLimiter, pool: Pool) -> None:
    for number in range(3):
        await limiter.check((DEVICE, f"phone {number}"))
    await pass_time(pool, timedelta(hours=2))
    await count_allowed(limiter, 8, (DEVICE, "busy"))
    assert [await limiter.sweep(limit=2), await limiter.sweep(), await limiter.sweep()] == [2, 1, 0]
    assert not await allowed(limiter, (DEVICE, "busy"))


async def test_sweeping_and_checking_at_once_is_harmless(pool: Pool, pools: tuple[Pool, Pool]) -> None:
    quick = Limit("quick", per_period=1_000_000, period=timedelta(seconds=1), burst=1_000_000)
    one, other = (RateLimiter(pool, KEYRING, metrics=Metrics()) for pool in pools)
    checks = [one.check((quick, f"a{n % 5}"), (quick, f"b{n % 7}")) for n in range(200)]
    await asyncio.gather(*checks, *(other.sweep() for _ in range(50)))


async def test_refusals_are_counted_under_the_limit_that_refused(pool: Pool) -> None:
    metrics = Metrics()
    limiter = RateLimiter(pool, KEYRING, metrics=metrics)
    await count_allowed(limiter, 7, (DEVICE, "phone"), (ADDRESS, "wifi"))
    text = metrics.render()[0].decode()
    assert 'rate_limited_total{limit="address"} 2.0' in text
    assert 'limit="device"' not in text


async def test_switched_off_it_lets_everything_through(pool: Pool) -> None:
    limiter = RateLimiter(pool, KEYRING, metrics=Metrics(), enabled=False)
    assert await count_allowed(limiter, 50, (ADDRESS, "wifi")) == 50


async def test_without_a_database_it_is_unavailable_and_not_open() -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    async with Pool(away, min_size=0, max_size=1, timeout=0.2, open=False) as pool:
        with pytest.raises(Unavailable):
            await RateLimiter(pool, KEYRING, metrics=Metrics()).check((ADDRESS, "wifi"))


@pytest.mark.parametrize(("per_period", "seconds", "burst"), [(0, 1, 1), (1, 0, 1), (1, 1, 0), (2_000_000, 1, 1)])
def test_limits_that_count_nothing_are_refused(per_period: int, seconds: int, burst: int) -> None:
    with pytest.raises(ValueError, match="the limit odd"):
        Limit("odd", per_period=per_period, period=timedelta(seconds=seconds), burst=burst)
