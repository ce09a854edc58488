"""Clients that keep what they asked and were answered, for the checks of histories."""

import re
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx2

from tests.proof.linearizability import Operation

QUEUE = "/api/v1/queue"
TICKET = ("ticket", "number", "status", "ahead", "existing")
EVERYTHING = (*TICKET, "clinic", "series", "code", "position", "desk", "doctor", "priority")
REFUSAL = ("code", "state")
# Nobody knows what came of a request that was cut off, or answered by a server whose store was out of reach.
UNKNOWN = (408, 500, 502, 503, 504)


@dataclass
class Recorder:
    """One history, of any number of clients; ``members`` are those of a ticket's answer that are kept."""

    operations: list[Operation] = field(default_factory=list)
    members: tuple[str, ...] = TICKET

    async def ask(
        self,
        client: httpx2.AsyncClient,
        process: int,
        verb: str,
        *,
        desk: str | None = None,
        by: str | None = None,
        **asked: str,
    ) -> Operation:
        """Asks and records: ``status``, ``reset``, ``enter`` and ``call_next`` with a clinic, other verbs with a ticket
        (``ticket`` looks at it). ``by`` names the doctor whose client this is; it is kept, not sent."""
        body = asked | ({"desk": desk} if desk else {})
        call = monotonic()
        answer = await _sent(client, verb, body)
        known = answer is not None and answer.status_code not in UNKNOWN
        output = self._seen(answer) if known and answer is not None else None
        asker = {"by": by} if by else {}
        recorded = Operation(process, call, monotonic() if known else None, verb, body | asker, output)
        self.operations.append(recorded)
        return recorded

    def _seen(self, answer: httpx2.Response) -> dict[str, Any]:
        content = answer.json()
        seen = {"http": answer.status_code}
        if answer.status_code >= 400:
            return seen | {name: content[name] for name in REFUSAL if name in content}
        if "waiting" in content:
            return seen | board_of(content)
        return seen | {name: content[name] for name in self.members}


async def _sent(client: httpx2.AsyncClient, verb: str, body: dict[str, str]) -> httpx2.Response | None:
    """The answer, or nothing where the connection was lost."""
    try:
        if verb == "status":
            return await client.get(f"{QUEUE}/status", params=body)
        if verb == "ticket":
            return await client.get(f"{QUEUE}/ticket/{body['ticket']}")
        return await client.post(f"{QUEUE}/{verb.removesuffix('_next')}", json=body)
    except httpx2.TransportError:
        return None


def board_of(content: dict[str, Any]) -> dict[str, Any]:
    """What ``/queue/status`` and ``reset`` answer, with codes without the clinic's prefix: ``031`` or ``B031``."""
    counts, at_desks = content["counts"], [*content["called"], *content["serving"]]
    return {
        "series": content["series"],
        "waiting": [label_of(code) for code in content["waiting"]],
        "called": [label_of(one["code"]) for one in content["called"]],
        "serving": [label_of(one["code"]) for one in content["serving"]],
        "held": [label_of(code) for code in content["held"]],
        "desks": {label_of(one["code"]): one["desk"] for one in at_desks},
        "done": counts["done"],
        "gone": counts["gone"],
        "last_number": content["last_number"],
    }


def label_of(code: str) -> str:
    return code.rpartition("-")[2]


def number_of(code: str) -> int:
    """Of a code of the present service day: 31 of ``LAB-031`` and of ``LAB-B031``."""
    found = re.fullmatch(r"[^/]*?(\d+)", code)
    assert found, code
    return int(found[1])
