"""Lines that are cut, slow, silent, and such as lose an answer: between clients and product, and product and PostgreSQL."""

import asyncio

from tests.proof.faults import Scenario
from tests.proof.faults_processes import SERVED
from tests.proof.faults_stage import Stage
from tests.proof.proxy import Proxy

ROUNDS, PAUSE = 8, 0.15
SECONDS = 3.0


def _to_server(stage: Stage) -> Proxy:
    assert stage.to_server is not None
    return stage.to_server


async def cut_clients(stage: Stage) -> None:
    for _ in range(ROUNDS):
        for line in stage.to_clients:
            line.cut()
        await asyncio.sleep(PAUSE)


async def cut_server(stage: Stage) -> None:
    for _ in range(ROUNDS):
        _to_server(stage).cut()
        await asyncio.sleep(PAUSE)


async def lose_answers(stage: Stage) -> None:
    """To clients: what they asked for is done and they are not told."""
    for _ in range(ROUNDS):
        for line in stage.to_clients:
            line.loses = 3
        await asyncio.sleep(PAUSE)
    for line in stage.to_clients:
        line.loses = 0


async def lose_commits(stage: Stage) -> None:
    """To the product: now and then the answer that is lost is that of a COMMIT."""
    for _ in range(ROUNDS):
        _to_server(stage).loses = 2
        await asyncio.sleep(PAUSE)
    _to_server(stage).loses = 0


async def slow_down(stage: Stage) -> None:
    lines = [*stage.to_clients, _to_server(stage)]
    for line in lines:
        line.delay = 0.05
    await asyncio.sleep(SECONDS)
    for line in lines:
        line.delay = 0.0


async def silence_clients(stage: Stage) -> None:
    await _silence(stage.to_clients)


async def silence_server(stage: Stage) -> None:
    await _silence([_to_server(stage)])


async def _silence(lines: list[Proxy]) -> None:
    for line in lines:
        line.hold()
    await asyncio.sleep(SECONDS)
    for line in lines:
        line.release()


SCENARIOS = (
    Scenario("clients-cut", "8 resets of every line between clients and product", SERVED, cut_clients),
    Scenario("server-cut", "8 resets of every line between product and PostgreSQL", SERVED, cut_server),
    Scenario("answers-lost", "answers to clients lost on their way", SERVED, lose_answers),
    Scenario("commits-lost", "answers of PostgreSQL, to COMMIT among others, lost", SERVED, lose_commits),
    Scenario("slow-lines", "every piece on every line 50 ms late, for 3 s", SERVED, slow_down),
    Scenario("clients-silent", "nothing passes between clients and product for 3 s", SERVED, silence_clients),
    Scenario("server-silent", "nothing passes between product and PostgreSQL for 3 s", SERVED, silence_server),
)
