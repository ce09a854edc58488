"""Somebody whose name, numbers, addresses and findings occur nowhere else goes through a whole day. Afterwards they are nowhere
but where they were sealed, and in what was sent to them."""

import base64
import io
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
from psycopg import sql
from starlette.types import ASGIApp, Receive, Scope, Send

from dawr.platform import outbox
from dawr.platform.db import WriteTx
from dawr.platform.logging import configure
from dawr.platform.schema import metadata
from tests.conftest import House, Live
from tests.journeys.hospital import Hospital, hospital
from tests.realtime.sse import Stream, connect

PERSON: dict[str, Any] = {
    "name": "Zubaydah Kanarienvogel",
    "names": {"ar": "زبيدة الكناري"},
    "phone": "+97455517293",
    "email": "Zubaydah.K@flavescens.example",
    "national_id": "28463417293",
    "record_number": "MRN-FLAVUS-77",
    "birth_date": "1931-07-04",
    "language": "en",
}
REASON, NOTES, WORD, WHY = "coughs flavescently", "Fringillids in both lungs.", "Chirrupy", "asked by a flavescent"
CANARIES = (
    *("Zubaydah", "Kanarienvogel", "زبيدة", "الكناري", "55517293", "flaves", "flavus", "28463417293", "1931-07-04"),
    *("Fringillid", "Chirrupy"),
)


def forms(text: str) -> set[str]:
    """How a text could stand somewhere: as it is, as bytes are shown, escaped, in base64; in lower case, without backslashes."""
    found = set()
    for one in {text, text.lower(), text.upper()}:
        encoded = [one.encode(), one.encode("utf-16-le")]
        found |= {one, one.encode("unicode_escape").decode(), *(data.hex() for data in encoded)}
        found |= {part for data in encoded for part in in_base64(data)}
    return {plain(one) for one in found}


def in_base64(data: bytes) -> Iterator[str]:
    """What is the same in every longer text that holds these bytes, by where they begin in it."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + data + bytes(2)).decode()
        yield text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]


def plain(text: str) -> str:
    return text.replace("\\", "").lower()


FORMS = {one: forms(one) for one in CANARIES}


def found_in(text: str) -> list[str]:
    return [one for one, each in FORMS.items() if any(form in plain(text) for form in each)]


class Eyes:
    """Sees every address that the server is asked for, before anything else does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seen: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked = scope.get("raw_path", b"").decode(), scope["query_string"].decode()
            self.seen.append(f"{scope['method']} {unquote('?'.join(asked))}")
        await self.app(scope, receive, send)


async def day(place: Hospital, board: Stream) -> list[str]:
    """Booked, reminded, checked in, called, consulted, referred, rated, exported; a mistake here and there. What the public
    sees of it."""
    made = await place.post(place.rui, "/patients", **PERSON)
    patient, public = made["patient"], []
    for query in ("Zubaydah", PERSON["phone"], PERSON["national_id"], "زبيدة"):
        assert [one["patient"] for one in (await place.post(place.rui, "/patients/search", query=query))["items"]]
    assert (await place.rui.post("/api/v1/patients", json=PERSON | {"nickname": "Flavescens"})).status_code == 422
    booked = await place.book(patient, "10:00")
    await place.told(texts=1, mails=1)
    await place.set_clock("08:01")
    await place.told(texts=2, mails=2)
    await place.set_clock("09:55")
    came = await place.post(place.rui, f"/appointments/{booked['appointment']}/check-in")
    ticket = came["tickets"][0]
    public.append((await place.phone.get("/api/v1/queue/status?clinic=lab")).text)
    await place.post(place.dana, "/queue/call", clinic="lab", desk="1")
    place.gateway.says = [f'400 Bad|x: y|{{"error": "{PERSON["name"]} at {PERSON["phone"]} is not known"}}']
    await place.soon(place.log, lambda log: len(log) == 5 and not {"pending", "sending"} & {one[3] for one in log})
    await place.post(place.dana, "/queue/serve", ticket=ticket["ticket"])
    finding = {"ticket": ticket["ticket"], "notes": NOTES, "refer_to": "xray"}
    consultation = (await place.post(place.dana, "/consultations", **finding))["consultation"]
    amended = await place.dana.patch(f"/api/v1/consultations/{consultation}", json={"notes": NOTES + " Both."})
    assert amended.status_code == 200
    await place.post(place.rui, f"/visits/{came['visit']}/cancel", reason=REASON)
    walked_in = await place.post(place.rui, "/visits", patient=patient, clinic="lab", reason=REASON)
    again = walked_in["tickets"][0]
    for verb in ("call", "done"):
        await place.post(place.rui, f"/queue/{verb}", ticket=again["ticket"])
    rating = {"ticket": again["ticket"], "stars": 4, "word": WORD}
    await place.post(place.phone, "/queue/rating", **rating, Ticket_Secret=again["follow"].removeprefix("/t/"))
    await place.post(place.ada, f"/patients/{patient}/open", reason=WHY)
    assert PERSON["name"] in str(await place.get(place.ada, f"/patients/{patient}/export"))
    assert NOTES in str(await place.get(place.dana, f"/patients/{patient}/history"))
    public += [(await place.phone.get("/board")).text, (await place.phone.get("/c/lab")).text]
    while not await board.quiet():
        pass
    return [*public, board.raw]


