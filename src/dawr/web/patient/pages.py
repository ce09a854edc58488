"""The patient's pages: join a queue, follow the ticket. Both work without JavaScript."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dawr.accounts import queries as accounts
from dawr.accounts.rules import CsrfFailed
from dawr.notifications import queries as notifications
from dawr.platform.http.context import DEVICE_COOKIE, DEVICE_SECONDS, TICKET_COOKIE
from dawr.records import queries_ratings as ratings
from dawr.records.queries_ratings import Rating
from dawr.tickets import queries as tickets
from dawr.tickets.rules import Status
from dawr.web import inside, queries
from dawr.web.errors import PageRoute
from dawr.web.inside import Answer
from dawr.web.patient.texts import join_texts, star_texts, ticket_texts
from dawr.web.render import Page, form_of, private, set_cookie, static_root_of

router = APIRouter(route_class=PageRoute)
# Longer than a ticket's secret lives after its ticket has ended on the day it was taken.
TICKET_COOKIE_LIVES = timedelta(days=3)
FIELDS = ("name", "phone", "doctor", "language", "entry_code", "proof")
# The two steps before the form, where a clinic asks for a proof of the phone number: where each is asked for, and its fields.
PROVING = {
    "phone": ("/api/v1/queue/verify", ("phone", "language")),
    "code": ("/api/v1/queue/verify/code", ("verification", "code")),
}
LOST = frozenset({"proof_not_valid", "verification_not_found"})


@router.get("/c/{clinic}")
async def join(request: Request, clinic: str) -> Response:
    page = await Page.open(request)
    return await _join_page(page, clinic, {"entry_code": request.query_params.get("code", "")})


@router.post("/c/{clinic}")
async def join_without_script(request: Request, clinic: str) -> Response:
    """The plain form: joins and goes to the ticket, or shows the form again with what is in the way."""
    page = await Page.open(request)
    if accounts.same_origin(page.here.services, request) is False:
        raise CsrfFailed
    fields = await form_of(request)
    if fields.get("step") in PROVING:
        return await _prove(page, clinic, fields)
    wish = {"clinic": clinic, "user": page.here.device} | {name: fields[name] for name in FIELDS if name in fields}
    headers = _headers(page) | {"idempotency-key": fields.get("key") or str(uuid4())}
    cookies = {DEVICE_COOKIE: page.here.device}
    answer = await inside.post(request, "/api/v1/queue/enter", wish, cookies=cookies, headers=headers)
    if answer.refused or not answer.content.get("follow"):
        return await _join_page(page, clinic, _begun(fields, answer), answer)
    return page.redirect(answer.content["follow"])


async def _prove(page: Page, clinic: str, fields: dict[str, str]) -> Response:
    """A step of the proof: on to the next one, or the same again with what is in the way."""
    step = fields["step"]
    path, names = PROVING[step]
    wish = {name: fields[name] for name in names if name in fields} | ({"clinic": clinic} if step == "phone" else {})
    headers = _headers(page) | {"idempotency-key": fields.get("key") or str(uuid4())}
    answer = await inside.post(page.request, path, wish, cookies={DEVICE_COOKIE: page.here.device}, headers=headers)
    if answer.refused:
        return await _join_page(page, clinic, _begun(fields, answer), answer)
    kept: dict[str, str] = {name: fields[name] for name in ("phone", "language") if name in fields}
    kept |= {name: answer.content[name] for name in ("verification", "proof") if name in answer.content}
    return await _join_page(page, clinic, kept)


def _begun(fields: dict[str, str], answer: Answer) -> dict[str, str]:
    """What stays of a form: where the proof is lost, it begins again with the number."""
    lost = answer.content.get("code") in LOST
    return {name: value for name, value in fields.items() if not (lost and name in ("verification", "proof"))}


@router.get("/t/{secret}")
async def ticket(request: Request, secret: str) -> Response:
    page = await Page.open(request)
    facility, ticket_id = await tickets.by_secret(page.here.services, secret)
    if facility.id != page.here.facility.id:
        # The address names another facility than the ticket's, or none where it is not the default one.
        return RedirectResponse(f"{static_root_of(request)}/f/{facility.slug}/t/{secret}", 303)
    return await _ticket_page(page, secret, ticket_id)


@router.post("/t/{secret}/rating")
async def rate_without_script(request: Request, secret: str) -> Response:
    page = await Page.open(request)
    _, ticket_id = await tickets.by_secret(page.here.services, secret)
    fields = await form_of(request)
    stars = fields.get("stars", "")
    word = {"word": fields["word"]} if "word" in fields else {}
    body = {"ticket": str(ticket_id), "stars": int(stars) if stars in "12345" and stars else None} | word
    headers = _headers(page) | {"ticket-secret": secret}
    answer = await inside.post(request, "/api/v1/queue/rating", body, cookies={}, headers=headers)
    if answer.refused:
        return await _ticket_page(page, secret, ticket_id, answer)
    return page.redirect(f"/t/{secret}")


@router.post("/t/{secret}/{verb}")
async def act_without_script(request: Request, secret: str, verb: Literal["cancel", "late"]) -> Response:
    """The secret in the address is the right to do this; no other proof is needed."""
    page = await Page.open(request)
    _, ticket_id = await tickets.by_secret(page.here.services, secret)
    body = {"ticket": str(ticket_id)}
    headers = _headers(page) | {"ticket-secret": secret}
    answer = await inside.post(request, f"/api/v1/queue/{verb}", body, cookies={}, headers=headers)
    if answer.refused:
        return await _ticket_page(page, secret, ticket_id, answer)
    return page.redirect(f"/t/{secret}")


def _headers(page: Page) -> dict[str, str]:
    """A form asks without the session of whoever is signed in, so the facility that gave is named."""
    return {"accept-language": page.lang, "x-facility": page.here.facility.slug}


async def _join_page(page: Page, clinic: str, fields: dict[str, str], answer: Answer | None = None) -> Response:
    card = await queries.clinic_card(page.here, clinic, page.lang)
    texts = join_texts(page.voice)
    response = page.render(
        "join.html",
        status=answer.status if answer and answer.refused else 200,
        card=card,
        data=page.script_data(texts, clinic=card.clinic),
        fields=fields,
        key=str(uuid4()),
        error=_in_the_way(answer, texts["elsewhere"]) if answer else None,
    )
    lifetime = timedelta(seconds=DEVICE_SECONDS)
    set_cookie(page.request, response, DEVICE_COOKIE, page.here.device, lifetime=lifetime)
    return response


def _in_the_way(answer: Answer, elsewhere: str) -> str:
    """Why there is no ticket to go to: refused, or taken on another device."""
    return answer.explanation if answer.refused else elsewhere % {"code": answer.content["code"]}


async def _beside(page: Page, ticket: Mapping[str, Any]) -> tuple[Rating | None, str | None]:
    """What the page needs besides the ticket: its rating once it is done, before that the key for messages to the browser."""
    async with page.here.read() as tx:
        if ticket["status"] == Status.DONE:
            return await ratings.of_ticket(tx, page.here, UUID(ticket["ticket"])), None
        return None, await notifications.push_key(tx, page.here.services)


async def _ticket_page(page: Page, secret: str, ticket_id: UUID, answer: Answer | None = None) -> Response:
    shown = await queries.ticket_page(page.here, ticket_id, page.lang)
    headline, sentence = page.voice.status(shown.ticket)
    rating, push_key = await _beside(page, shown.ticket)
    texts = ticket_texts(page.voice)
    response = page.render(
        "ticket.html",
        status=answer.status if answer else 200,
        address=f"/t/{secret}",
        ticket=shown.ticket,
        clinic=shown.clinic,
        headline=headline,
        sentence=sentence,
        follow=f"/t/{secret}",
        error=answer.explanation if answer else None,
        stars=star_texts(page.voice),
        rating=rating,
        thanks=texts["rated"] if rating else None,
        push_key=push_key,
        data=page.script_data(
            texts, ticket=shown.ticket, push=push_key, worker=f"{static_root_of(page.request)}/sw.js"
        ),
    )
    # A live stream cannot be asked for with a header; the cookie opens it. One for each ticket of this browser.
    name = TICKET_COOKIE + ticket_id.hex[-12:]
    set_cookie(page.request, response, name, secret, lifetime=TICKET_COOKIE_LIVES)
    return private(response)
