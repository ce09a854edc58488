"""A facility's webhooks over HTTP, for its administrators."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field, StrictBool, StringConstraints
from starlette.responses import Response

from dawr.facilities.queries import Context
from dawr.platform import followers
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.followers import State
from dawr.platform.http.bodies import Body
from dawr.platform.http.context import context
from dawr.platform.http.failures import FailureNo, failures, resend
from dawr.platform.http.once import answer, once, outcome
from dawr.platform.http.problems import documented
from dawr.platform.idempotency import Outcome
from dawr.platform.ids import new_id
from dawr.platform.ratelimit import Limit
from dawr.webhooks import commands, queries, store
from dawr.webhooks.rules import Webhook, follower, fresh_secret

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])
CHANGES = documented(401, 403, 409)
TRIALS = Limit("webhook_test", 6, timedelta(minutes=1), 6)
Here = Annotated[Context, Depends(context)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@/]+(/\S*)?$", max_length=500)]
Types = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,62}$")]],
    Field(max_length=100, examples=[["ticket_called", "visit_created"]]),
]


class WebhookCreation(Body):
    """``types`` are names of events (docs/events.md); none means every event."""

    url: Url
    types: Types = Field(default_factory=list)


class WebhookChange(Body):
    """What is sent is changed. Switched on again, it is told what happens from then on."""

    url: Url | None = None
    types: Types | None = None
    enabled: StrictBool | None = None


@router.get("", responses=documented(401, 403))
async def webhooks(here: Here) -> Response:
    """Each with how it is doing: how often the next message has failed, and how many were skipped within a day."""
    store.require(here.actor)
    async with here.read() as tx:
        found = await queries.webhooks(tx, here.services.keyring)
        states = await followers.states(tx, [follower(one.id) for one in found])
    return answer({"items": [_shown(one, states[follower(one.id)]) for one in found], "next": None})


@router.post("", status_code=201, responses=CHANGES)
async def create_webhook(body: WebhookCreation, here: Here) -> Response:
    """The answer holds the secret that signs; it is shown by nothing else."""

    async def work(tx: WriteTx) -> Outcome:
        made = Webhook(new_id(tx.now), body.url, tuple(body.types), (fresh_secret(),), tx.now)
        await store.add(tx, here, made)
        return outcome(made.id, status=201)

    return await once(here, work, lambda tx, done: _with_secret(tx, here, UUID(done.record)))


@router.patch("/{webhook}", responses=CHANGES)
async def change_webhook(webhook: UUID, body: WebhookChange, here: Here) -> Response:
    async with here.write() as tx:
        found = await store.load_for(tx, here, webhook)
        types = found.types if body.types is None else tuple(body.types)
        await store.change(tx, here, replace(found, url=body.url or found.url, types=types))
        if body.enabled is not None:
            await followers.switch(tx, follower(webhook), enabled=body.enabled)
        return answer(await _one(tx, here, webhook))


@router.post("/{webhook}/rotate", responses=CHANGES)
async def rotate_secret(webhook: UUID, here: Here) -> Response:
    """A new secret; for a day messages carry the signature of the earlier one as well."""

    async def work(tx: WriteTx) -> Outcome:
        found = await store.load_for(tx, here, webhook)
        await store.rotate(tx, here, replace(found, secrets=(fresh_secret(),)))
        return outcome(webhook)

    return await once(here, work, lambda tx, _: _with_secret(tx, here, webhook))


@router.post("/{webhook}/test", responses=documented(401, 403))
async def try_webhook(webhook: UUID, here: Here) -> Response:
    """Sends one signed message of the type ``test`` at once and answers the other side's status; null with a ``reason``
    (``no_answer``, ``private_address``) where there was none. Nothing is kept, so each call sends; few a minute."""
    store.require(here.actor)
    await here.services.limits.check((TRIALS, here.actor.label))
    async with here.read() as tx:
        found = await queries.webhook(tx, here.services.keyring, webhook)
    status, reason = await commands.try_webhook(here, found)
    return answer(
        {"webhook": str(webhook), "status": status, "accepted": bool(status and status < 300), "reason": reason}
    )


@router.delete("/{webhook}", status_code=204, responses=CHANGES)
async def remove_webhook(webhook: UUID, here: Here) -> Response:
    async with here.write() as tx:
        await store.remove(tx, await store.load_for(tx, here, webhook))
    return Response(status_code=204)


@router.get("/{webhook}/failures", responses=documented(401, 403))
async def webhook_failures(webhook: UUID, here: Here) -> Response:
    """The latest hundred messages that the other side refused."""
    store.require(here.actor)
    async with here.read() as tx:
        await queries.webhook(tx, here.services.keyring, webhook)
        return answer(await failures(tx, follower(webhook)))


@router.post("/{webhook}/failures/resend", responses=CHANGES)
async def resend_failures(webhook: UUID, here: Here) -> Response:
    """Sends everything again that was refused and skipped, oldest first."""
    return await resend(here, follower(webhook), None, load=lambda tx: store.load_for(tx, here, webhook))


@router.post("/{webhook}/failures/{failure}/resend", responses=CHANGES)
async def resend_failure(webhook: UUID, failure: FailureNo, here: Here) -> Response:
    """Sends one message again that was refused and skipped: under its id, out of its order."""
    return await resend(here, follower(webhook), failure, load=lambda tx: store.load_for(tx, here, webhook))


async def _one(tx: ReadTx, here: Context, webhook: UUID) -> dict[str, Any]:
    found = await queries.webhook(tx, here.services.keyring, webhook)
    return _shown(found, (await followers.states(tx, [follower(webhook)]))[follower(webhook)])


async def _with_secret(tx: ReadTx, here: Context, webhook: UUID) -> dict[str, Any]:
    found = await queries.webhook(tx, here.services.keyring, webhook)
    return await _one(tx, here, webhook) | {"secret": found.secrets[0]}


def _shown(one: Webhook, state: State) -> dict[str, Any]:
    return {
        "webhook": str(one.id),
        "url": one.url,
        "types": list(one.types),
        "created_at": one.created_at.isoformat(),
        "enabled": state.enabled,
        "attempts": state.attempts,
        "failures": state.failures,
    }
