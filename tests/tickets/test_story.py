"""Whatever people, desks and clocks do in whatever order: nothing is lost, nothing counted twice, and every screen is right."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dawr.accounts.rules import SYSTEM
from dawr.platform.errors import Conflict
from dawr.platform.services import Services
from dawr.tickets.queries import QueueStatus
from dawr.tickets.rules import OPEN, Place, Priority, Status, Ticket, Verb
from tests.conftest import found_house
from tests.depth import slice_or_whole
from tests.tickets.conftest import Floor
from tests.tickets.folding import Board, board, fold

CLINICS = ("lab", "xray")
PEOPLE = 8
MOVES = [Verb.SERVE, Verb.DONE, Verb.NO_SHOW, Verb.REJOIN, Verb.HOLD, Verb.RESUME, Verb.CANCEL, Verb.LATE, Verb.EXPIRE]
STORIES, TOGETHER, LONG_DAYS = slice_or_whole((8, 4, 1), (300, 150, 20))
JUMPS = [timedelta(seconds=1), timedelta(minutes=40), timedelta(hours=-5), timedelta(hours=11), timedelta(days=1)]

clinics = st.sampled_from(CLINICS)
picks = st.integers(0, 1_000)
steps = st.one_of(
    st.tuples(st.just("enter"), clinics, st.integers(1, PEOPLE), st.sampled_from(Priority)),
    st.tuples(st.just("enter"), clinics, st.integers(1, PEOPLE), st.just(Priority.NORMAL)),
    st.tuples(st.just("call next"), clinics),
    st.tuples(st.sampled_from([Verb.CALL, Verb.RECALL]), picks, st.sampled_from(["1", None])),
    st.tuples(st.just("move"), st.sampled_from(MOVES), picks),
    st.tuples(st.just("move"), st.sampled_from(MOVES), picks),
    st.tuples(st.just("transfer"), picks, st.sampled_from(Place)),
    st.tuples(st.just("undo"), picks),
    st.tuples(st.just("undo last")),
    st.tuples(st.just("jump"), st.sampled_from(JUMPS)),
    st.tuples(st.just("reset"), clinics),
    st.tuples(st.just("turn"), clinics),
)
Step = tuple[object, ...]


@dataclass
class Story:
    """Plays steps, each in a transaction as a request makes it, and looks after each that the world is whole."""

    floor: Floor
    tickets: list[Ticket] = field(default_factory=list)
    boards: dict[str, Board] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CLINICS, 0))
    last: Ticket | None = None

    async def play(self, step: Step) -> None:
        """A step that the state forbids is a conflict and changes nothing; nothing else may be raised."""
        try:
            changed = await self._do(step)
        except Conflict:
            return
        if isinstance(changed, Ticket):
            self.last = changed
            if changed.id not in {one.id for one in self.tickets}:
                self.tickets.append(changed)

    def _picked(self, number: int) -> Ticket | None:
        """A ticket of the story, the latest ones first."""
        return self.tickets[-1 - number % len(self.tickets)] if self.tickets else None

    async def _do(self, step: Step) -> object:
        floor = self.floor
        match step:
            case ("enter", str(clinic), int(person), Priority() as priority):
                actor = floor.house.rui
                return (await floor.enter_or_find(f"person-{person}", clinic=clinic, actor=actor, priority=priority))[0]
            case ("call next", str(clinic)):
                return await floor.call(clinic=clinic, desk="1")
            case ("reset", str(clinic)):
                return await floor.reset(clinic)
            case ("turn", str(clinic)):
                await floor.turn(clinic)
                return None
            case ("jump", timedelta() as by):
                floor.house.clock.offset += by
                return None
            case ("undo last",):
                return await floor.undo(self.last) if self.last else None
        return await self._do_with_ticket(step)

    async def _do_with_ticket(self, step: Step) -> object:
        floor = self.floor
        number = next(part for part in step if isinstance(part, int))
        ticket = self._picked(number)
        if ticket is None:
            return None
        match step:
            case (Verb() as verb, _, desk):
                return await floor.call_ticket(ticket, desk=desk, verb=verb)  # type: ignore[arg-type]
            case ("move", Verb() as verb, _):
                return await floor.move(ticket, verb, actor=SYSTEM)
            case ("transfer", _, Place() as place):
                return await floor.transfer(ticket, "xray" if ticket.clinic == "lab" else "lab", place=place)
            case _:
                return await floor.undo(ticket)

    async def check(self) -> None:
        for clinic in CLINICS:
            found = await self.floor.status(clinic)
            await self._check_log(clinic, found)
            check_counts(found)
        now = [await self.floor.ticket(one.id) for one in self.tickets]
        check_numbers(now)
        check_people(now)

    async def _check_log(self, clinic: str, found: QueueStatus) -> None:
        """The versions have no gap and end at the queue's; the board of before, folded with them, is the board of now."""
        log = await self.floor.log(clinic, after=self.versions[clinic])
        assert [one.version for one in log] == list(range(self.versions[clinic] + 1, found.version + 1))
        now = board(found)
        folded = fold(self.boards[clinic], log) if self.versions[clinic] else None
        assert folded is None or folded == now
        self.boards[clinic], self.versions[clinic] = now, found.version


