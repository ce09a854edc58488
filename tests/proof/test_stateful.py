"""Any day in a clinic, step by step against the model: what is answered, who stands where, what the log says."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dawr.platform.errors import Problem
from dawr.platform.services import Services
from dawr.tickets.rules import Place, Priority, Ticket, Verb
from tests.conftest import found_house
from tests.depth import slice_or_whole
from tests.proof.houses import DESKS
from tests.proof.linearizability import Operation
from tests.proof.queue_model import QueueModel
from tests.proof.queue_state import House as Queues
from tests.proof.recorder import EVERYTHING, REFUSAL, board_of
from tests.tickets.conftest import Floor
from tests.tickets.folding import Board, board, fold

DAYS, STEPS = slice_or_whole((8, 25), (150, 40))
MOVES = [Verb.SERVE, Verb.DONE, Verb.NO_SHOW, Verb.REJOIN, Verb.HOLD, Verb.RESUME, Verb.CANCEL, Verb.LATE]
T = TypeVar("T")

clinics = st.sampled_from(["lab", "lab", "xray"])
picks = st.integers(0, 7)
desks = st.sampled_from([None, "1", "2", "9"])
people = st.integers(0, 11)


@dataclass
class Day:
    """One house and the states that the model may be in after everything that was answered."""

    floor: Floor
    model: QueueModel = field(default_factory=lambda: QueueModel(desks=DESKS))
    states: frozenset[Queues] = frozenset([Queues()])
    story: list[Operation] = field(default_factory=list)
    tickets: list[str] = field(default_factory=list)
    boards: dict[str, Board] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DESKS, 0))

    async def do(
        self, verb: str, doing: Coroutine[Any, Any, Ticket | tuple[Ticket, bool]], **asked: str | None
    ) -> None:
        """One step of the product, and of the model."""
        try:
            done = await doing
        except Problem as problem:
            known = {"code": problem.code} | {name: problem.extra[name] for name in REFUSAL if name in problem.extra}
            self._agree(verb, asked, {"http": problem.status} | known)
            return
        ticket, existing = done if isinstance(done, tuple) else (done, False)
        if str(ticket.id) not in self.tickets:
            self.tickets.append(str(ticket.id))
        http = 201 if verb == "enter" and not existing else 200
        answer = (await self.floor.view(ticket.id)).answer(existing=existing)
        self._agree(verb, asked, {"http": http} | {name: answer[name] for name in EVERYTHING})

    async def reset(self, clinic: str) -> None:
        await self.floor.reset(clinic)
        await self.look(clinic, verb="reset")

    async def look(self, clinic: str, verb: str = "status") -> None:
        """What the board shows is what the model's does; the board of before, folded with what was told meanwhile, too."""
        found = await self.floor.status(clinic)
        self._agree(verb, {"clinic": clinic}, {"http": 200} | board_of(found.answer()))
        log = await self.floor.log(clinic, after=self.versions[clinic])
        assert [one.version for one in log] == list(range(self.versions[clinic] + 1, found.version + 1))
        now = board(found)
        folded = fold(self.boards[clinic], log) if clinic in self.boards else None
        # Nothing but a new series asks for a fresh look.
        assert folded == now or (folded is None and (verb == "reset" or clinic not in self.boards))
        self.boards[clinic], self.versions[clinic] = now, found.version

    def _agree(self, verb: str, asked: dict[str, Any], answer: dict[str, Any]) -> None:
        at = float(len(self.story))
        asked = {name: value for name, value in asked.items() if value is not None}
        self.story.append(Operation(0, at, at + 0.5, verb, asked, answer))
        after = frozenset(one for state in self.states for one in self.model.step(state, self.story[-1]))
        assert after, "\n".join(["the model allows no such answer:", *map(str, self.story)])
        self.states = after


