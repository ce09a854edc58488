"""Who is next or near is told so: by the number of people before them, or by the estimated wait; once."""

import pytest

from dawr.notifications.rules import Audience, Moment, Rule
from dawr.tickets.rules import Verb
from tests.notifications.conftest import Desk

NEXT = Rule(Moment.NEXT, Audience.PATIENT, "sms")


def near(*, ahead: int | None = None, minutes: int | None = None) -> Rule:
    return Rule(Moment.NEAR, Audience.PATIENT, "sms", ahead=ahead, minutes=minutes)


async def line(desk: Desk, count: int) -> list[str]:
    """So many people come, and the first is called."""
    codes = [(await desk.enter(f"person-{n}", phone=f"+9745550{n:04}")).code for n in range(count)]
    await desk.floor.call(desk="1")
    await desk.read()
    return codes


async def told(desk: Desk) -> list[str]:
    """What goes out now, without the estimate."""
    return sorted(one.text.split(". About")[0] for one in await desk.send())


async def test_who_is_next_and_who_is_near_by_number(desk: Desk) -> None:
    await desk.rules(NEXT, near(ahead=2))
    codes = await line(desk, 5)
    assert await told(desk) == [
        f"{codes[1]}: you are next. Lab",
        f"{codes[2]}: 1 person is before you. Lab",
        f"{codes[3]}: 2 people are before you. Lab",
    ]


async def test_who_is_near_by_the_estimated_wait(desk: Desk) -> None:
    # Eight minutes a service at two desks: the third has about eight minutes to wait.
    await desk.rules(near(minutes=9))
    codes = await line(desk, 8)
    first = [one.text for one in await desk.send()]
    assert [text.split(":")[0] for text in first] == codes[2 : 2 + len(first)]
    assert 0 < len(first) < 6
    assert "About" in first[0]


async def test_nobody_is_told_twice_that_it_is_near(desk: Desk) -> None:
    await desk.rules(NEXT, near(ahead=2))
    codes = await line(desk, 6)
    await desk.send()
    await desk.floor.call(desk="1")
    await desk.read()
    assert await told(desk) == [f"{codes[2]}: you are next. Lab", f"{codes[4]}: 2 people are before you. Lab"]


async def test_who_was_called_and_waits_again_is_told_anew(desk: Desk) -> None:
    await desk.rules(NEXT)
    await line(desk, 2)
    ticket = await desk.floor.call(desk="1")
    await desk.floor.move(ticket, Verb.NO_SHOW)
    await desk.floor.move(ticket, Verb.REJOIN)
    await desk.enter("last", phone=None)
    await desk.floor.call_ticket(await desk.enter("out of order", phone=None), desk="1")
    await desk.read()
    facts = [one.fact for one in await desk.log(ticket=ticket.id)]
    assert facts == [f"next:{ticket.id}:0", f"next:{ticket.id}:1"]


async def test_whoever_comes_is_not_told_what_their_ticket_says(desk: Desk) -> None:
    await desk.rules(NEXT, near(ahead=3))
    await desk.enter("amina")
    await desk.read()
    assert await desk.log() == []


async def test_who_has_moved_on_is_no_longer_told_that_it_is_near(desk: Desk) -> None:
    await desk.rules(near(ahead=3))
    await line(desk, 3)
    await desk.floor.call(desk="1")
    await desk.floor.call(desk="1")
    assert await desk.send() == []
    assert await desk.states() == [("near", "suppressed", "outdated")]


@pytest.mark.parametrize("rules", [(), (near(ahead=3),)])
async def test_what_a_facility_does_not_want_is_not_told(desk: Desk, rules: tuple[Rule, ...]) -> None:
    await desk.rules(*rules)
    await line(desk, 2)
    assert await desk.log() == []
