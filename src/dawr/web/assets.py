"""The files under ``/static``: their addresses carry a fingerprint of all of them, so they may be kept for a year.

One fingerprint for the whole folder keeps the relative imports between the scripts working without a build step.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
# An address from before an upgrade still answers (with today's file), it is only not kept.
ASK_AGAIN = "no-cache"


@cache
def fingerprint() -> str:
    """Twelve hexadecimal digits that change whenever any static file does."""
    digest = sha256()
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0")
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Where a static file is found, below the root of the application: ``/static/3f0c…/dawr.css``."""
    return f"/static/{fingerprint()}/{name}"


class Assets(StaticFiles):
    """Serves ``<fingerprint>/<file>``."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        version, _, name = path.replace("\\", "/").partition("/")
        if not name:
            raise HTTPException(404)
        response = await super().get_response(name, scope)
        response.headers["cache-control"] = FOREVER if version == fingerprint() else ASK_AGAIN
        return response