class Days(RuleBasedStateMachine):
    """``loop`` runs in the test's own thread; the rules wait for it in another."""

    loop: asyncio.AbstractEventLoop
    services: Services

    def __init__(self) -> None:
        super().__init__()
        self.day = Day(Floor(self.wait(found_house(self.services))))
        self.floor = self.day.floor

    def wait(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self.loop).result(60)

    def pick(self, number: int) -> Ticket:
        """One of the tickets, the latest ones first."""
        ticket_id = self.day.tickets[-1 - number % len(self.day.tickets)]
        return self.wait(self.floor.ticket(UUID(ticket_id)))

    @initialize(lab=st.integers(0, 6), xray=st.integers(0, 4))
    def some_came_early(self, lab: int, xray: int) -> None:
        for clinic, count in (("lab", lab), ("xray", xray)):
            for person in range(count):
                self.comes(clinic=clinic, person=person, doctor=None)

    @rule(clinic=clinics, person=people, doctor=st.sampled_from([None, None, "dana", "omar"]))
    def comes(self, clinic: str, person: int, doctor: str | None) -> None:
        doctor = doctor if clinic == "lab" else None
        doing = self.floor.enter_or_find(f"person-{person}", clinic=clinic, doctor=doctor)
        self.wait(self.day.do("enter", doing, clinic=clinic, user=f"person-{person}", doctor=doctor))

    @rule(clinic=clinics, person=people, priority=st.sampled_from(Priority))
    def is_brought(self, clinic: str, person: int, priority: Priority) -> None:
        rui, user = self.floor.house.rui, f"person-{person}"
        doing = self.floor.enter_or_find(user, clinic=clinic, actor=rui, priority=priority)
        self.wait(self.day.do("enter", doing, clinic=clinic, user=user, priority=priority.value))

    @rule(clinic=clinics, desk=desks, by_dana=st.booleans())
    def next_is_called(self, clinic: str, desk: str | None, by_dana: bool) -> None:
        by = "dana" if by_dana and clinic == "lab" else None
        doing = self.floor.call(clinic=clinic, desk=desk, actor=self.floor.house.dana if by else None)
        self.wait(self.day.do("call_next", doing, clinic=clinic, desk=desk, by=by))

    @precondition(lambda self: self.day.tickets)
    @rule(number=picks, desk=desks, verb=st.sampled_from([Verb.CALL, Verb.RECALL]))
    def is_called(self, number: int, desk: str | None, verb: Verb) -> None:
        ticket = self.pick(number)
        doing = self.floor.call_ticket(ticket, desk=desk, verb=verb)
        self.wait(self.day.do(verb.value, doing, ticket=str(ticket.id), desk=desk))

    @precondition(lambda self: self.day.tickets)
    @rule(number=picks, verb=st.sampled_from(MOVES))
    def is_moved(self, number: int, verb: Verb) -> None:
        ticket = self.pick(number)
        self.wait(self.day.do(verb.value, self.floor.move(ticket, verb), ticket=str(ticket.id)))

    @precondition(lambda self: self.day.tickets)
    @rule(number=picks, verb=st.sampled_from([Verb.NO_SHOW, Verb.LATE, Verb.HOLD]), resumed=st.booleans())
    def goes_and_comes_back(self, number: int, verb: Verb, resumed: bool) -> None:
        """What leads back into the line takes several steps, seldom taken by chance."""
        self.is_called(number=number, desk=None, verb=Verb.CALL)
        self.is_moved(number=number, verb=verb)
        if resumed and verb is not Verb.LATE:
            self.is_moved(number=number, verb=Verb.REJOIN if verb is Verb.NO_SHOW else Verb.RESUME)

    @precondition(lambda self: self.day.tickets)
    @rule(number=picks, desk=desks, again=desks)
    def is_called_again(self, number: int, desk: str | None, again: str | None) -> None:
        self.is_called(number=number, desk=desk, verb=Verb.CALL)
        self.is_called(number=number, desk=again, verb=Verb.RECALL)

    @precondition(lambda self: self.day.tickets)
    @rule(number=picks, to=st.sampled_from(["lab", "xray"]), place=st.sampled_from(Place))
    def is_passed_on(self, number: int, to: str, place: Place) -> None:
        ticket = self.pick(number)
        doing = self.floor.transfer(ticket, to, place=place)
        self.wait(self.day.do("transfer", doing, ticket=str(ticket.id), to=to, place=place.value))

    @precondition(lambda self: self.day.tickets)
    @rule(number=picks)
    def is_undone(self, number: int) -> None:
        ticket = self.pick(number)
        self.wait(self.day.do("undo", self.floor.undo(ticket), ticket=str(ticket.id)))

    @precondition(lambda self: len(self.day.tickets) > 6)
    @rule(clinic=clinics, seldom=st.integers(0, 4))
    def is_reset(self, clinic: str, seldom: int) -> None:
        if seldom == 0:
            self.wait(self.day.reset(clinic))

    @invariant()
    def all_is_as_the_model_has_it(self) -> None:
        for clinic in DESKS:
            self.wait(self.day.look(clinic))


@pytest.mark.timeout(60 + 3 * DAYS)
@pytest.mark.usefixtures("house")  # for its clock
async def test_any_day_is_one_that_the_model_allows(services: Services) -> None:
    class Here(Days):
        pass

    Here.loop, Here.services = asyncio.get_running_loop(), services
    # A story that fails is short enough to be read; making it shorter would take minutes.
    profile = settings(
        max_examples=DAYS,
        stateful_step_count=STEPS,
        deadline=None,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, Here, settings=profile)