def written_down(url: str, wanted: set[str]) -> dict[str, list[str]]:
    """Rows of every table of the database in which one of these stands, read by its superuser."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(url) as owner:
        names = owner.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, name in names:
            statement = sql.SQL(
                "SELECT r FROM (SELECT lower(replace(t::text, '\\', '')) AS r FROM {} t) t"
                " WHERE EXISTS (SELECT FROM unnest(%s::text[]) f WHERE strpos(r, f) > 0) LIMIT 3"
            ).format(sql.Identifier(schema, name))
            rows = [row[0] for row in owner.execute(statement, [list(wanted)])]
            found |= {f"{schema}.{name}": rows} if rows else {}
    assert {(table.schema or "public", table.name) for table in metadata.tables.values()} <= set(names)
    return found


@pytest.fixture
def left_behind(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was put into the outbox: a row is gone once it is done."""
    kept: list[str] = []
    work = outbox.work

    def seen(tx: WriteTx, topic: str, payload: Mapping[str, outbox.Scalar], **more: Any) -> dict[str, object]:
        kept.append(f"{topic} {dict(payload)} {more}")
        return work(tx, topic, payload, **more)

    monkeypatch.setattr(outbox, "work", seen)
    return kept


def own_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The log without what the mail server of the tests says for itself."""
    return [f"{one.name} {one.getMessage()}" for one in caplog.records if one.name != "mail.log"]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The product's own log from its first to its last line, as it would be kept."""
    root = logging.getLogger()
    handlers, level, stream = root.handlers[:], root.level, io.StringIO()
    configure("debug", json=True, stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def eyes(live: Live, monkeypatch: pytest.MonkeyPatch) -> Eyes:
    assert live.app.middleware_stack is not None
    made = Eyes(live.app.middleware_stack)
    monkeypatch.setattr(live.app, "middleware_stack", made)
    return made


async def test_a_person_is_nowhere_but_where_they_were_sealed(
    live: Live,
    house: House,
    eyes: Eyes,
    left_behind: list[str],
    written: io.StringIO,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with hospital(live, house) as place:
        async with connect(live.url, headers={"X-Facility": house.facility.slug}, clinic="lab") as board:
            public = await day(place, board)
        # It did happen: they were written to, under their own name's numbers.
        assert place.texts_to(PERSON["phone"])
        assert place.mail.mails[0]["To"] == PERSON["email"].lower()
        url = live.services.settings.database_url or ""
        kept = written_down(url, {form for each in FORMS.values() for form in each})
    printed, figures = capsys.readouterr(), live.services.metrics.render()[0].decode()
    log = "\n".join([written.getvalue(), *own_lines(caplog), printed.out, printed.err])
    assert kept == {}
    assert [line[:300] for line in log.splitlines() if found_in(line)] == []
    for said in (figures, *eyes.seen, *left_behind, *public):
        assert found_in(said) == []
    # None of these was empty, and each would have shown them.
    assert '"route":"/api/v1/consultations"' in log
    assert "http_requests_total{" in figures
    assert {one.split()[0] for one in left_behind} >= {"appointment_event", "visit_event"}
    assert "directory.facility" in written_down(url, {house.facility.slug})
    assert "public.delivery" in written_down(url, {house.facility.id.hex, str(house.facility.id)})
    assert any(one.startswith("POST /api/v1/patients/search") for one in eyes.seen)
    assert all("LAB-" in one or "lab" in one.lower() for one in public)


@pytest.mark.parametrize("text", [PERSON["name"], PERSON["names"]["ar"], PERSON["phone"], PERSON["email"], NOTES, WORD])
def test_what_is_looked_for_would_be_found(text: str) -> None:
    for said in (text, text.upper(), json.dumps({"a": text}), f"\\x{text.encode().hex()}"):
        assert found_in(f"before {said} after")
    for before in ("", "a", "ab"):
        assert found_in(base64.b64encode(f"{before}{text}.".encode()).decode())
