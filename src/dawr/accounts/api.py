"""Sign-in and the administration of users over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dawr.accounts import api_shapes as shapes
from dawr.accounts import commands, passwords, queries, rules
from dawr.accounts.api_shapes import Context, Here
from dawr.accounts.commands import Person, Post
from dawr.accounts.rules import Changes, CsrfFailed, Right, SessionKind
from dawr.platform.db import WriteTx
from dawr.platform.errors import Unauthenticated
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.paging import Paged
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.services import Services

router = APIRouter(prefix="/api/v1")


def _services(request: Request) -> Services:
    """Signing in asks for no context: a token or facility that is no longer good must not stand in its way."""
    services: Services = request.app.state.services
    return services


House = Annotated[Services, Depends(_services)]


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


@router.post("/auth/login", tags=["sign-in"], responses=documented(401, 403))
async def login(body: shapes.Login, request: Request, services: House) -> Response:
    """Opens a session: tokens for a program, or with ``cookie`` a cookie and a CSRF token for a page."""
    if body.cookie and queries.same_origin(services, request) is False:
        raise CsrfFailed
    kind = SessionKind.COOKIE if body.cookie else SessionKind.TOKEN
    attempt = commands.attempt_of(services, request, request.scope, email=body.email, password=body.password, kind=kind)
    signed_in = await commands.sign_in(services, attempt)
    if kind is SessionKind.TOKEN:
        response = answer(shapes.tokens_card(signed_in))
    else:
        response = answer({"csrf_token": signed_in.csrf, "account": str(signed_in.account_id)})
        shapes.set_session(response, signed_in, secure=_secure(request))
    shapes.remember_device(response, signed_in, secure=_secure(request))
    return response


@router.post("/auth/refresh", tags=["sign-in"], responses=documented(401))
async def refresh(body: shapes.Refresh, services: House) -> Response:
    """Fresh tokens for a refresh token, which is good once. Using one a second time ends the session."""
    return answer(shapes.tokens_card(await commands.refresh(services, body.refresh_token)))


@router.post("/auth/logout", status_code=204, tags=["sign-in"], responses=documented(401, 403))
async def logout(request: Request, services: House, body: shapes.Logout | None = None) -> Response:
    """Ends this session, or with ``everywhere`` all of this account's."""
    identity = await queries.identify_request(services, request)
    if identity is None:
        raise Unauthenticated
    if body and body.everywhere:
        await commands.sign_out_everywhere(services, identity.account_id)
    else:
        await commands.sign_out(services, identity.session_id)
    response = Response(status_code=204)
    shapes.drop_session(response, secure=_secure(request))
    return response


@router.get("/auth/me", tags=["sign-in"], responses=documented(401))
async def me(request: Request, here: Here) -> Response:
    """Who is signed in, and what they may do in this facility. Pages also get their CSRF token."""
    account_id = _own(here)
    async with here.read() as tx:
        card = await queries.profile(tx, here.services.keyring, account_id)
    shown = shapes.own_card(here, card)
    if here.actor.session_id and "authorization" not in request.headers:
        shown["csrf_token"] = queries.csrf_token(here.services, here.actor.session_id)
    return answer(shown)


@router.post("/auth/password", status_code=204, tags=["sign-in"], responses=documented(401, 403))
async def change_password(body: shapes.ChangePassword, here: Here) -> Response:
    """Changes one's own password; every other session of the account ends."""
    _own(here)
    await commands.change_password(here.services, here.actor, here.facility.id, current=body.current, new=body.new)
    return Response(status_code=204)


def _own(here: Context) -> UUID:
    if here.actor.account_id is None:
        raise Unauthenticated
    return here.actor.account_id


@router.get("/users", tags=["users"], responses=documented(401, 403))
async def users(here: Here, page: Paged) -> Response:
    """Who works in this facility, in the order their accounts were made."""
    here.actor.require(Right.USERS)
    async with here.read() as tx:
        (after,) = page.position(UUID) or (UUID(int=0),)
        found = await queries.users(tx, here.services.keyring, after=after, limit=page.limit + 1)
        total = {"total": await queries.count(tx)} if page.total else {}
    shown, following = page.cut(found, key=lambda one: [one.card.account_id])
    return answer({"items": [shapes.user_card(one) for one in shown], "next": following} | total)


@router.post("/users", status_code=201, tags=["users"], responses=documented(401, 403, 409))
async def add_user(body: shapes.NewUser, here: Here) -> Response:
    """Gives somebody a role here. Without ``password`` a temporary one is made, answered once and kept nowhere."""
    here.actor.require(Right.USERS)
    if body.password is not None:
        rules.check_password(body.password, email=rules.mailbox(body.email))
    password = body.password or passwords.generated()
    person = Person(body.email, body.name, await passwords.hashed(password), temporary=True, language=body.language)
    handed: dict[str, str] = {}

    async def work(tx: WriteTx) -> Outcome:
        post = Post(body.role, body.clinics, body.doctor, body.desk)
        account_id, made = await commands.hire(tx, here.actor, here.services.keyring, person, post)
        if made and body.password is None:
            handed["password"] = password
        return outcome(account_id, status=201)

    return await once(here, work, lambda tx, done: _shown(tx, here, done, handed.get("password")))


@router.get("/users/{user}", tags=["users"], responses=documented(401, 403))
async def user(user: UUID, here: Here) -> Response:
    here.actor.require(Right.USERS)
    async with here.read() as tx:
        return answer(shapes.user_card(await queries.user(tx, here.services.keyring, user)))


@router.patch("/users/{user}", tags=["users"], responses=documented(401, 403, 409))
async def change_user(user: UUID, body: shapes.UserChanges, here: Here) -> Response:
    """Changes role, clinics, doctor or desk, or shuts somebody out (``disabled``); it holds within a second."""
    changes: Changes = body.model_dump(exclude_unset=True)  # type: ignore[assignment]

    async def work(tx: WriteTx) -> Outcome:
        await commands.change_membership(tx, here.actor, user, changes)
        return outcome(user)

    response = await once(here, work, lambda tx, done: _card(tx, here, done))
    queries.forget(here.services)
    return response


@router.delete("/users/{user}", status_code=204, tags=["users"], responses=documented(401, 403, 409))
async def remove_user(user: UUID, here: Here) -> Response:
    """Ends somebody's work in this facility. What they did stays in its history."""
    async with here.write() as tx:
        await commands.remove_membership(tx, here.actor, user)
    queries.forget(here.services)
    return Response(status_code=204)


@router.post("/users/{user}/password", tags=["users"], responses=documented(401, 403, 409))
async def reset_password(user: UUID, here: Here) -> Response:
    """For somebody who lost theirs: a temporary password, answered once; all of their sessions end."""
    here.actor.require(Right.USERS)
    password = passwords.generated()
    hash_ = await passwords.hashed(password)
    handed: dict[str, str] = {}

    async def work(tx: WriteTx) -> Outcome:
        await commands.reset_password(tx, here.actor, user, password_hash=hash_)
        handed["password"] = password
        return outcome(user)

    response = await once(here, work, lambda tx, done: _shown(tx, here, done, handed.get("password")))
    queries.forget(here.services)
    return response


async def _card(tx: WriteTx, here: Context, done: Outcome) -> dict[str, Any]:
    return shapes.user_card(await queries.user(tx, here.services.keyring, UUID(done.record)))


async def _shown(tx: WriteTx, here: Context, done: Outcome, password: str | None) -> dict[str, Any]:
    """The user, and the password that was made for them: it is kept nowhere, so a replay answers null."""
    return await _card(tx, here, done) | {"password": password}
