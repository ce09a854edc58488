"""Messages to a browser that asked for them (RFC 8030), encrypted for it alone (RFC 8291), signed with VAPID (RFC 8292)."""

import base64
import binascii
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import http_ece
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from dawr.notifications import store_channels
from dawr.notifications.channels.shelf import NO_ANSWER, Shelf, away, told
from dawr.notifications.rules_channels import Message, Outcome, Pace, Reached, Reason, Result
from dawr.notifications.store_channels import About, Subscription
from dawr.platform.addresses import Network
from dawr.platform.crypto import Keyring
from dawr.platform.db import ReadTx
from dawr.platform.outgoing import NotSent, OutcomeUnknown, Outgoing
from dawr.platform.services import Services

SIGNED = timedelta(hours=12)
GONE = frozenset({404, 410})
# The order of the group of P-256 (SEC 2, section 2.4.2): a private key is less than it, and not 0.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Push:
    """Settings: ``contact``, the address (``mailto:`` or ``https:``) under which a browser's maker can reach the sender."""

    name = "push"
    pace = Pace(per_second=50, burst=100, at_once=16, seconds=15.0, rests=False)

    def __init__(self, services: Services, *, private: Sequence[Network] = ()) -> None:
        """``private`` is for tests: whoever holds a ticket or an appointment names the address, so nothing of the hospital's own
        may be asked."""
        self._services = services
        self._shelf = Shelf(services, self.name)
        self._outgoing = Outgoing(private=private)

    async def set_up(self, tx: ReadTx) -> bool:
        return await self._shelf.settings_in(tx) is not None

    async def addresses(self, tx: ReadTx, services: Services, person: Reached) -> Sequence[str]:
        if person.ticket is not None:
            about = About("ticket", person.ticket)
        elif person.appointment is not None:
            about = About("appointment", person.appointment)
        else:
            return ()
        return [str(one) for one in await store_channels.subscriptions(tx, about)]

    async def send(self, message: Message) -> Result:
        settings = await self._shelf.settings(message.facility_id)
        keyring, subscription_id = self._services.keyring, UUID(message.to)
        async with self._services.db.read(message.facility_id) as tx:
            found = await store_channels.subscription(tx, keyring, subscription_id)
        if settings is None or found is None:
            return Result(Outcome.REFUSED, reason=Reason.ADDRESS_GONE)
        said = await self.hand_over(message, found, contact=settings["contact"])
        if said.reason is Reason.ADDRESS_GONE:
            async with self._services.db.write(message.facility_id) as tx:
                await store_channels.forget(tx, subscription_id)
        return said

    async def hand_over(self, message: Message, browser: Subscription, *, contact: str) -> Result:
        """Hands the message to the browser's maker, whoever keeps the subscription."""
        now = self._services.clock.now()
        headers = {
            "authorization": signed(self._services.keyring, browser.endpoint, contact=contact, now=now),
            "content-encoding": "aes128gcm",
            "ttl": str(max(0, message.seconds_left)),
            "urgency": "high" if message.urgent else "normal",
            "topic": topic(message.key),
        }
        try:
            answer = await self._outgoing.post(browser.endpoint, encrypted(browser, message), headers)
        except NotSent as error:
            return away(error)
        except OutcomeUnknown:
            return NO_ANSWER
        if answer.status in GONE:
            return Result(Outcome.REFUSED, reason=Reason.ADDRESS_GONE, detail=str(answer.status))
        return told(answer, provider_id=answer.headers.get("location"))

    async def close(self) -> None:
        await self._outgoing.close()


def encrypted(subscription: Subscription, message: Message) -> bytes:
    """What the service worker shows: nothing but its browser can read it."""
    shown = {"title": message.subject, "body": message.text, "url": message.link, "lang": message.language}
    found: bytes = http_ece.encrypt(
        orjson.dumps(shown | {"tag": topic(message.key)}),
        salt=os.urandom(16),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=raw(subscription.p256dh),
        auth_secret=raw(subscription.auth),
    )
    return found


def signed(keyring: Keyring, endpoint: str, *, contact: str, now: datetime) -> str:
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((now + SIGNED).timestamp()),
        "sub": contact,
    }
    token = jwt.encode({"alg": "ES256"}, claims, ECKey.import_key(_private_key(keyring)))
    return f"vapid t={token}, k={public_key(keyring)}"


def public_key(keyring: Keyring) -> str:
    """What a browser asks for when it subscribes: the point, uncompressed, as base64url."""
    point = _private_key(keyring).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def _private_key(keyring: Keyring) -> ec.EllipticCurvePrivateKey:
    """Browsers keep to the key that they subscribed with."""
    secret = int.from_bytes(keyring.lasting("web-push"))
    return ec.derive_private_key(secret % (_ORDER - 1) + 1, ec.SECP256R1())


def raw(text: str) -> bytes:
    """The bytes of base64url, with or without its filling; ``ValueError`` for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def topic(key: str) -> str:
    """Up to 32 characters of base64url: a message that is tried again takes the place of its first try."""
    return "".join(one for one in key if one.isascii() and (one.isalnum() or one in "-_"))[-32:]
