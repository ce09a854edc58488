"""The day's figures, for staff alone."""

from dawr.accounts.rules import Role
from tests.conftest import House, Live


async def test_figures_of_the_day(live: Live, house: House) -> None:
    async with live.staff(house, Role.RECEPTION) as rui, live.client(house) as stranger:
        for user in ("amina", "second"):
            await rui.post("/api/v1/queue/enter", json={"clinic": "lab", "user": user})
        called = (await rui.post("/api/v1/queue/call", json={"clinic": "lab"})).json()
        await rui.post("/api/v1/queue/done", json={"ticket": called["ticket"]})
        figures = (await rui.get("/api/v1/metrics")).json()["clinics"]
        assert (await stranger.get("/api/v1/metrics")).status_code == 401
    lab, xray = figures
    assert (lab["clinic"], lab["total"], lab["waiting"], lab["served"]) == ("lab", 2, 1, 1)
    assert (xray["total"], xray["mean_wait_minutes"]) == (0, None)
