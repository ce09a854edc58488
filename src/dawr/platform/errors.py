"""What can go wrong, as types. A slice subclasses these in its ``rules.py``; the HTTP layer renders them (RFC 9457).

``code`` is the stable, machine-readable name; ``title`` an English message id that is translated when shown.
``detail`` may add a sentence, also a message id, filled with ``params``; ``extra`` becomes members of the answer.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


def N_(message: str) -> str:
    """Marks a text for translation where it is written; it is translated where it is shown."""
    return message


class Problem(Exception):
    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = N_("This request cannot be answered")

    def __init__(
        self,
        detail: str | None = None,
        *,
        params: Mapping[str, object] | None = None,
        retry_after: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(self.code)
        self.detail = detail
        self.params = dict(params or {})
        self.retry_after = retry_after
        self.extra = dict(extra or {})


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"
    title = N_("Please sign in")


class Forbidden(Problem):
    status = 403
    code = "forbidden"
    title = N_("You do not have the right to do this")


class NotFound(Problem):
    status = 404
    code = "not_found"
    title = N_("There is nothing here")


class TooSlow(Problem):
    status = 408
    code = "request_timeout"
    title = N_("The request took too long to arrive")


class Conflict(Problem):
    status = 409
    code = "conflict"
    title = N_("This is not possible in the present state")


class TooLarge(Problem):
    status = 413
    code = "body_too_large"
    title = N_("The request is too large")


class Invalid(Problem):
    status = 422
    code = "invalid_request"
    title = N_("The request has a mistake")


class TooManyRequests(Problem):
    status = 429
    code = "too_many_requests"
    title = N_("Too many requests; please wait a little")


class Unavailable(Problem):
    status = 503
    code = "unavailable"
    title = N_("The service is out of reach for a moment; please try again")

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)
