"""E-mail through the facility's own mail server (SMTP)."""

import ssl
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import Any

import aiosmtplib

from dawr.notifications.channels.shelf import NO_ANSWER, NOT_CONFIGURED, Shelf, away, plain
from dawr.notifications.rules_channels import Message, Outcome, Pace, Reached, Reason, Result
from dawr.notifications.texts import no_more
from dawr.platform.db import ReadTx
from dawr.platform.outgoing import NotSent, reach
from dawr.platform.services import Services

SECONDS = 10.0


class Email:
    """Settings: ``host``, ``port``, ``security`` (``starttls``, ``tls`` or ``none``), ``user``, ``password``, ``sender``,
    ``sender_name``."""

    name = "email"
    pace = Pace(per_second=10, burst=20, at_once=4, seconds=30.0)

    def __init__(self, services: Services) -> None:
        self._services = services
        self._shelf = Shelf(services, self.name)

    async def set_up(self, tx: ReadTx) -> bool:
        return await self._shelf.settings_in(tx) is not None

    async def addresses(self, tx: ReadTx, services: Services, person: Reached) -> Sequence[str]:
        return (person.email.strip().lower(),) if person.email else ()

    async def send(self, message: Message) -> Result:
        settings = await self._shelf.settings(message.facility_id)
        if settings is None:
            return NOT_CONFIGURED
        try:
            smtp = await self._connected(settings)
        except aiosmtplib.SMTPAuthenticationError as error:
            return Result(Outcome.RETRY, reason=Reason.WRONG_CREDENTIALS, detail=str(error.code))
        except (NotSent, aiosmtplib.SMTPException, ssl.SSLError, OSError) as error:
            return away(error)
        try:
            return await self._handed_over(smtp, message, settings)
        finally:
            smtp.close()

    async def close(self) -> None:
        """Each message has a connection of its own."""

    async def _connected(self, settings: Mapping[str, Any]) -> aiosmtplib.SMTP:
        private = self._services.settings.outgoing_networks
        line = await reach(settings["host"], settings["port"], private=private, seconds=SECONDS)
        smtp = aiosmtplib.SMTP(
            hostname=settings["host"],
            sock=line,
            use_tls=settings["security"] == "tls",
            start_tls=settings["security"] == "starttls",
            username=settings.get("user"),
            password=settings.get("password"),
            local_hostname="dawr",
            timeout=SECONDS,
        )
        try:
            await smtp.connect()
        except BaseException:
            line.close()
            raise
        return smtp

    async def _handed_over(self, smtp: aiosmtplib.SMTP, message: Message, settings: Mapping[str, Any]) -> Result:
        mail = written(message, settings, date=format_datetime(self._services.clock.now()))
        try:
            _, said = await smtp.send_message(mail, sender=settings["sender"], recipients=[message.to])
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients[0].code, Reason.BAD_ADDRESS)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, Reason.VENDOR_REFUSED)
        except (aiosmtplib.SMTPException, OSError):
            return NO_ANSWER
        return Result(Outcome.SENT, provider_id=plain(said.rpartition(" ")[2]))


def _refused(code: int, reason: Reason) -> Result:
    """4xx is for now, 5xx for ever (RFC 5321, section 4.2.1); a connection that closed itself has told nothing."""
    if code < 0:
        return NO_ANSWER
    if code < 500:
        return Result(Outcome.RETRY, reason=Reason.VENDOR_BUSY, detail=str(code))
    return Result(Outcome.REFUSED, reason=reason, detail=str(code))


def _with_way_out(message: Message) -> str:
    if not message.unsubscribe:
        return message.text
    return f"{message.text}\n\n{no_more(message.language)} {message.unsubscribe}"


def written(message: Message, settings: Mapping[str, Any], *, date: str) -> EmailMessage:
    """The mail: its Message-ID is the message's key, so that a mailbox shows one that came twice once."""
    mail = EmailMessage()
    mail["From"] = formataddr((settings.get("sender_name") or "", settings["sender"]))
    mail["To"] = message.to
    mail["Subject"] = message.subject
    mail["Date"] = date
    mail["Message-ID"] = f"<{message.key}@{settings['sender'].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.unsubscribe:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_with_way_out(message), charset="utf-8")
    mail["Content-Language"] = message.language
    return mail
