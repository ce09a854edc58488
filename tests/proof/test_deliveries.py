"""A slice of the campaign: two hundred messages, and every step at which the process that sends them can die."""

import random
from collections.abc import AsyncIterator

import pytest

from dawr.platform.services import Services
from tests.conftest import House
from tests.notifications.conftest import services_alone
from tests.proof.deliveries import Telling
from tests.proof.deliveries_worker import STEPS


@pytest.fixture(scope="module")
async def services(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with services_alone(server_url, tmp_path_factory.mktemp("alone")) as made:
        yield made


async def test_everybody_is_told_whatever_is_killed_and_twice_only_where_nobody_knew(house: House) -> None:
    found = await Telling(house, 100, 17, 3, random.Random(7)).run(within=120, kill_every=(8, 30))
    assert (found.wrong, found.lost, found.repeated, found.messages) == ([], 0, 0, 200), found
    assert set(+found.kills) >= set(STEPS), found.kills
    assert found.unknown > 0
