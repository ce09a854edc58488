"""What the journeys do again and again over HTTP."""

from typing import Any

import httpx2

QUEUE = "/api/v1/queue"
NO_TICKET = "018f0000-0000-7000-8000-000000000000"
WAYS = {
    "waiting": (),
    "called": ("call",),
    "serving": ("call", "serve"),
    "held": ("hold",),
    "done": ("call", "serve", "done"),
    "no_show": ("call", "no_show"),
    "cancelled": ("cancel",),
    "transferred": ("transfer",),
}
"""How a fresh ticket comes into each state."""


async def enter(client: httpx2.AsyncClient, user: str, clinic: str = "lab", **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{QUEUE}/enter", json={"clinic": clinic, "user": user} | more)
    assert answer.status_code in (200, 201), answer.text
    ticket: dict[str, Any] = answer.json()
    return ticket


async def act(client: httpx2.AsyncClient, verb: str, ticket: dict[str, Any], **more: Any) -> httpx2.Response:
    if verb == "transfer":
        more = {"to": "xray"} | more
    return await client.post(f"{QUEUE}/{verb}", json={"ticket": ticket["ticket"]} | more)


async def done(client: httpx2.AsyncClient, verb: str, ticket: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The ticket after a verb that is possible."""
    answer = await act(client, verb, ticket, **more)
    assert answer.status_code == 200, answer.text
    after: dict[str, Any] = answer.json()
    return after


async def in_state(client: httpx2.AsyncClient, state: str, user: str = "amina") -> dict[str, Any]:
    ticket = await enter(client, user)
    for verb in WAYS[state]:
        await done(client, verb, ticket)
    return ticket


async def waiting(client: httpx2.AsyncClient, clinic: str = "lab") -> list[str]:
    codes: list[str] = (await client.get(f"{QUEUE}/status", params={"clinic": clinic})).json()["waiting"]
    return codes


def secret(ticket: dict[str, Any]) -> dict[str, str]:
    """The header that a patient's phone sends."""
    return {"Ticket-Secret": ticket["follow"].removeprefix("/t/")}


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a problem, which must be one in form, too."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]
