"""Messages are claimed, sent and marked; what becomes of each word a channel may say, and of whoever dies in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from dawr.notifications import jobs_send, store_deliveries
from dawr.notifications.channel import use
from dawr.notifications.rules import Status
from dawr.notifications.rules_channels import Outcome, Pace, Reason, Result
from dawr.platform.services import Services
from tests.notifications.conftest import Desk, services_alone

LAPSE = """
UPDATE delivery SET leased_until = now() - interval '1 second' WHERE facility_id = %(facility_id)s AND status = 'sending'
"""
DUE = "UPDATE delivery SET due = now() - interval '1 day' WHERE facility_id = %(facility_id)s"


@pytest.fixture(scope="module")
async def services(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with services_alone(server_url, tmp_path_factory.mktemp("alone")) as made:
        yield made


async def called(desk: Desk, count: int = 1) -> None:
    """So many people have been called, and the messages to them wait."""
    for number in range(count):
        await desk.floor.call_ticket(await desk.enter(f"person-{number}", phone=f"+9745550{number:04}"), desk="1")
    await desk.read()


async def settled(desk: Desk, *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while any(one.status in (Status.PENDING, Status.SENDING) for one in await desk.log()):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (Result(Outcome.SENT, "id-1"), Status.SENT, None),
        (Result(Outcome.DELIVERED), Status.DELIVERED, None),
        (Result(Outcome.REFUSED, reason=Reason.BAD_ADDRESS), Status.FAILED, "bad_address"),
        (Result(Outcome.RETRY, reason=Reason.VENDOR_BUSY), Status.PENDING, "vendor_busy"),
        (Result(Outcome.UNKNOWN, reason=Reason.NO_ANSWER), Status.PENDING, "no_answer"),
    ],
)
async def test_what_the_channel_says_is_written_down(
    desk: Desk, said: Result, status: Status, reason: str | None
) -> None:
    await called(desk)
    (ready,) = await desk.claim()
    assert await desk.settle(ready, said)
    (one,) = await desk.log()
    assert (one.status, one.reason, one.unknown) == (status, reason, int(said.outcome is Outcome.UNKNOWN))


async def test_a_claimed_message_is_nobody_elses_until_its_lease_runs_out(desk: Desk) -> None:
    await called(desk)
    (first,) = await desk.claim()
    assert await desk.claim() == []
    await desk.change(LAPSE)
    async with desk.sender():
        await desk.carrier.until(lambda: len(desk.carrier.messages) == 1)
        await settled(desk)
    assert desk.carrier.messages[0].key == first.message.key
    (one,) = await desk.log()
    assert (one.status, one.unknown, one.attempts) == (Status.SENT, 1, 2)


async def test_whose_lease_ran_out_changes_nothing_any_more(desk: Desk) -> None:
    await called(desk)
    (late,) = await desk.claim()
    await desk.change(LAPSE)
    async with desk.sender():
        await settled(desk)
    assert not await desk.settle(late, Result(Outcome.REFUSED, reason=Reason.BROKEN))
    assert [one.status for one in await desk.log()] == [Status.SENT]


async def test_several_senders_send_each_message_once(desk: Desk) -> None:
    await called(desk, 30)
    async with desk.sender(), desk.sender(), desk.sender():
        await settled(desk)
    assert len(desk.carrier.messages) == len({one.key for one in desk.carrier.messages}) == 30


async def test_a_new_message_is_sent_without_waiting_for_the_next_look(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dawr.notifications.jobs_rounds.POLL_SECONDS", 60)
    async with desk.sender():
        await asyncio.sleep(0.1)
        await called(desk)
        await desk.carrier.until(lambda: len(desk.carrier.messages) == 1, seconds=5)


async def test_what_breaks_on_the_way_is_sent_again_under_the_same_key(desk: Desk) -> None:
    desk.carrier.says = [ConnectionResetError("said +97455504321"), Result(Outcome.RETRY, reason=Reason.VENDOR_AWAY)]
    await called(desk)
    async with desk.sender():
        for _ in range(2):
            tries = len(desk.carrier.messages)
            await desk.carrier.until(lambda tries=tries: len(desk.carrier.messages) > tries)  # type: ignore[misc]
            await asyncio.sleep(0.1)
            await desk.change(DUE)
        await settled(desk)
    assert len({one.key for one in desk.carrier.messages}) == 1
    (one,) = await desk.log()
    assert (one.status, one.attempts, one.unknown) == (Status.SENT, 3, 1)


async def test_a_call_that_hangs_is_given_up_with_an_unknown_outcome(desk: Desk) -> None:
    desk.carrier.pace, desk.carrier.hangs = Pace(seconds=0.05), True
    await called(desk)
    async with desk.sender():
        async with asyncio.timeout(10):
            while not (await desk.log())[0].unknown:
                await asyncio.sleep(0.02)
    assert (await desk.log())[0].reason == "no_answer"


async def test_pauses_grow_and_end_at_the_deadline(desk: Desk) -> None:
    await called(desk)
    retry = Result(Outcome.RETRY, reason=Reason.VENDOR_AWAY)
    pauses = []
    for _ in range(20):
        (ready,) = await desk.claim()
        mark = jobs_send.mark_of(ready, retry, desk.services.clock, share=1.0)
        await desk.settle(ready, retry, share=1.0)
        if mark.status is Status.FAILED:
            break
        assert mark.due is not None
        pauses.append((mark.due - desk.services.clock.now()).total_seconds())
        await desk.change(DUE)
    assert [round(one) for one in pauses[:6]] == [2, 4, 8, 16, 32, 64]
    (one,) = await desk.log()
    assert (one.status, one.reason) == (Status.FAILED, "vendor_away")


async def test_the_pause_that_a_vendor_names_is_kept_for_the_whole_channel(desk: Desk) -> None:
    desk.carrier.pace = Pace(at_once=1, per_second=1000, burst=1000)
    desk.carrier.says = [Result(Outcome.RETRY, reason=Reason.VENDOR_BUSY, retry_after=1.5)]
    await called(desk, 3)
    begun = asyncio.get_running_loop().time()
    async with desk.sender():
        await settled(desk, seconds=30)
    assert asyncio.get_running_loop().time() - begun >= 1.5
    assert len(desk.carrier.messages) == 4


async def test_a_vendors_pace_is_kept_by_all_senders_together(desk: Desk) -> None:
    await called(desk, 12)
    desk.carrier.name = f"carrier-{desk.house.facility.slug}"
    desk.carrier.pace = Pace(per_second=5, burst=5)
    use(desk.services, [desk.carrier])
    await desk.change(
        "UPDATE delivery SET channel = %(name)s WHERE facility_id = %(facility_id)s", name=desk.carrier.name
    )
    begun = asyncio.get_running_loop().time()
    async with desk.sender(), desk.sender():
        await settled(desk, seconds=30)
    assert asyncio.get_running_loop().time() - begun >= (12 - 5 - 1) / 5
    assert len(desk.carrier.messages) == 12


async def test_your_turn_is_worthless_after_ten_minutes(desk: Desk) -> None:
    await called(desk)
    desk.house.clock.offset += timedelta(minutes=11)
    assert await desk.claim() == []
    assert await desk.states() == [("your_turn", "expired", "too_late")]


async def test_the_urgent_goes_before_what_can_wait(desk: Desk) -> None:
    await called(desk, 3)
    (waits, *_) = await desk.log()
    await desk.change("UPDATE delivery SET rank = 1 WHERE delivery = %(one)s", one=waits.delivery)
    assert waits.delivery not in [one.claim.delivery for one in await desk.claim(limit=2)]


async def test_what_a_vendor_answers_is_kept_only_if_it_is_plain(desk: Desk) -> None:
    await called(desk)
    (ready,) = await desk.claim()
    await desk.settle(ready, Result(Outcome.SENT, provider_id="for Amina Noor", detail="ok\nAmina"))
    assert (await desk.log())[0].provider_id is None


async def test_stopping_is_quick_and_what_was_underway_is_not_taken_for_sent(desk: Desk) -> None:
    desk.carrier.hangs = True
    await called(desk)
    async with desk.sender():
        await desk.carrier.until(lambda: bool(desk.carrier.messages))
        stopped = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - stopped < 2.5
    (one,) = await desk.log()
    # Said in time that nobody knows, or left to the lease.
    assert (one.status, one.unknown) in ((Status.PENDING, 1), (Status.SENDING, 0))


async def test_no_more_is_claimed_than_there_is_room_for(desk: Desk) -> None:
    await called(desk)
    copies = """
    INSERT INTO delivery (facility_id, delivery, fact, channel, recipient, moment, template, language, numbers, rank, status,
      due, deadline, created_at)
    SELECT facility_id, gen_random_uuid(), fact || n, channel, recipient, moment, template, language, numbers, rank, status,
      due, deadline, created_at FROM delivery, generate_series(1, 300) n WHERE facility_id = %(facility_id)s
    """
    await desk.change(copies)
    async with desk.house.here().write() as tx:
        assert len(await store_deliveries.claim(tx, "sms", limit=3)) == 3
    assert len(await desk.log(status="sending")) == 3
