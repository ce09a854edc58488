"""The vendors' side on loopback: an SMTP server and an HTTP one, which take messages, refuse them, or lose them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.platform.test_outgoing import server
from tests.proof.program import free_port

CUT = "cut"


@dataclass
class Vendor:
    """``says`` is the next answers (``CUT`` ends the line after the request was read); ``heard`` what came, oldest first."""

    port: int = 0
    says: list[str] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def over_http(answer: bytes = b"{}") -> AsyncIterator[Vendor]:
    """Answers 200 with ``answer``, or as it is told: ``"429 Slow|retry-after: 7|{…}"``."""
    vendor = Vendor()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        vendor.heard.append((headers, await reader.readexactly(int(headers["content-length"]))))
        said = vendor.says.pop(0) if vendor.says else "200 OK"
        if said == CUT:
            return
        status, _, more = said.partition("|")
        header, _, body = more.partition("|")
        content = body.encode() or answer
        head = [
            f"HTTP/1.1 {status}",
            f"Content-Length: {len(content)}",
            "Connection: close",
            *([header] if header else []),
        ]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + content)
        await writer.drain()

    async with server(serve) as url:
        vendor.port = int(url.rpartition(":")[2].partition("/")[0])
        yield vendor


class _Handler:
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._vendor.says and self._vendor.says[0].startswith("RCPT "):
            return self._vendor.says.pop(0).removeprefix("RCPT ")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        said = self._vendor.says.pop(0) if self._vendor.says else "250 2.0.0 OK queued as 4711"
        mail = message_from_bytes(cast(bytes, envelope.content), policy=policy.default)
        self._vendor.mails.append(mail)
        if said == CUT:
            assert smtp.transport is not None
            smtp.transport.close()
        return said


def _signed_in(_: Any, __: Any, ___: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.password == b"right", handled=False)


@asynccontextmanager
async def over_smtp() -> AsyncIterator[Vendor]:
    """A mail server in a thread of its own, which lets in whoever has the password ``right``."""
    vendor = Vendor(port=free_port())
    controller = Controller(
        _Handler(vendor), hostname="127.0.0.1", port=vendor.port, authenticator=_signed_in, auth_require_tls=False
    )
    await asyncio.to_thread(controller.start)
    try:
        yield vendor
    finally:
        await asyncio.to_thread(controller.stop)
