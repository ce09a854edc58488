"""A facility's plugins over HTTP, for its administrators."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import StrictBool
from starlette.responses import Response

from dawr.accounts.rules import Right
from dawr.facilities.queries import Context
from dawr.platform import followers
from dawr.platform.db import ReadTx
from dawr.platform.http.bodies import Body
from dawr.platform.http.context import context
from dawr.platform.http.failures import FailureNo, failures, resend
from dawr.platform.http.once import answer
from dawr.platform.http.problems import documented
from dawr.plugins.rules import PluginNotFound, follower

router = APIRouter(prefix="/api/v1", tags=["plugins"])
Here = Annotated[Context, Depends(context)]
NameInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class Switch(Body):
    enabled: StrictBool


@router.get("/plugins", responses=documented(401, 403))
async def plugins(here: Here) -> Response:
    """What is installed, whether this facility uses it, and whether it fails."""
    here.actor.require(Right.SETTINGS)
    async with here.read() as tx:
        return answer({"items": await _states(tx, here.services.settings.plugins), "next": None})


@router.patch("/plugins/{plugin}", responses=documented(401, 403))
async def switch_plugin(plugin: NameInPath, body: Switch, here: Here) -> Response:
    """Switches it on or off here. What happens while it is off, it is never told."""
    _require(here, plugin)
    async with here.write() as tx:
        await followers.switch(tx, follower(plugin), enabled=body.enabled)
        return answer((await _states(tx, [plugin]))[0])


@router.get("/plugins/{plugin}/failures", responses=documented(401, 403))
async def plugin_failures(plugin: NameInPath, here: Here) -> Response:
    """The latest hundred happenings that it could not do."""
    _require(here, plugin)
    async with here.read() as tx:
        return answer(await failures(tx, follower(plugin)))


@router.post("/plugins/{plugin}/failures/resend", responses=documented(401, 403))
async def resend_plugin_failures(plugin: NameInPath, here: Here) -> Response:
    """Tells it everything again that it could not do, oldest first."""
    _require(here, plugin)
    return await resend(here, follower(plugin), None)


@router.post("/plugins/{plugin}/failures/{failure}/resend", responses=documented(401, 403))
async def resend_plugin_failure(plugin: NameInPath, failure: FailureNo, here: Here) -> Response:
    """Tells it one happening again that it could not do: under its id, out of its order."""
    _require(here, plugin)
    return await resend(here, follower(plugin), failure)


def _require(here: Context, plugin: str) -> None:
    here.actor.require(Right.SETTINGS)
    if plugin not in here.services.settings.plugins:
        raise PluginNotFound


async def _states(tx: ReadTx, plugins: Sequence[str]) -> list[dict[str, Any]]:
    found = await followers.states(tx, [follower(one) for one in plugins])
    shown = {one: found[follower(one)] for one in plugins}
    return [
        {"plugin": name, "enabled": one.enabled, "attempts": one.attempts, "failures": one.failures}
        for name, one in shown.items()
    ]
