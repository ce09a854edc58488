"""Lines that are cut and answers that are lost, once each, while clients run; ``script/proof`` has two processes at it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.proof.faults_processes import SERVED
from tests.proof.faults_stage import Stage, staged
from tests.proof.test_faults import BY_NAME, survives


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with staged(replace(SERVED, processes=1)) as made:
        yield made


@pytest.mark.parametrize("name", ["clients-cut", "answers-lost", "commits-lost"])
async def test_nothing_answered_is_lost(stage: Stage, name: str) -> None:
    await survives(stage, BY_NAME[name])
