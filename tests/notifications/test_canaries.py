"""Nothing that describes a person is in a log, in the outbox, in an event, or readable in a row of notifications."""

import logging
from collections.abc import AsyncIterator

import pytest

from dawr.notifications.rules_channels import Outcome, Reason, Result
from dawr.patients.rules import Identity, Preferences
from dawr.platform.services import Services
from tests.notifications.conftest import Desk, services_alone
from tests.visits.conftest import Reception

NAME, PHONE, EMAIL = "Zaynab Canary", "+97455517293", "zaynab.canary@example.org"
CANARIES = ("Zaynab", "Canary", "55517293", "canary@", "/t/")
ROWS = """
SELECT coalesce(string_agg(row_to_json(t)::text, ' '), '') FROM {table} t WHERE facility_id = %(facility_id)s
"""
TABLES = ("notice", "delivery", "notification_rule", "notification_cursor", "event", "outbox")


@pytest.fixture(scope="module")
async def services(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with services_alone(server_url, tmp_path_factory.mktemp("alone")) as made:
        yield made


async def told(desk: Desk, reception: Reception) -> None:
    """A patient with everything that may be known comes, is called, and the gateway answers in every way."""
    known = Identity(name=NAME, phones=(PHONE,), email=EMAIL, preferences=Preferences())
    patient = await reception.patient(NAME, phones=known.phones, email=known.email)
    visit = await reception.visit(patient)
    await desk.visit_event(visit.visit)
    await desk.floor.call_ticket(await reception.ticket(visit), desk="1")
    await desk.read()
    desk.carrier.says = [
        ConnectionError(f"{PHONE} of {NAME} hung up"),
        Result(Outcome.REFUSED, f"id of {NAME}", Reason.BAD_ADDRESS, detail=f"no such number {PHONE}"),
    ]
    async with desk.sender():
        for _ in range(2):
            tries = len(desk.carrier.messages)
            await desk.carrier.until(lambda tries=tries: len(desk.carrier.messages) > tries)  # type: ignore[misc]
            await desk.change("UPDATE delivery SET due = now() - interval '1 day'")


async def test_no_row_and_no_line_of_the_log_tells_who_it_was(
    desk: Desk, reception: Reception, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    await told(desk, reception)
    assert desk.carrier.messages[0].to == PHONE
    async with desk.house.here().read() as tx:
        rows = [await tx.value(ROWS.format(table=table)) for table in TABLES]
    out = capsys.readouterr()
    said = " ".join([*rows, caplog.text, out.out, out.err])
    assert rows[1]
    assert [one for one in CANARIES if one in said] == []


async def test_what_is_handed_over_does_not_say_itself(desk: Desk, reception: Reception) -> None:
    """A message is printed by a debugger or a log of the vendor's client, not by ours."""
    await desk.floor.call_ticket(await desk.enter("amina", phone=PHONE), desk="1")
    await desk.read()
    (ready,) = await desk.claim()
    assert "55517293" not in repr(ready.message)
    assert ready.message.text not in repr(ready.message)
