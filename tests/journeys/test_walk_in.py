"""A person walks in, is called, served and done, over HTTP."""

from dawr.accounts.rules import Role
from tests.conftest import House, Live


async def test_a_walk_in_from_ticket_to_done(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as reception, live.client(house) as patient:
        entered = await patient.post(
            "/api/v1/queue/enter", json={"clinic": "lab", "user": "TEST_1", "name": "أمينة 🌙"}
        )
        assert entered.status_code == 201, entered.text
        ticket = entered.json()
        assert (ticket["code"], ticket["position"], ticket["status"]) == ("LAB-001", 1, "waiting")
        called = await reception.post("/api/v1/queue/call", json={"clinic": "lab", "desk": "2"})
        assert (called.json()["ticket"], called.json()["desk"]) == (ticket["ticket"], "2")
        secret = ticket["follow"].removeprefix("/t/")
        seen = await patient.get(f"/api/v1/queue/ticket/{ticket['ticket']}", headers={"Ticket-Secret": secret})
        assert (seen.json()["status"], seen.json()["position"]) == ("called", 0)
        for verb, status in (("serve", "serving"), ("done", "done")):
            answer = await reception.post(f"/api/v1/queue/{verb}", json={"ticket": ticket["ticket"]})
            assert answer.json()["status"] == status
        counts = (await patient.get("/api/v1/queue/status", params={"clinic": "lab"})).json()["counts"]
        assert counts == {"waiting": 0, "called": 0, "serving": 0, "held": 0, "done": 1, "gone": 0}
