"""A slice of the campaign: two hundred messages, and every step at which the process that sends them can die."""

import random

from tests.conftest import House
from tests.proof.deliveries import Telling
from tests.proof.deliveries_worker import STEPS


async def test_everybody_is_told_whatever_is_killed_and_twice_only_where_nobody_knew(house: House) -> None:
    found = await Telling(house, 100, 17, 3, random.Random(7)).run(within=120, kill_every=(8, 30))
    assert (found.wrong, found.lost, found.repeated, found.messages) == ([], 0, 0, 200), found
    assert set(+found.kills) >= set(STEPS), found.kills
    assert found.unknown > 0
