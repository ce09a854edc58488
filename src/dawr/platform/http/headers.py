"""Security headers for everything this application answers, as a plain ASGI middleware.

Pages carry no inline script and no inline style, so the policy allows neither. A header that the answer
already has (a ticket page's stricter ``Referrer-Policy``) is left as it is.
"""

from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "media-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
PAGES: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    (b"x-frame-options", b"DENY"),
)
# Only where the request came by https, and without subdomains: a hospital's LAN may keep plain http elsewhere.
HTTPS_ONLY: tuple[tuple[bytes, bytes], ...] = ((b"strict-transport-security", b"max-age=31536000"),)


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = complete(message.get("headers", ()), scope.get("scheme", "http"))
            await send(message)

        await self.app(scope, receive, send_with_headers)


def complete(headers: list[tuple[bytes, bytes]], scheme: str) -> list[tuple[bytes, bytes]]:
    """The answer's headers plus those that are missing."""
    names = tuple([name for name, _ in headers])
    page = b"content-type" in names and headers[names.index(b"content-type")][1].startswith(b"text/html")
    return [*headers, *_missing(names, page, scheme)]


@lru_cache(maxsize=512)
def _missing(present: tuple[bytes, ...], page: bool, scheme: str) -> tuple[tuple[bytes, bytes], ...]:
    wanted = ALWAYS
    if page:
        wanted += PAGES
    if scheme == "https":
        wanted += HTTPS_ONLY
    return tuple(header for header in wanted if header[0] not in present)
