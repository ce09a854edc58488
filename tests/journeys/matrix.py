"""Who may use which operation, and how each is asked: one row for every operation of the API, in an order in which a house can
live through all of them.

``$patient`` in a query or body is a thing of the house in question (``matrix_stage.Things``), as ``{patient}`` is in a path.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import PASSWORD

STRANGER, DISPLAY, DOCTOR, RECEPTION, ADMINISTRATOR, OPERATOR = ROLES = (
    "stranger",
    "display",
    "doctor",
    "reception",
    "administrator",
    "operator",
)
ANYBODY = frozenset(ROLES)
SIGNED_IN = ANYBODY - {STRANGER}
WATCHES = frozenset({DISPLAY, DOCTOR, RECEPTION, ADMINISTRATOR})
WORKS = WATCHES - {DISPLAY}
DESK = frozenset({RECEPTION, ADMINISTRATOR})
ADMIN = frozenset({ADMINISTRATOR})
DOCTORS = frozenset({DOCTOR})
INSTALLATION = frozenset({OPERATOR})
NOBODY: frozenset[str] = frozenset()

DONE = frozenset({200, 201, 204, 409})
"""Done, or not in this state: either way nobody was kept from it."""


@dataclass(frozen=True)
class Row:
    """``operation`` as in the OpenAPI document. ``things`` says which of the house's things a name of the path means, where not
    the one of that name; ``fresh`` are things that are made by it or only written down, so that they name nobody else's;
    ``answers`` is what whoever may use it is told.
    """

    operation: str
    who: frozenset[str]
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    things: Mapping[str, str] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()
    answers: frozenset[int] = DONE

    @property
    def method(self) -> str:
        return self.operation.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.operation.partition(" ")[2]


NAMES = {"en": "A name"}
WHY = {"reason": "Because of the test"}
TICKET = {"ticket": "$ticket"}
HOURS = {"weekday": "mon", "from": "00:00", "to": "23:00", "slot_minutes": 30, "capacity": 50, "clinic": "$clinic"}
POINT = base64.urlsafe_b64encode(b"\4" + bytes(64)).rstrip(b"=").decode()
BROWSER = {"endpoint": "https://push.example.org/4711", "p256dh": POINT, "auth": "A" * 22}
PUSH = TICKET | BROWSER
SMS = {"url": "https://127.0.0.1:9/send"}
HUB = {"hub.mode": "subscribe", "hub.verify_token": "not the token", "hub.challenge": "4711"}
RULES = {"late_minutes": 15, "no_show_minutes": 30, "offer_minutes": 60, "reminders": [120]}
ACCOUNT = {"role": "doctor", "clinics": ["$clinic"], "doctor": "$doctor", "desk": "$desk"}
NOTHING = "018f0000-0000-7000-8000-000000000000"
LOGIN = {"email": "nobody@test.example", "password": "not the password"}
VERBS = ("recall", "serve", "hold", "resume", "no_show", "rejoin", "late", "undo", "done", "cancel")
V1 = "/api/v1"


def row(operation: str, who: frozenset[str], body: Mapping[str, Any] | None = None, **more: Any) -> Row:
    """``answers`` may be one status, ``fresh`` is one name."""
    if isinstance(more.get("answers"), int):
        more["answers"] = frozenset({more["answers"]})
    more["fresh"] = frozenset({more["fresh"]}) if "fresh" in more else frozenset()
    return Row(operation.replace(" ", f" {V1}", 1), who, body, **more)


def _reads() -> list[Row]:
    return [
        row("GET /health/live", ANYBODY),
        row("GET /health", ANYBODY),
        row("GET /health/ready", ANYBODY),
        Row("GET /metrics", ANYBODY, answers=frozenset({401})),
        row("GET /auth/me", SIGNED_IN),
        row("GET /facility", ANYBODY),
        row("GET /facilities", INSTALLATION),
        row("GET /clinics", ANYBODY),
        row("GET /clinics/{clinic}", ANYBODY),
        row("GET /clinics/{clinic}/poster", WATCHES),
        row("GET /departments", ANYBODY),
        row("GET /departments/{department}", ANYBODY),
        row("GET /doctors", ANYBODY),
        row("GET /doctors/{doctor}", ANYBODY),
        row("GET /doctors/{doctor}/slots", ANYBODY),
        row("GET /doctors/{doctor}/schedule", DESK | DOCTORS),
        row("GET /doctors/{doctor}/leave", DESK | DOCTORS),
        row("GET /doctors/{doctor}/figures", WORKS),
        row("GET /users", ADMIN),
        row("GET /users/{user}", ADMIN),
        row("GET /queue/status", ANYBODY, query={"clinic": "$clinic"}),
        row("GET /queue/tickets", WORKS, query={"clinic": "$clinic"}),
        row("GET /queue/ticket/{ticket}", WATCHES),
        row("GET /queue/ticket/{ticket}/history", WORKS),
        Row(f"GET {V1}/metrics", WORKS),
        row("GET /ratings", WORKS, query={"clinic": "$clinic"}),
        row("GET /visits", DESK, query={"clinic": "$clinic", "total": "true"}),
        row("GET /visits/{visit}", WORKS),
        row("GET /patients/{patient}", WORKS),
        row("GET /patients/{patient}/history", WORKS),
        row("GET /patients/{patient}/export", ADMIN | DOCTORS),
        row("GET /patients/{patient}/accesses", ADMIN),
        row("GET /patients/{patient}/changes", ADMIN),
        row("GET /patients/{patient}/stops", DESK),
        row("GET /patients/{patient}/merged", DESK),
        row("GET /appointments", DESK | DOCTORS, query={"doctor": "$doctor", "total": "true"}),
        row("GET /appointments/rules", WATCHES),
        row("GET /appointments/waiting", DESK, query={"doctor": "$doctor", "total": "true"}),
        row("GET /appointments/{appointment}", DESK | DOCTORS),
        row("GET /consultations/{consultation}", DOCTORS),
        row("GET /consultations/{consultation}/accesses", ADMIN),
        row("GET /notifications", WORKS, query={"total": "true"}),
        row("GET /deliveries", DESK, query={"patient": "$patient", "ticket": "$ticket", "total": "true"}),
        row("GET /notification-rules", ADMIN),
        row("GET /channels", ADMIN),
        row("GET /push/key", ANYBODY),
        row("GET /plugins", ADMIN),
        row("GET /plugins/{plugin}/failures", ADMIN, answers=404),
        row("GET /webhooks", ADMIN),
        row("GET /webhooks/{webhook}/failures", ADMIN),
        row("GET /events/stream", ANYBODY, query={"clinic": "$clinic"}),
        row("GET /events/stream", WORKS, query={"clinic": "$clinic", "inbox": "mine"}),
        row("GET /events/stream", WORKS, query={"ticket": "$ticket"}),
        row("GET /events/stream", WATCHES, query={"facility": "$facility"}),
    ]


def _people() -> list[Row]:
    patient, name = "/patients/{patient}", {"name": "Somebody"}
    return [
        row("POST /patients", DESK, name),
        row("POST /patients/duplicates", DESK, name),
        row("POST /patients/search", DESK, {"query": "Somebody"}),
        row(f"PATCH {patient}", DESK, {"language": "en"}),
        row(f"POST {patient}/open", WORKS, WHY),
        row(f"POST {patient}/history", WORKS, WHY),
        row(f"POST {patient}/stops/lift", DESK),
        row(f"POST {patient}/merge", DESK, {"into": "$patient"}, things={"patient": "merged"}),
        row(f"POST {patient}/unmerge", DESK, things={"patient": "merged"}),
        row(f"POST {patient}/erase", ADMIN, WHY, things={"patient": "leaving"}, answers=frozenset({200})),
    ]


def _comings() -> list[Row]:
    one, start = "/appointments/{appointment}", {"start": "$start"}
    return [
        row("POST /visits", DESK, {"patient": "$merged", "clinic": "$clinic", "doctor": "$doctor"}),
        row("POST /visits/{visit}/tickets", DESK, {"clinic": "$elsewhere", "doctor": None}),
        row("POST /visits/{visit}/tickets", DESK, {"clinic": "$clinic", "doctor": "$doctor"}),
        row("POST /appointments", DESK, start | {"patient": "$patient", "doctor": "$doctor"}),
        row(f"POST {one}/reschedule", DESK, start | {"doctor": "$doctor"}),
        row("POST /appointments/waiting", DESK, {"patient": "$merged", "doctor": "$doctor"}),
        row("POST /appointments/waiting/{waiting}/withdraw", DESK),
        row("PUT /appointments/rules", ADMIN, RULES),
        row(f"POST {one}/push", DESK, BROWSER),
        row(f"POST {one}/push/stop", DESK, {"endpoint": BROWSER["endpoint"]}),
        *(
            row(f"POST {one}/{verb}", DESK)
            for verb in ("earlier", "earlier/stop", "accept", "decline", "no-show", "check-in", "cancel")
        ),
    ]


def _queue() -> list[Row]:
    push_end = {"ticket": "$ticket", "endpoint": BROWSER["endpoint"]}
    return [
        row("POST /queue/enter", ANYBODY, {"clinic": "$clinic", "user": "somebody", "doctor": "$doctor"}),
        row("POST /queue/verify", ANYBODY, {"clinic": "$clinic", "phone": "+97455501234"}),
        row("POST /queue/verify/code", ANYBODY, {"verification": NOTHING, "code": "000000"}, answers=404),
        row("POST /queue/push", WORKS, PUSH),
        row("POST /queue/push/stop", WATCHES, push_end),
        row("POST /queue/call", WORKS, {"ticket": "$ticket", "desk": "$desk"}),
        row("POST /queue/call", WORKS, {"clinic": "$clinic", "desk": "$desk"}),
        *(
            row(f"POST /queue/{verb}", WORKS, TICKET | ({"desk": "$desk"} if verb == "recall" else {}))
            for verb in VERBS
        ),
        row("POST /queue/rating", NOBODY, {"ticket": "$ticket", "stars": 5}),
        row("POST /consultations", DOCTORS, {"ticket": "$ticket", "notes": "Well.", "refer_to": "$elsewhere"}),
        row("PATCH /consultations/{consultation}", DOCTORS, {"notes": "Very well."}),
        row("POST /consultations/{consultation}/withdraw", DOCTORS, WHY),
        row("POST /queue/transfer", WORKS, {"ticket": "$ticket", "to": "$elsewhere"}),
        row("POST /queue/reset", ADMIN, {"clinic": "$clinic"} | WHY),
        row("POST /visits/{visit}/complete", DESK, WHY),
        row("POST /visits/{visit}/reopen", DESK),
        row("POST /visits/{visit}/no_show", DESK, WHY),
        row("POST /visits/{visit}/cancel", DESK, WHY),
    ]


def _telling() -> list[Row]:
    return [
        row("POST /notifications/{notification}/read", WORKS),
        row("POST /notifications/read-all", WORKS),
        row("POST /deliveries/{delivery}/resend", DESK),
        row("PUT /notification-rules", ADMIN, {"items": []}),
        row("PUT /channels/{channel}", ADMIN, SMS),
        row("POST /channels/sms/callback", ANYBODY, {"type": "status", "status": "read"}, answers=401),
        row("GET /channels/whatsapp/callback", ANYBODY, query=HUB, answers=401),
        row("POST /channels/whatsapp/callback", ANYBODY, {}, answers=401),
        row("POST /channels/{channel}/test", ADMIN, {"phone": "+97455501234"}),
        row("DELETE /channels/{channel}", ADMIN),
        row("PATCH /plugins/{plugin}", ADMIN, {"enabled": True}, answers=404),
        row("POST /plugins/{plugin}/failures/resend", ADMIN, answers=404),
        row("POST /plugins/{plugin}/failures/{failure}/resend", ADMIN, answers=404),
        row("POST /webhooks", ADMIN, {"url": "https://127.0.0.1:9/dawr"}),
        row("PATCH /webhooks/{webhook}", ADMIN, {"enabled": False}),
        row("POST /webhooks/{webhook}/rotate", ADMIN),
        row("POST /webhooks/{webhook}/failures/resend", ADMIN),
        row("POST /webhooks/{webhook}/failures/{failure}/resend", ADMIN, answers=404),
        row("POST /webhooks/{webhook}/test", ADMIN),
        row("DELETE /webhooks/{webhook}", ADMIN),
    ]


def _house() -> list[Row]:
    clinic = "/clinics/{clinic}"
    new_user = {"email": "$email", "name": "A colleague"} | ACCOUNT
    return [
        row("PATCH /facility", ADMIN, {"grace_minutes": 30}),
        row("POST /facility/pause", ADMIN, WHY),
        row("POST /facility/resume", ADMIN),
        row(
            "POST /facilities",
            INSTALLATION,
            {"facility": "made", "names": NAMES, "zone": "nowhere"},
            fresh="facility",
            answers=422,
        ),
        row("POST /facilities/{facility}/default", INSTALLATION, things={"facility": "nowhere"}, answers=404),
        row(
            "POST /clinics",
            ADMIN,
            {"clinic": "made", "department": "$department", "names": NAMES, "prefix": "MD"},
            fresh="clinic",
        ),
        row(f"PATCH {clinic}", ADMIN, {"floor": "2", "department": "$department"}),
        row(f"POST {clinic}/pause", WORKS, WHY),
        row(f"POST {clinic}/resume", WORKS),
        row(f"POST {clinic}/close", ADMIN),
        row(f"POST {clinic}/open", ADMIN),
        row(f"POST {clinic}/poster/renew", ADMIN),
        row(f"POST {clinic}/desks", ADMIN, {"desk": "M1"}, fresh="desk"),
        row(f"DELETE {clinic}/desks/{{desk}}", ADMIN, things={"clinic": "ward", "desk": "bed"}),
        row("POST /departments", ADMIN, {"department": "made", "names": NAMES}, fresh="department"),
        row("PATCH /departments/{department}", ADMIN, {"names": NAMES}),
        row("POST /doctors", ADMIN, {"doctor": "made", "names": NAMES, "clinics": ["$clinic"]}, fresh="doctor"),
        row("PATCH /doctors/{doctor}", ADMIN, {"clinics": ["$clinic"]}),
        row("PUT /doctors/{doctor}/schedule", ADMIN, {"windows": [HOURS]}),
        row("POST /doctors/{doctor}/leave", DESK, {"from": "2040-01-01", "until": "2040-01-02"}),
        row("DELETE /doctors/{doctor}/leave/{leave}", DESK),
        row("POST /users", ADMIN, new_user, fresh="desk"),
        row("PATCH /users/{user}", ADMIN, ACCOUNT),
        row("POST /users/{user}/password", ADMIN),
    ]


def _ends() -> list[Row]:
    """What nothing comes after."""
    return [
        row("DELETE /users/{user}", ADMIN),
        row("POST /doctors/{doctor}/archive", ADMIN, things={"doctor": "locum"}),
        row("POST /doctors/{doctor}/restore", ADMIN, things={"doctor": "locum"}),
        row("POST /clinics/{clinic}/archive", ADMIN, things={"clinic": "ward"}),
        row("POST /departments/{department}/archive", ADMIN),
        row("POST /auth/login", ANYBODY, LOGIN, answers=401),
        row("POST /auth/refresh", ANYBODY, {"refresh_token": "not one"}, answers=401),
        row("POST /auth/password", SIGNED_IN, {"current": PASSWORD, "new": PASSWORD + "!"}, answers=204),
        row("POST /auth/logout", SIGNED_IN, answers=204),
    ]


TABLE = [*_reads(), *_people(), *_comings(), *_queue(), *_telling(), *_house(), *_ends()]