def check_counts(found: QueueStatus) -> None:
    shown = [*found.waiting, *found.held, *(code for code, _ in (*found.called, *found.serving))]
    assert not [code for code, times in Counter(shown).items() if times > 1]
    assert min(found.done, found.gone, found.last_number) >= 0


def check_numbers(tickets: Sequence[Ticket]) -> None:
    """1, 2, 3 … for each clinic, day and series."""
    series: dict[object, list[int]] = {}
    for one in tickets:
        series.setdefault((one.clinic, one.service_day, one.series), []).append(one.number)
    for numbers in series.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def check_people(tickets: Sequence[Ticket]) -> None:
    """A ticket that was passed on has one that waits, or waited, there; no link is lost."""
    passed_on = [one.id for one in tickets if one.status is Status.TRANSFERRED]
    followed = [one.previous for one in tickets if one.previous and one.status is not Status.CANCELLED]
    assert set(passed_on) <= {one.previous for one in tickets}
    assert all(count == 1 for one, count in Counter(followed).items() if one in passed_on)
    assert all(one.status not in OPEN or one.ended_at is None for one in tickets)


@asynccontextmanager
async def a_story(services: Services) -> AsyncIterator[Story]:
    floor = Floor(await found_house(services))
    try:
        yield Story(floor)
    finally:
        floor.house.clock.offset = timedelta()


# A session's services outlive the examples of a test, and each example founds a facility of its own. A story that fails is
# short enough to be read; making it shorter would take minutes.
@settings(
    max_examples=STORIES,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps, min_size=15, max_size=30))
async def test_any_story_keeps_the_world_whole(services: Services, story: list[Step]) -> None:
    async with a_story(services) as told:
        for step in story:
            await told.play(step)
            await told.check()


@settings(
    max_examples=TOGETHER,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.lists(steps, min_size=2, max_size=6), min_size=6, max_size=12))
async def test_any_story_told_by_several_at_once_does_so_too(services: Services, rounds: list[list[Step]]) -> None:
    async with a_story(services) as told:
        for at_once in rounds:
            await asyncio.gather(*map(told.play, at_once))
            await told.check()


@pytest.mark.parametrize("seed", range(LONG_DAYS))
async def test_a_long_day_keeps_the_world_whole(services: Services, seed: int) -> None:
    """Many people, so that the rare steps meet a full room."""
    chance = random.Random(seed)
    async with a_story(services) as told:
        for n in range(12):
            await told.play(("enter", chance.choice(CLINICS), 100 + n, Priority.NORMAL))
        for _ in range(60):
            verb = chance.choice([*MOVES, Verb.CALL, Verb.RECALL])
            kind: Step = (
                (verb, chance.randrange(50), "1")
                if verb in (Verb.CALL, Verb.RECALL)
                else ("move", verb, chance.randrange(50))
            )
            others: list[Step] = [("undo last",), ("transfer", chance.randrange(50), chance.choice(list(Place)))]
            await told.play(chance.choice([kind, kind, ("call next", chance.choice(CLINICS)), *others]))
            await told.check()
