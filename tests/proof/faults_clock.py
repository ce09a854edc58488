"""Clocks that jump, the turn of the service day, and the days on which the clocks of a country change."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tests.proof.driver import Mix
from tests.proof.faults import Scenario
from tests.proof.faults_stage import Setting, Stage

CLOCKED = Setting(processes=2, clocked=True)
ZONE = ZoneInfo("Europe/Berlin")
# In spring this time of day does not exist, in autumn it comes twice.
PIVOT = time(2, 30)
# A board of two service days marks codes, and priorities and places go by a clock; the model of the queue knows neither.
DAYS = Mix(looks=False)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEAR = timedelta(seconds=1)
A_WHILE = 2.0


async def a_day(stage: Stage) -> None:
    """A day forward, a day back, and right again."""
    for move in (DAY, -DAY, timedelta()):
        stage.set_clock(datetime.now(UTC) + move)
        await asyncio.sleep(A_WHILE)


async def over_the_pivot(stage: Stage) -> None:
    """The service day turns while people come, more of them than there are seconds."""
    now = stage.now()
    turn = now.replace(hour=12, minute=0, second=0, microsecond=0)
    await stage.change_facility(zone="UTC", pivot="12:00")
    stage.set_clock((turn if turn > now + HOUR else turn + DAY) - NEAR)
    await asyncio.sleep(A_WHILE)


async def change_of_clocks(stage: Stage) -> None:
    """The next change after the present, with the pivot in the hour that is skipped, or comes twice."""
    await stage.change_facility(zone=str(ZONE), pivot=f"{PIVOT:%H:%M}")
    change = next_change(stage.now() + DAY)
    for instant in (change - HOUR / 2, change, change + HOUR / 2, change + HOUR):
        stage.set_clock(instant - NEAR)
        await asyncio.sleep(A_WHILE)


def next_change(after: datetime) -> datetime:
    """The first full hour (UTC) after which the clocks of ``ZONE`` show another difference to UTC."""
    hour = after.replace(minute=0, second=0, microsecond=0)
    while hour.astimezone(ZONE).utcoffset() == (hour + HOUR).astimezone(ZONE).utcoffset():
        hour += HOUR
    return hour + HOUR


SCENARIOS = (
    Scenario(
        "a-day-off", "the clock a day forward, a day back, and right again", CLOCKED, a_day, 3, mix=DAYS, days=True
    ),
    Scenario("pivot", "the service day turns", CLOCKED, over_the_pivot, 3, mix=DAYS, days=True),
    Scenario(
        "clocks-change",
        "the clocks change in spring, in autumn, in spring, with the pivot in the hour skipped or repeated",
        CLOCKED,
        change_of_clocks,
        3,
        mix=DAYS,
        days=True,
    ),
)
