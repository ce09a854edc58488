"""The stream's entry in the OpenAPI document, by hand: its route is plain ASGI."""

from typing import Any

from dawr.platform.http.problems import documented


def _parameter(name: str, place: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": False, "description": description, "schema": {"type": "string"}}


_EXAMPLE = (
    'retry: 1000\n\nid: WyI…\nevent: connected\ndata: {"clinic":"lab","waiting":["LAB-031"],…}\n\n'
    'id: WyJ…\nevent: queue_update\ndata: {"type":"ticket_called","code":"LAB-031","number":31,"desk":"2",'
    '"from":"waiting","to":"called","ahead":null,"at":"2026-11-21T09:30:00+00:00"}\n\n'
    'event: heartbeat\ndata: {"at":"2026-11-21T09:30:15+00:00"}\n\n'
)

OPERATION: dict[str, Any] = {
    "tags": ["events"],
    "summary": "Live changes of a clinic, a ticket or a whole facility",
    "description": (
        "Server-sent events: `connected` with a snapshot, `queue_update` for each change, `reset` with a fresh snapshot, "
        "`heartbeat`. Name exactly one of `clinic`, `ticket` (its secret or staff) and `facility` (staff). "
        "The stream is closed after some minutes; come back with the last `id` and nothing is lost."
    ),
    "operationId": "event_stream",
    "parameters": [
        _parameter("clinic", "query", "The changes of one clinic's queue, by code"),
        _parameter("ticket", "query", "One ticket's own changes and its place, for staff and for who shows its secret"),
        _parameter("facility", "query", "All clinics of the facility, for staff"),
        _parameter(
            "inbox",
            "query",
            "`mine`, for staff: `inbox_update` besides, when something comes into the own inbox",
        ),
        _parameter("last_event_id", "query", "As `Last-Event-ID`, for clients that cannot set headers"),
        _parameter("Last-Event-ID", "header", "The `id` of the last event received"),
    ],
    "responses": {
        "200": {
            "description": "The stream",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        }
    }
    | {str(status): response for status, response in documented(401, 403).items()},
}
