"""What the history of a queue keeps of people: nothing, not even what is unreadable."""

from dawr.tickets.rules import Verb
from tests.conftest import House, Live
from tests.tickets.conftest import Floor

AMINA = {"clinic": "lab", "user": "amina", "name": "Amina Haddad", "phone": "+97455550101"}


async def test_the_log_keeps_nothing_of_a_person(live: Live, house: House) -> None:
    """Of all that a ticket keeps of a person no part is in an event, however the person came and went."""
    floor = Floor(house)
    async with live.client(house) as phone:
        assert (await phone.post("/api/v1/queue/enter", json=AMINA)).status_code == 201
    await floor.move(await floor.call(desk="1"), Verb.DONE)
    there = await floor.enter("amina", clinic="xray", name="Amina Haddad")
    await floor.undo(await floor.call(clinic="xray"))
    await floor.transfer(there, "lab")
    async with house.here().read() as tx:
        kept = await tx.rows("SELECT person, device, name_sealed, phone_sealed FROM ticket")
        log = await tx.value("SELECT string_agg(e::text, ' ') FROM event e WHERE stream LIKE 'queue:%%'")
    secrets = {bytes(value).hex() for row in kept for value in row.values() if value}
    assert (len(kept), len(secrets) >= 6) == (3, True)
    assert [one for one in (*secrets, "amina", "Amina", "Haddad", "97455550101") if one in log] == []
