"""A whole facility in memory, speaking the contract: what the pages are developed against where no server is given.

The rules of the queue are the product's own (``dawr.tickets.rules``); only keeping them is simple here.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from dawr.platform.errors import NotFound, Problem, Unauthenticated, Unavailable
from dawr.tickets import rules
from dawr.tickets.events import TYPES
from dawr.tickets.rules import Placed, Priority, Status, Ticket, Verb
from dawr.web.mount import mount
from dawr.web.views import ClinicCard, Cookie, DoctorCard, FacilityCard, JoinWish, PatientVerb, StaffCard, TicketPage

DAY = date(2026, 11, 21)
NAMES = {
    "mmc": {"en": "Medical examination centre", "ar": "مركز الفحص الطبي", "hi": "चिकित्सा जाँच केंद्र"},
    "city": {"en": "City Hospital", "hi": "सिटी अस्पताल", "ar": "مستشفى المدينة"},
}
MMC = {
    "lab": ("Laboratory", "المختبر", "प्रयोगशाला", "M", 2),
    "xray": ("X-ray", "الأشعة", "एक्स-रे", "M", 2),
    "vitals": ("Vital signs", "القياسات الحيوية", "वाइटल्स", "2", 2),
    "eyes": ("Eyes", "العيون", "नेत्र", "2", 1),
    "internal": ("Internal medicine", "الباطنية", "आंतरिक चिकित्सा", "2", 1),
    "ent": ("Ear, nose and throat", "الأنف والأذن والحنجرة", "कान, नाक और गला", "2", 1),
    "surgery": ("Surgery", "الجراحة", "शल्य चिकित्सा", "2", 1),
    "dental": ("Dental", "الأسنان", "दंत", "2", 1),
    "psychiatry": ("Psychiatry", "الطب النفسي", "मनोचिकित्सा", "2", 1),
    "derma": ("Dermatology", "الجلدية", "त्वचा", "3", 1),
    "bones": ("Bones and joints", "العظام والمفاصل", "हड्डी और जोड़", "2", 1),
    "ecg": ("Electrocardiogram", "تخطيط القلب", "ईसीजी", "2", 1),
    "audio": ("Hearing test", "فحص السمع", "श्रवण जाँच", "2", 1),
    "women_internal": ("Internal medicine (women)", "الباطنية (نساء)", "आंतरिक चिकित्सा (महिला)", "3", 1),
    "women_derma": ("Dermatology (women)", "الجلدية (نساء)", "त्वचा (महिला)", "3", 1),
    "women_eyes": ("Eyes (women)", "العيون (نساء)", "नेत्र (महिला)", "3", 1),
}
CITY = {
    "cardiology": ("Cardiology", "القلب", "हृदय रोग", "1", 2),
    "general": ("General medicine", "الطب العام", "सामान्य चिकित्सा", "0", 2),
    "paediatrics": ("Paediatrics", "الأطفال", "बाल रोग", "1", 2),
}
VERBS = {one.value: one for one in Verb}


class Clinic:
    def __init__(self, name: str, row: tuple[str, str, str, str, int], doctors: tuple[DoctorCard, ...] = ()) -> None:
        self.id = name
        self.names = {"en": row[0], "ar": row[1], "hi": row[2]}
        self.floor, self.desks = row[3], tuple(str(n + 1) for n in range(row[4]))
        self.doctors = doctors
        self.state = "open"
        self.tickets: dict[UUID, Ticket] = {}
        self.people: dict[UUID, tuple[str, str | None]] = {}
        self.log: list[dict[str, Any]] = []
        self.changed = asyncio.Event()
        self.last = 0

    def waiting(self) -> list[Ticket]:
        return sorted((t for t in self.tickets.values() if t.status is Status.WAITING), key=lambda t: (t.rank, t.order_key))

    def ahead(self, ticket: Ticket) -> int:
        waiting = self.waiting()
        return waiting.index(ticket) if ticket in waiting else 0

    def wait(self, ahead: int) -> dict[str, Any]:
        likely = ahead * 8 // len(self.desks)
        return {"likely_minutes": likely, "low_minutes": likely * 3 // 4, "high_minutes": likely * 4 // 3, "basis": "plan"}

    def save(self, type_: str, before: Ticket | None, after: Ticket) -> None:
        after = replace(after, changed_version=len(self.log) + 1)
        self.tickets[after.id] = after
        groups = (rules.group(before.status) if before else None, rules.group(after.status))
        data = {"type": type_, "code": after.code, "number": after.number, "desk": after.desk}
        data |= {"from": groups[0], "to": groups[1], "ahead": self.ahead(after), "at": datetime.now(UTC).isoformat()}
        self.log.append(data | {"_before": before, "_ticket": after.id})
        self.changed.set()
        self.changed = asyncio.Event()

    def status(self) -> dict[str, Any]:
        by = {s: [t for t in self.tickets.values() if t.status is s] for s in Status}
        for one in by.values():
            one.sort(key=lambda t: t.changed_version)
        placed = {name: [{"code": t.code, "desk": t.desk} for t in by[Status(name)]] for name in ("called", "serving")}
        counts = {str(s): len(by[s]) for s in rules.OPEN} | {"done": len(by[Status.DONE])}
        gone = sum(len(v) for s, v in by.items() if rules.group(s) == "gone")
        return {
            "clinic": self.id,
            "service_day": DAY.isoformat(),
            "series": 1,
            "waiting": [t.code for t in self.waiting()],
            **placed,
            "held": [t.code for t in by[Status.HELD]],
            "counts": counts | {"gone": gone},
            "last_number": self.last,
            "mean_wait_minutes": None,
        }


class Facility:
    def __init__(self, slug: str) -> None:
        self.slug = slug
        rows = MMC if slug == "mmc" else CITY
        doctors = (DoctorCard(doctor="dr.rao", name="Dr. Rao"), DoctorCard(doctor="dr.sen", name="Dr. Sen"))
        self.clinics = {n: Clinic(n, r, doctors if n == "cardiology" else ()) for n, r in rows.items()}
        self.secrets: dict[str, tuple[str, UUID]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.users: dict[tuple[str, str], UUID] = {}
        self.sessions: dict[str, str] = {}
        self.down = False
        self.mute = False

    def clinic(self, name: str) -> Clinic:
        if name not in self.clinics:
            raise NotFound
        return self.clinics[name]

    def find(self, ticket: UUID) -> tuple[Clinic, Ticket]:
        for clinic in self.clinics.values():
            if ticket in clinic.tickets:
                return clinic, clinic.tickets[ticket]
        raise NotFound

    def shown(self, ticket: UUID) -> dict[str, Any]:
        clinic, one = self.find(ticket)
        ahead, waiting = clinic.ahead(one), one.status is Status.WAITING
        iso = lambda at: at.isoformat() if at else None  # noqa: E731
        return {
            "ticket": str(one.id), "clinic": clinic.id, "doctor": one.doctor, "number": one.number, "series": 1,
            "code": one.code, "service_day": DAY.isoformat(), "status": one.status.value,
            "position": ahead + 1 if waiting else 0, "ahead": ahead, "desk": one.desk,
            "wait": clinic.wait(ahead) if waiting else None,
            "follow": next((f"/t/{s}" for s, (_, t) in self.secrets.items() if t == ticket), None), "existing": False,
            "priority": one.priority.value, "entered_at": iso(one.entered_at), "called_at": iso(one.called_at),
            "started_at": iso(one.started_at), "ended_at": iso(one.ended_at),
        }  # fmt: skip

    def enter(self, clinic_id: str, user: str, *, doctor: str | None = None, name: str | None = None) -> dict[str, Any]:
        clinic = self.clinic(clinic_id)
        known = self.users.get((clinic_id, user))
        if known and clinic.tickets[known].status in rules.OPEN:
            return self.shown(known) | {"existing": True}
        problem = {"paused": rules.QueueEmpty, "closed": rules.WrongState, "full": rules.QueueFull}.get(clinic.state)
        if problem:
            raise problem
        clinic.last += 1
        now = datetime.now(UTC)
        ticket = Ticket(
            id=uuid4(), clinic=clinic.id, service_day=DAY, series=1, number=clinic.last,
            code=rules.code(clinic_id.split("_")[-1][:4].upper(), 1, clinic.last), status=Status.WAITING,
            priority=Priority.NORMAL, rank=1, order_key=clinic.last * 1000, placed=Placed.ARRIVAL, doctor=doctor,
            desk=None, language=None, entered_at=now,
        )  # fmt: skip
        self.users[clinic_id, user] = ticket.id
        self.secrets[secrets.token_urlsafe(32)] = (clinic_id, ticket.id)
        clinic.people[ticket.id] = (user, name)
        clinic.save("ticket_entered", None, ticket)
        return self.shown(ticket.id)

    def step(self, verb: Verb, ticket: UUID, desk: str | None = None) -> dict[str, Any]:
        clinic, before = self.find(ticket)
        after = rules.step(before, verb, now=datetime.now(UTC), today=DAY, desk=desk)
        if verb in (Verb.REJOIN, Verb.LATE):
            front = [(t.rank, t.order_key) for t in clinic.waiting()[:3]]
            after = rules.reordered(after, rules.place_near_front(front, key=before.order_key), Placed.REJOINED)
        clinic.save(TYPES[verb], before, after)
        return self.shown(ticket)

    def undo(self, ticket: UUID) -> dict[str, Any]:
        clinic, _ = self.find(ticket)
        last = [one for one in clinic.log if one["_ticket"] == ticket][-1]
        if last["type"] in ("ticket_undone", "ticket_entered"):
            raise rules.NothingToUndo
        clinic.save("ticket_undone", clinic.tickets[ticket], last["_before"])
        return self.shown(ticket)


class MemoryViews:
    def __init__(self, facilities: dict[str, Facility]) -> None:
        self.facilities = facilities

    def at(self, request: Request) -> Facility:
        here = self.facilities.get(request.scope.get("facility_slug", "mmc"))
        if here is None:
            raise NotFound
        if here.down:
            raise Unavailable
        return here

    async def facility(self, request: Request) -> FacilityCard:
        here = self.at(request)
        languages = ("ar", "en") if here.slug == "mmc" else ("en", "hi")
        return FacilityCard(facility=here.slug, names=NAMES[here.slug], languages=languages, zone="Asia/Qatar")

    async def clinics(self, request: Request, lang: str) -> Sequence[ClinicCard]:
        return [self._card(one, lang) for one in self.at(request).clinics.values()]

    async def clinic_card(self, request: Request, clinic: str, lang: str) -> ClinicCard:
        return self._card(self.at(request).clinic(clinic), lang)

    def _card(self, one: Clinic, lang: str) -> ClinicCard:
        waiting = len(one.waiting())
        return ClinicCard(
            clinic=one.id, name=one.names[lang], floor=one.floor, state=one.state, waiting=waiting,  # type: ignore[arg-type]
            wait=one.wait(waiting) if one.last else None, desks=one.desks, doctors=one.doctors,
        )  # fmt: skip

    async def enter(self, request: Request, wish: JoinWish) -> str:
        here = self.at(request)
        follow: str = here.enter(wish.clinic, wish.user, doctor=wish.doctor, name=wish.name)["follow"]
        return follow

    async def ticket_page(self, request: Request, secret: str, lang: str) -> TicketPage:
        here = self.at(request)
        if secret not in here.secrets:
            raise NotFound
        clinic, ticket = here.secrets[secret]
        cookie = Cookie(name="ticket", value=secret)
        return TicketPage(ticket=here.shown(ticket), clinic=self._card(here.clinic(clinic), lang), cookies=(cookie,))

    async def act(self, request: Request, secret: str, verb: PatientVerb) -> None:
        here = self.at(request)
        here.step(VERBS[verb], here.secrets[secret][1])

    async def staff(self, request: Request, lang: str) -> StaffCard | None:
        here = self.at(request)
        email = here.sessions.get(request.cookies.get("session", ""))
        if email is None:
            return None
        mine = [one for one in here.clinics.values() if email.split("@")[0] in ("admin", "reception", one.id)]
        return StaffCard(name=email, csrf=request.cookies["session"][::-1], clinics=tuple(self._card(c, lang) for c in mine))

    async def sign_in(self, request: Request, email: str, password: str) -> Sequence[Cookie]:
        here = self.at(request)
        if password != "correct horse":
            raise Unauthenticated
        session = secrets.token_urlsafe(16)
        here.sessions[session] = email
        return [Cookie(name="session", value=session)]

    async def sign_out(self, request: Request) -> Sequence[Cookie]:
        self.at(request).sessions.pop(request.cookies["session"])
        return [Cookie(name="session", value=None)]

    async def desk_queue(self, request: Request, clinic: str) -> Mapping[str, Any]:
        here = self.at(request)
        one = here.clinic(clinic)
        signed_in(here, request)
        shown = [here.shown(t.id) | {"name": one.people.get(t.id, ("", None))[1]} for t in one.tickets.values()]
        ended = sorted((s for s in shown if s["ended_at"]), key=lambda s: s["ended_at"], reverse=True)
        alive = sorted((s for s in shown if not s["ended_at"]), key=lambda s: s["position"])
        return {"items": alive + ended[:20], "waiting": len(one.waiting())}

    async def board(self, request: Request, clinic: str | None) -> Mapping[str, Mapping[str, Any]]:
        here = self.at(request)
        wanted = [here.clinic(clinic)] if clinic else here.clinics.values()
        return {one.id: one.status() for one in wanted}


def signed_in(here: Facility, request: Request) -> None:
    if request.cookies.get("session", "") not in here.sessions:
        raise Unauthenticated


class Prefix:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        parts = scope.get("path", "").split("/")
        if scope["type"] == "http" and parts[1:2] == ["f"] and len(parts) > 2:
            root = f"/f/{parts[2]}"
            path = scope["path"] if len(parts) > 3 else root + "/"
            scope = {**scope, "path": path, "root_path": root, "facility_slug": parts[2]}
        await self.app(scope, receive, send)


def create_app() -> FastAPI:
    app = FastAPI(openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None)
    facilities = {slug: Facility(slug) for slug in ("mmc", "city")}
    views = MemoryViews(facilities)
    app.state.facilities = facilities

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        body = {"title": error.title, "status": error.status, "code": error.code} | error.extra
        return JSONResponse(body, error.status, media_type="application/problem+json")

    @app.post("/api/v1/queue/{verb}")
    async def act(verb: str, request: Request) -> Response:
        here = views.at(request)
        if here.mute:
            return Response(status_code=503, headers={"retry-after": "1"})
        key, body = request.headers.get("idempotency-key", ""), await request.json()
        if key in here.keys:
            return JSONResponse(here.keys[key], headers={"Idempotent-Replayed": "true"})
        answer = _do(here, verb, body, request)
        here.keys[key] = answer
        return JSONResponse(answer, 201 if verb == "enter" and not answer["existing"] else 200)

    @app.get("/api/v1/queue/ticket/{ticket}")
    async def ticket(ticket: UUID, request: Request) -> Any:
        here = views.at(request)
        secret = request.headers.get("ticket-secret") or request.cookies.get("ticket", "")
        if here.secrets.get(secret, ("", None))[1] != ticket:
            raise NotFound
        return here.shown(ticket)

    @app.get("/api/v1/events/stream")
    async def stream(request: Request, clinic: str | None = None, ticket: UUID | None = None, last_event_id: str = "") -> Any:
        here = views.at(request)
        if here.mute:
            raise Unavailable
        one = here.clinic(clinic) if clinic else here.find(ticket)[0]  # type: ignore[arg-type]
        return StreamingResponse(_events(here, one, ticket, last_event_id), media_type="text/event-stream")

    app.add_middleware(Prefix)
    mount(app, views)
    return app


def _do(here: Facility, verb: str, body: dict[str, Any], request: Request) -> dict[str, Any]:
    if verb == "enter":
        return here.enter(body["clinic"], body["user"], doctor=body.get("doctor"), name=body.get("name"))
    if verb not in ("cancel", "late") or "ticket-secret" not in request.headers:
        signed_in(here, request)
    if verb == "undo":
        return here.undo(UUID(body["ticket"]))
    if verb == "transfer":
        left = here.step(Verb.TRANSFER, UUID(body["ticket"]))
        user, name = here.clinic(left["clinic"]).people[UUID(body["ticket"])]
        return here.enter(body["to"], user, name=name)
    if "ticket" in body:
        return here.step(VERBS[verb], UUID(body["ticket"]), body.get("desk"))
    waiting = here.clinic(body["clinic"]).waiting()
    if not waiting:
        raise rules.QueueEmpty
    return here.step(Verb.CALL, waiting[0].id, body.get("desk"))


async def _events(here: Facility, clinic: Clinic, ticket: UUID | None, last: str) -> AsyncIterator[bytes]:
    version = int(last) if last else len(clinic.log)
    snapshot = {"resumed": True} if last else here.shown(ticket) if ticket else clinic.status()
    yield _event("connected", snapshot, version)
    started = datetime.now(UTC)
    while not here.mute and datetime.now(UTC) - started < timedelta(minutes=5):
        changed = clinic.changed
        for index, one in enumerate(clinic.log[version:], start=version + 1):
            public = {name: value for name, value in one.items() if not name.startswith("_")}
            if ticket:
                shown = here.shown(ticket)
                public = {"type": one["type"] if one["_ticket"] == ticket else "ticket_moved"} | {
                    name: shown[name] for name in ("status", "position", "ahead", "desk")
                }
            yield _event("queue_update", public, index)
        version = len(clinic.log)
        try:
            await asyncio.wait_for(changed.wait(), 1 if here.mute else 15)
        except TimeoutError:
            yield _event("heartbeat", {}, None)


def _event(name: str, data: Mapping[str, Any], version: int | None) -> bytes:
    mark = f"id: {version}\n" if version is not None else ""
    return f"event: {name}\n{mark}data: ".encode() + orjson.dumps(data) + b"\n\n"
