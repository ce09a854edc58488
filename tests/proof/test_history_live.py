"""What the clients of the running product saw is linearizable: every verb, two clinics, one process and two."""

import asyncio
import random
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from dawr.accounts.rules import Role
from tests.conftest import House, Live
from tests.proof import history
from tests.proof.houses import DESKS, process_beside, reached
from tests.proof.queue_model import STEPS, QueueModel, check_queues
from tests.proof.recorder import EVERYTHING, Recorder

VAR = Path(__file__).parents[2] / "var"
CLIENTS, ROUNDS = 12, 30
PEOPLE = 50
# Many people for few desks, so that the steps near the front have a line to stand in.
VERBS = ["enter"] * 14 + ["call_next"] * 4 + ["status"] * 2 + ["ticket"] + ["undo"] * 4 + ["transfer"] * 4 + [*STEPS]
VERBS += ["no_show", "rejoin", "late", "hold", "resume", "recall", "recall"]
PRIORITIES = ["normal"] * 4 + ["priority", "emergency"]
PLACES = ["end", "front", "by_arrival"]


@dataclass
class Crowd:
    """Who asks: patients' phones, the reception, a doctor of the lab and the administrator, each at every process."""

    recorder: Recorder
    phones: Sequence[httpx2.AsyncClient] = ()
    rui: Sequence[httpx2.AsyncClient] = ()
    dana: Sequence[httpx2.AsyncClient] = ()
    ada: Sequence[httpx2.AsyncClient] = ()
    seen: list[str] = field(default_factory=list)
    deck: list[str] = field(default_factory=list)

    async def act(self, process: int, chance: random.Random) -> None:
        """One step of one client; it names tickets that somebody has been shown, the latest more often."""
        at = chance.randrange(len(self.rui))
        verb = self._drawn(chance) if self.seen else "enter"
        clinic = chance.choice(["lab", "lab", "xray"])
        if verb == "enter":
            await self._enter(process, chance, at, clinic)
        elif verb == "status":
            await self.recorder.ask(self.phones[at], process, verb, clinic=clinic)
        elif verb == "call_next":
            await self._call_next(process, chance, at, clinic)
        else:
            await self._step(process, chance, at, verb)
        found = self.recorder.operations[-1].output
        if found and "ticket" in found:
            self.seen.append(found["ticket"])

    def _drawn(self, chance: random.Random) -> str:
        """From a deck of all verbs that everybody draws from, so that each of them occurs."""
        self.deck = self.deck or chance.sample(VERBS, len(VERBS))
        return self.deck.pop()

    async def _enter(self, process: int, chance: random.Random, at: int, clinic: str) -> None:
        user, doctor = f"person-{chance.randrange(PEOPLE)}", chance.choice([None, None, None, "dana", "omar"])
        asked = {"clinic": clinic, "user": user} | ({"doctor": doctor} if doctor and clinic == "lab" else {})
        if chance.random() < 0.6:
            await self.recorder.ask(self.phones[at], process, "enter", **asked)
        else:
            await self.recorder.ask(self.rui[at], process, "enter", **asked, priority=chance.choice(PRIORITIES))

    async def _call_next(self, process: int, chance: random.Random, at: int, clinic: str) -> None:
        desk = chance.choice([None, "1", "2"])
        if chance.random() < 0.4:
            await self.recorder.ask(self.dana[at], process, "call_next", clinic="lab", desk=desk, by="dana")
        else:
            await self.recorder.ask(self.rui[at], process, "call_next", clinic=clinic, desk=desk)

    async def _step(self, process: int, chance: random.Random, at: int, verb: str) -> None:
        ticket = chance.choice(self.seen[-40:])
        if verb == "transfer":
            to, place = chance.choice([*DESKS]), chance.choice(PLACES)
            await self.recorder.ask(self.rui[at], process, verb, ticket=ticket, to=to, place=place)
        elif verb in ("call", "recall"):
            await self.recorder.ask(self.rui[at], process, verb, ticket=ticket, desk=chance.choice([None, "1", "2"]))
        else:
            await self.recorder.ask(self.rui[at], process, verb, ticket=ticket)

    async def stay(self, process: int, chance: random.Random) -> None:
        for _ in range(ROUNDS):
            await self.act(process, chance)

    async def reset(self, chance: random.Random) -> None:
        """The administrator starts a new series of the lab when half of it is over."""
        while len(self.recorder.operations) < CLIENTS * ROUNDS // 2:
            await asyncio.sleep(0.01)
        await self.recorder.ask(chance.choice(self.ada), CLIENTS, "reset", clinic="lab", reason="drill")


async def recorded(lives: Sequence[Live], house: House, seed: int) -> Recorder:
    crowd, chance = Crowd(Recorder(members=EVERYTHING)), random.Random(seed)
    first = lives[0]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        crowd.phones = await enter(reached(lives, first.client(house)))
        crowd.rui = await enter(reached(lives, await enter(first.staff(house, Role.RECEPTION))))
        dana = await enter(first.staff(house, Role.DOCTOR, clinics=["lab"], doctor="dana"))
        crowd.dana = await enter(reached(lives, dana))
        crowd.ada = await enter(reached(lives, await enter(first.staff(house, Role.ADMINISTRATOR))))
        clients = [crowd.stay(n, random.Random(chance.random())) for n in range(CLIENTS)]
        await asyncio.gather(crowd.reset(chance), *clients)
        for clinic in DESKS:
            await crowd.recorder.ask(crowd.rui[-1], CLIENTS, "status", clinic=clinic)
    return crowd.recorder


def kept(folder: Path, seed: int) -> Path:
    """Where the history of a failure stays: the next run may be another one."""
    VAR.mkdir(mode=0o711, exist_ok=True)
    return Path(shutil.copy(folder / "history.jsonl", VAR / f"history-{seed}.jsonl"))


async def judge(lives: Sequence[Live], house: House, folder: Path) -> None:
    seed = random.randrange(1_000_000)
    operations = (await recorded(lives, house, seed)).operations
    history.write(folder / "history.jsonl", operations)
    assert not [one for one in operations if one.output is None]
    assert {one.verb for one in operations} == {*VERBS, "reset"}
    found = check_queues(operations, deadline=20, model=QueueModel(desks=DESKS))
    assert [*found] == ["lab+xray"]
    assert found["lab+xray"].ok, f"seed {seed}, {kept(folder, seed)}: {found['lab+xray'].report()}"
    lasts = {("lab", None, 2): operations[-2].output, ("xray", None, 1): operations[-1].output}
    assert history.repeated_numbers(operations) == []
    assert history.overtaken_numbers(operations) == []
    assert history.called_twice(operations) == []
    assert (
        history.missing_numbers(operations, {one: board["last_number"] for one, board in lasts.items() if board}) == []
    )


async def test_what_clients_of_one_process_saw_is_linearizable(live: Live, house: House, tmp_path: Path) -> None:
    await judge([live], house, tmp_path)


async def test_what_clients_of_two_processes_saw_is_linearizable(live: Live, house: House, tmp_path: Path) -> None:
    async with process_beside(live, tmp_path) as other:
        await judge([live, other], house, tmp_path)
