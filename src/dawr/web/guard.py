"""Forms that act must come from our own pages."""

from hmac import compare_digest
from urllib.parse import urlsplit

from starlette.requests import Request

from dawr.platform.errors import Forbidden
from dawr.web.views import StaffCard


def require_same_site(request: Request) -> None:
    """Refuses a form that another site sends for its visitors. Browsers on plain http send only ``Origin``."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden


def require_csrf(staff: StaffCard, token: str) -> None:
    """The session's own token must come with the form; its cookie alone proves nothing."""
    if not compare_digest(staff.csrf.encode(), token.encode()):
        raise Forbidden
